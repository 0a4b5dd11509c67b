from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.memory.links import Links


def chat(ids: list[int], previous: list[int]) -> Links:
    links = Links()
    links.add(np.array(ids), np.array(previous), {i: row for row, i in enumerate(ids)})
    return links


def test_each_row_knows_what_stands_before_and_after_it() -> None:
    links = chat([5, 6, 7], [-1, 5, 6])
    rows = np.arange(3)
    assert links.before(rows).tolist() == [0, 1, 2]
    assert links.after(rows).tolist() == [2, 3, 0]


def test_a_turn_that_comes_later_takes_its_place_before_what_awaited_it() -> None:
    links = Links()
    links.add(np.array([6]), np.array([5]), {6: 0})
    assert links.before(np.array([0])).tolist() == [0]
    links.add(np.array([5]), np.array([-1]), {6: 0, 5: 1})
    assert links.before(np.array([0])).tolist() == [2]


def test_what_followed_a_removed_row_has_nothing_before_it() -> None:
    links = chat([5, 6, 7], [-1, 5, 6])
    links.remove(np.array([1]))
    links.keep(np.array([True, False, True]))
    assert links.before(np.arange(2)).tolist() == links.after(np.arange(2)).tolist() == [0, 0]


def test_rows_put_in_lines_follow_each_other_and_nothing_else() -> None:
    links = chat([5, 6, 7, 8, 9], [-1, 5, 6, 7, 2])
    links.put([np.array([3, 0, 4]), np.array([1])])
    assert (links.before(np.arange(5)) - 1).tolist() == [3, -1, -1, -1, 0]
    assert (links.after(np.arange(5)) - 1).tolist() == [4, -1, -1, 0, -1]
    links.add(np.array([2]), np.array([9]), {5: 0, 6: 1, 7: 2, 8: 3, 9: 4, 2: 5})
    assert links.before(np.array([4, 5])).tolist() == [1, 5]  # what was awaited once is no more


@given(
    scores=st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=1, max_size=30),
    cuts=st.sets(st.integers(0, 29)),
    hidden=st.sets(st.integers(0, 29)) | st.none(),
    asked=st.sets(st.integers(0, 29), min_size=1),
)
@settings(max_examples=60, deadline=None)
def test_words_nearby_count_the_same_whether_handed_on_or_asked_for(
    scores: list[float], cuts: set[int], hidden: set[int] | None, asked: set[int]
) -> None:
    count = len(scores)
    links = chat(list(range(count)), [-1 if i in cuts else i - 1 for i in range(count)])
    known = None if hidden is None else ~np.isin(np.arange(count), list(hidden))
    rows = np.array(sorted(row for row in asked if row < count and (known is None or known[row])), np.intp)
    lexical = np.array(scores, dtype=np.float32) * (True if known is None else known)
    lexical = lexical.astype(np.float32)
    wordy = np.flatnonzero(lexical)
    every = links.window(lexical, np.arange(count), wordy=wordy, known=known)
    some = links.window(lexical, rows, wordy=wordy, known=known)
    np.testing.assert_array_equal(some, every[rows])
