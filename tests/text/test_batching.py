from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.errors import OptionError
from romaine.text.batching import batches

lengths_of_pieces = st.lists(st.integers(0, 60), max_size=40)


@given(lengths_of_pieces, st.integers(1, 200), st.none() | st.integers(1, 5), st.none() | st.integers(0, 40))
def test_padded_batches(lengths: list[int], budget: int, most: int | None, uniform: int | None) -> None:
    groups = list(batches(lengths, batch_tokens=budget, max_pieces=most, uniform_above=uniform))
    assert sorted(np.concatenate(groups).tolist() if groups else []) == list(range(len(lengths)))
    for group in groups:
        in_group = [lengths[i] for i in group]
        assert len(group) == 1 or len(group) * max(in_group) <= budget
        assert most is None or len(group) <= most
        if uniform is not None and max(in_group) > uniform:
            assert len(set(in_group)) == 1
    flat = [int(i) for group in groups for i in group]
    assert flat == sorted(flat, key=lambda i: -lengths[i]), "longest first, equal ones in their order"


@given(lengths_of_pieces, st.integers(1, 200), st.none() | st.integers(1, 5))
def test_unpadded_batches_keep_the_order(lengths: list[int], budget: int, most: int | None) -> None:
    groups = list(batches(lengths, batch_tokens=budget, max_pieces=most, pads=False))
    assert [int(i) for group in groups for i in group] == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or sum(lengths[i] for i in group) <= budget
        assert most is None or len(group) <= most


def test_batches_are_as_large_as_the_budget_allows() -> None:
    assert [len(group) for group in batches([10] * 10, batch_tokens=40)] == [4, 4, 2]
    assert [len(group) for group in batches([10] * 10, batch_tokens=45, pads=False)] == [4, 4, 2]
    assert [len(group) for group in batches([0] * 10, batch_tokens=45, pads=False)] == [10]


@pytest.mark.parametrize("wrong", [{"batch_tokens": 0}, {"batch_tokens": 5, "max_pieces": 0}])
def test_a_batch_of_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="at least 1"):
        batches([1, 2], **wrong)
