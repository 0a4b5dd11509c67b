from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from romaine.text.ragged import Ragged

sequences = st.lists(st.lists(st.integers(0, 1000), max_size=6), max_size=8)


@given(sequences)
def test_lists_come_back(lists: list[list[int]]) -> None:
    ragged = Ragged.from_lists(lists)
    assert len(ragged) == len(lists)
    assert ragged.to_lists() == lists
    assert ragged.lengths.tolist() == [len(ids) for ids in lists]
    assert ragged.offsets.dtype == np.int64


@given(sequences, st.data())
def test_take_follows_any_order(lists: list[list[int]], data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.integers(0, max(len(lists) - 1, 0)), max_size=8)) if lists else []
    taken = Ragged.from_lists(lists).take(np.array(wanted, dtype=np.intp))
    assert taken.to_lists() == [lists[i] for i in wanted]


def test_a_run_of_neighbours_is_a_view() -> None:
    ragged = Ragged.from_lists([[1], [2, 3], [], [4]])
    run = ragged.take(np.array([1, 2, 3]))
    assert run.to_lists() == [[2, 3], [], [4]]
    assert np.shares_memory(run.ids, ragged.ids)


@given(sequences)
def test_padded_marks_what_is_real(lists: list[list[int]]) -> None:
    ids, mask = Ragged.from_lists(lists).padded(-7)
    assert ids.shape == mask.shape == (len(lists), max(map(len, lists), default=0))
    assert ids.dtype == mask.dtype == np.int64
    for row, kept, wanted in zip(ids, mask, lists, strict=True):
        assert row[kept == 1].tolist() == wanted
        assert (row[kept == 0] == -7).all()
        assert kept.tolist() == sorted(kept, reverse=True)


@given(st.lists(sequences, max_size=4))
def test_concatenate_keeps_order(parts: list[list[list[int]]]) -> None:
    joined = Ragged.concatenate([Ragged.from_lists(part) for part in parts])
    assert joined.to_lists() == [ids for part in parts for ids in part]
