from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.arrays import FloatArray
from romaine.memory import columns
from romaine.memory.columns import BLOCK_ROWS, Column, Columns, Vectors


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=20), max_size=10))
def test_holds_what_was_appended_in_order(parts: list[list[int]]) -> None:
    column = Column(np.int32)
    for part in parts:
        column.append(np.array(part, dtype=np.int32))
    everything = [value for part in parts for value in part]
    assert column.values.tolist() == everything
    assert len(column) == len(everything)
    column.keep(column.values > 4)
    assert column.values.tolist() == [value for value in everything if value > 4]


def test_one_more_row_seldom_copies() -> None:
    column = Column(np.int64)
    column.append(np.arange(1000))
    copies, held = 0, column.values.base
    for _ in range(1000):
        column.append(np.zeros(1, dtype=np.int64))
        copies, held = copies + (column.values.base is not held), column.values.base
    assert copies <= 3
    assert column.nbytes == 2000 * 8


def test_a_table_holds_its_columns_side_by_side() -> None:
    rows = np.array([(1, 0.5), (2, 1.5), (3, 2.5)], dtype=[("mark", "i4"), ("weight", "f8")])
    table = Columns(rows.dtype)
    table.append(rows[:2])
    table.append(rows[2:])
    table.replace(np.array([0]), rows[2:])
    assert table["mark"].tolist() == [3, 2, 3]
    assert table["weight"].flags.c_contiguous
    table.keep(np.array([False, True, True]))
    assert (len(table), table["weight"].tolist()) == (2, [1.5, 2.5])
    assert table.nbytes == 2 * 12


def numbered(start: int, count: int) -> FloatArray:
    return np.arange(start * 3, (start + count) * 3, dtype=np.float32).reshape(count, 3)


steps = st.one_of(
    st.tuples(st.just("append"), st.integers(0, 40)),
    st.tuples(st.just("replace"), st.lists(st.integers(0, 30), unique=True, max_size=9)),
    st.tuples(st.just("keep"), st.integers(1, 5)),
)


@settings(deadline=None)
@given(st.lists(steps, max_size=12))
def test_vectors_in_blocks_are_as_in_one(steps: list[tuple[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "BLOCK_ROWS", 8)
        vectors, plain, made = Vectors(3), np.empty((0, 3), dtype=np.float32), 0
        for action, value in steps:
            if action == "append":
                vectors.append(numbered(made, value))
                plain = np.concatenate([plain, numbered(made, value)])
                made += value
            elif action == "replace":
                at = np.array([row for row in value if row < len(plain)], dtype=np.intp)
                vectors.replace(at, -plain[at])
                plain[at] *= -1
            else:
                mask = np.arange(len(plain)) % value != 1
                vectors.keep(mask)
                plain = plain[mask]
            assert len(vectors) == len(plain)
    assert vectors.nbytes == plain.nbytes
    everything = np.random.default_rng(0).permutation(len(plain))
    np.testing.assert_array_equal(vectors.take(everything), plain[everything])
    held = np.concatenate([np.empty((0, 3)), *(block for _, block in vectors.blocks())])
    np.testing.assert_array_equal(held, plain)
    assert [where.start for where, _ in vectors.blocks()][:1] in ([], [0])


def test_many_vectors_are_kept_as_they_come_and_never_copied() -> None:
    loaded = np.zeros((2 * BLOCK_ROWS, 2), dtype=np.float32)
    vectors = Vectors(2)
    vectors.append(loaded)
    for _ in range(3):
        vectors.append(np.ones((BLOCK_ROWS // 2, 2), dtype=np.float32))
    first, *later = [block for _, block in vectors.blocks()]
    assert np.shares_memory(first, loaded)
    assert [len(block) for block in later] == [BLOCK_ROWS, BLOCK_ROWS // 2]
