from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.memory import lexical
from romaine.memory.lexical import K1, B, LexicalIndex, holding
from romaine.memory.postings import Postings
from romaine.memory.terms import TermIds

documents = st.lists(st.lists(st.integers(0, 12), max_size=6), max_size=12)


def as_words(terms: list[int]) -> list[tuple[int, ...]]:
    return [(term,) for term in terms]


def knows(index: LexicalIndex, forms: tuple[int, ...], *, among: np.ndarray | None = None) -> bool:
    return bool(index.match([forms], among=among).frequencies[0])


def as_terms(document: list[int]) -> TermIds:
    return np.array(document, dtype=np.uint32)


def bm25(rows: dict[int, list[int]], count: int, query: list[int]) -> list[float]:
    """The formula, read off the page, over the rows that are there."""
    mean = sum(map(len, rows.values())) / max(len(rows), 1) or 1.0
    scores = [0.0] * count
    for term in query:
        frequency = sum(term in document for document in rows.values())
        idf = math.log(1 + (len(rows) - frequency + 0.5) / (frequency + 0.5))
        for row, document in rows.items():
            tf = Counter(document)[term]
            scores[row] += idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * len(document) / mean)) if tf else 0
    return scores


@settings(deadline=None)
@given(documents, st.lists(st.integers(0, 14), unique=True, max_size=4))
def test_scores_are_bm25(docs: list[list[int]], query: list[int]) -> None:
    index = LexicalIndex()
    index.add([as_terms(d) for d in docs])
    np.testing.assert_allclose(
        index.match(as_words(query)).scores,
        bm25(dict(enumerate(docs)), len(docs), query),
        rtol=1e-5,
        atol=1e-6,
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), documents),
            st.tuples(st.just("replace"), st.integers(0, 40), st.lists(st.integers(0, 12), max_size=6)),
            st.tuples(st.just("remove"), st.integers(0, 40)),
            st.tuples(st.just("search")),
        ),
        max_size=16,
    )
)
def test_any_history_of_changes_scores_like_a_new_index(steps: list[tuple]) -> None:
    index, rows, count = LexicalIndex(), dict[int, list[int]](), 0
    for step in steps:
        if step[0] == "add":
            index.add([as_terms(d) for d in step[1]])
            rows.update(enumerate(step[1], count))
            count += len(step[1])
        elif step[0] == "replace" and step[1] in rows:
            index.replace(step[1], as_terms(step[2]))
            rows[step[1]] = step[2]
        elif step[0] == "remove" and step[1] in rows:
            index.remove(np.array([step[1]]))
            del rows[step[1]]
        with pytest.MonkeyPatch.context() as patch:  # few rows go through all that many go through
            patch.setattr(lexical, "_WAITING_ROWS", 3)
            patch.setattr(lexical, "_MERGE_RATIO", 2)
            index.match(as_words([1])) if step[0] == "search" else None
    query = [0, 1, 2, 3]
    np.testing.assert_allclose(
        index.match(as_words(query)).scores, bm25(rows, count, query), rtol=1e-5, atol=1e-6
    )
    for term in query:
        assert knows(index, (term,)) == any(term in document for document in rows.values())
    kept = np.array([row in rows for row in range(count)], dtype=np.bool_)
    index.keep(kept)
    expected = bm25(dict(enumerate(rows[row] for row in sorted(rows))), len(rows), query)
    np.testing.assert_allclose(index.match(as_words(query)).scores, expected, rtol=1e-5, atol=1e-6)


@settings(deadline=None)
@given(documents, st.data())
def test_rows_left_out_count_in_no_figure(docs: list[list[int]], data: st.DataObject) -> None:
    among = np.array(data.draw(st.lists(st.booleans(), min_size=len(docs), max_size=len(docs))), np.bool_)
    index, alone = LexicalIndex(), LexicalIndex()
    index.add([as_terms(d) for d in docs])
    alone.add([as_terms(d) for d, there in zip(docs, among, strict=True) if there])
    query = [0, 1, 5, 99]
    found, expected = index.match(as_words(query), among=among), alone.match(as_words(query))
    np.testing.assert_allclose(found.scores[among], expected.scores, rtol=1e-5)
    assert not found.scores[~among].any()
    assert found.best_possible == pytest.approx(expected.best_possible)
    assert found.known_share == pytest.approx(expected.known_share)
    for term in query:
        assert knows(index, (term,), among=among) == knows(alone, (term,))


def test_no_write_sorts_everything_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexical, "_MERGED_TOKENS", 4000)
    sizes: list[int] = []
    merge = lexical.merge_segments

    def noted(segments: Sequence[Postings]) -> Postings:
        merged = merge(segments)
        sizes.append(len(merged.rows))
        return merged

    monkeypatch.setattr(lexical, "merge_segments", noted)
    index = LexicalIndex()
    index.add([as_terms([i, 99_999]) for i in range(20_000)])
    for i in range(0, 4000, 10):
        index.add([as_terms([20_000 + j, 99_999]) for j in range(i, i + 10)])
        index.warm_up()
    assert 0 < max(sizes) <= 4000
    assert len(index._segments) <= 5
    assert index.match(as_words([99_999])).scores.all()
    assert index.match(as_words([7])).scores.argmax() == 7
    assert index.match(as_words([23_210])).scores.argmax() == 23_210


def test_rows_replaced_again_and_again_leave_nothing_behind() -> None:
    index = LexicalIndex()
    index.add([as_terms([row, 9999]) for row in range(600)])
    for turn in range(1, 9):
        for row in range(600):
            index.replace(row, as_terms([turn * 1000 + row, 9999]))
        index.warm_up()
    assert index.nbytes < 600 * 100
    assert index.match(as_words([9999])).scores.all()
    assert index.match(as_words([8000 + 77])).scores.argmax() == 77
    assert not knows(index, (7077,))


def test_tells_which_documents_hold_a_term() -> None:
    documents = [as_terms([1, 2]), as_terms([]), as_terms([2, 2]), as_terms([1, 3])]
    assert holding(documents, 2).tolist() == [True, False, True, False]
    assert holding([], 2).tolist() == []


def test_says_how_much_of_a_query_is_known() -> None:
    index = LexicalIndex()
    index.add([as_terms([1, 2]), as_terms([1])])
    assert index.match(as_words([1])).known_share == 1
    assert index.match(as_words([77])).known_share == 0
    assert 0 < index.match(as_words([1, 77])).known_share < 1
    assert index.match(as_words([])).known_share == 0
    assert index.match(as_words([1, 77])).best_possible == pytest.approx(
        math.log(1 + 0.5 / 2.5) + math.log(1 + 2.5 / 0.5)
    )


def test_every_array_is_counted_in_its_size() -> None:
    index = LexicalIndex()
    index.add([as_terms([1, 2, 2]), as_terms([2])])
    columns = index.lengths.nbytes + index._holders.nbytes
    assert index.nbytes == columns
    index.warm_up()
    # two terms, three starts, three postings
    assert index.nbytes - columns == 2 * 4 + 3 * 8 + 3 * 4 + 3 * 2
    index.add([as_terms([row, 9]) for row in range(300)])
    index.warm_up()
    held = [*index._segments.values(), index._recent]
    assert len(held) == 2
    assert all(
        part.nbytes == sum(array.nbytes for array in vars(part).values()) for part in held if part is not None
    )
    assert index.nbytes == index.lengths.nbytes + index._holders.nbytes + held[0].nbytes + held[1].nbytes


def test_an_empty_index_matches_nothing() -> None:
    index = LexicalIndex()
    assert index.match(as_words([1])).scores.shape == (0,)
    index.add([])
    assert len(index) == 0


def test_a_word_repeated_more_often_than_counts_can_hold() -> None:
    index = LexicalIndex()
    index.add([as_terms([5] * 70_000), as_terms([6])])
    assert index.match(as_words([5])).scores[0] > 0


@settings(deadline=None)
@given(documents)
def test_forms_of_one_word_count_as_the_most_frequent_of_them(docs: list[list[int]]) -> None:
    # where each row holds one form only, it is as if all forms were one term
    only = [[term for term in d if term != 1] if 0 in d else d for d in docs]
    index, merged = LexicalIndex(), LexicalIndex()
    index.add([as_terms(d) for d in only])
    merged.add([as_terms([0 if term == 1 else term for term in d]) for d in only])
    found, expected = index.match([(0, 1), (2,)]), merged.match([(0,), (2,)])
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)
    assert found.best_possible == pytest.approx(expected.best_possible)
    assert found.known_share == pytest.approx(expected.known_share)
    assert knows(index, (0, 1)) == knows(merged, (0,))


def test_a_row_with_several_forms_counts_once() -> None:
    index = LexicalIndex()
    index.add([as_terms([1, 2]), as_terms([1, 3]), as_terms([4, 4])])
    one, both = index.match([(1,)]).scores, index.match([(1, 2)]).scores
    np.testing.assert_allclose(one, both)
