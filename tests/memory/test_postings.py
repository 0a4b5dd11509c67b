"""Postings hold what documents held, however they were put together."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from romaine.memory.postings import Postings, build_segment, merge_segments

DOCUMENTS = st.lists(st.lists(st.integers(0, 9) | st.just(2**32 - 1), max_size=12), max_size=8)


def built(documents: list[list[int]], first: int = 0) -> Postings:
    rows = np.arange(first, first + len(documents))
    return build_segment([np.array(terms, dtype=np.uint32) for terms in documents], rows)


def held(segment: Postings) -> dict[tuple[int, int], int]:
    terms = np.repeat(segment.terms, np.diff(segment.starts)).tolist()
    return dict(zip(zip(terms, segment.rows.tolist(), strict=True), segment.counts.tolist(), strict=True))


@given(DOCUMENTS)
def test_each_term_of_each_document_is_counted(documents: list[list[int]]) -> None:
    segment = built(documents)
    expected = {
        (term, row): times for row, terms in enumerate(documents) for term, times in Counter(terms).items()
    }
    assert held(segment) == expected
    assert (np.diff(segment.keys.astype(object)) > 0).all()
    for term, span in zip(range(10), segment.postings(np.arange(10, dtype=np.uint32)), strict=True):
        assert segment.rows[span].tolist() == [row for row, terms in enumerate(documents) if term in terms]


@given(DOCUMENTS, DOCUMENTS)
def test_merged_they_are_as_if_built_at_once(one: list[list[int]], other: list[list[int]]) -> None:
    merged = merge_segments([built(one), built(other, first=len(one))])
    assert held(merged) == held(built(one + other))


@given(DOCUMENTS, st.integers(0, 3))
def test_those_of_some_rows_are_kept(documents: list[list[int]], which: int) -> None:
    segment = built(documents)
    kept = segment.only(segment.rows % 4 == which)
    assert held(kept) == {key: times for key, times in held(segment).items() if key[1] % 4 == which}


def test_a_term_repeated_beyond_what_is_counted_counts_as_the_most() -> None:
    assert built([[7] * 70_000]).counts.tolist() == [65_535]
