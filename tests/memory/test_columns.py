from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.memory.columns import Column


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), max_size=20), max_size=10), st.integers(0, 30))
def test_holds_what_was_appended_in_order(parts: list[list[int]], room: int) -> None:
    column = Column(np.int32)
    column.reserve(room)
    for part in parts:
        column.append(np.array(part, dtype=np.int32))
    everything = [value for part in parts for value in part]
    assert column.values.tolist() == everything
    assert len(column) == len(everything)
    column.keep(column.values > 4)
    assert column.values.tolist() == [value for value in everything if value > 4]


def test_rows_have_a_width() -> None:
    column = Column(np.float32, 3)
    assert column.values.shape == (0, 3)
    column.append(np.ones((2, 3), dtype=np.float32))
    assert column.values.shape == (2, 3)
    assert column.nbytes == 24


def test_one_more_row_seldom_copies() -> None:
    column = Column(np.int64)
    column.append(np.arange(1000))
    copies, held = 0, column.nbytes
    for _ in range(1000):
        column.append(np.zeros(1, dtype=np.int64))
        copies, held = copies + (column.nbytes != held), column.nbytes
    assert copies <= 3
