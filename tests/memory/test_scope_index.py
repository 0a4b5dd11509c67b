from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.arrays import FloatArray, l2_normalize
from romaine.errors import VectorError
from romaine.memory.query import Query
from romaine.memory.scope_index import Candidates, Entries, ScopeIndex
from romaine.memory.terms import name_terms, query_terms, term_ids

DIM = 12
ATTRIBUTES = np.dtype([("mark", np.int64)])


def vector(number: int) -> FloatArray:
    return l2_normalize(np.random.default_rng(number).normal(size=DIM))


def entries(ids: Sequence[int], texts: Sequence[str], previous: Sequence[int] | None = None) -> Entries:
    before = [-1, *ids[:-1]] if previous is None else previous
    return Entries(
        ids=np.array(ids, dtype=np.int64),
        vectors=np.stack([vector(i) for i in ids]).astype(np.float32),
        context_vectors=np.stack([vector(i + 1000) for i in ids]).astype(np.float32),
        terms=[term_ids(text) for text in texts],
        previous=np.array(before, dtype=np.int64),
        attributes=np.array([(i * 10,) for i in ids], dtype=ATTRIBUTES),
    )


def chat(*texts: str, first: int = 1) -> ScopeIndex:
    index = ScopeIndex(full_dim=DIM, dim=4, attributes_dtype=ATTRIBUTES)
    index.add(entries(range(first, first + len(texts)), texts))
    return index


def ask(text: str, number: int = 0) -> Query:
    return Query(text=text, vector=vector(number), terms=tuple(query_terms(text)), names=name_terms(text))


def by_id(candidates: Candidates, values: np.ndarray) -> dict[int, float]:
    return dict(zip(candidates.ids.tolist(), values.tolist(), strict=True))


def test_every_memory_comes_with_both_cosines_in_order() -> None:
    index = chat("one", "two", "three")
    found = index.search(ask("two", number=2))
    assert found.ids.tolist() == [1, 2, 3]
    assert by_id(found, found.dense)[2] == pytest.approx(1)
    assert by_id(found, found.context)[3] == pytest.approx(float(vector(1003) @ vector(2)), abs=1e-6)
    assert len(found) == 3


def test_words_count_for_three_turns_each_way_and_fade() -> None:
    index = chat(*["moss"] * 4, "silver key", *["moss"] * 4)
    found = index.search(ask("silver key"))
    own = float(found.lexical[4])
    assert own > 0
    assert np.flatnonzero(found.lexical).tolist() == [4]
    np.testing.assert_allclose(found.window / own, [0, 1 / 3, 2 / 3, 1, 0, 1, 2 / 3, 1 / 3, 0], rtol=1e-5)


def test_knows_who_asks_and_who_answers() -> None:
    found = chat("Where is it?", "Under the step.", "Ah.").search(ask("step"))
    assert found.asks.tolist() == [True, False, False]
    assert found.answers.tolist() == [False, True, False]


def test_says_how_much_of_the_query_it_knows() -> None:
    index = chat("the silver key", "moss")
    assert index.search(ask("silver")).known_share == 1
    assert index.search(ask("golden")).known_share == 0
    assert not index.search(ask("Is it in the Silver box?")).unknown_name
    assert index.search(ask("Is it in the Golden box?")).unknown_name


def test_masked_rows_are_not_found_and_their_words_count_for_no_other() -> None:
    index = chat("moss", "silver key", "moss")
    found = index.search(ask("silver key"), mask=index.ids != 2)
    assert found.ids.tolist() == [1, 3]
    assert not found.lexical.any()
    assert not found.window.any()


def test_an_update_keeps_the_place_and_the_links() -> None:
    index = chat("one", "two", "three")
    index.update(entries([2, 99], ["silver?", "unknown"], previous=[1, -1]))
    found = index.search(ask("silver"))
    assert found.ids.tolist() == [1, 2, 3]
    assert by_id(found, found.window)[1] == by_id(found, found.window)[3] > 0
    assert found.answers.tolist() == [False, False, True]
    assert not index.search(ask("two")).lexical.any()


def test_removed_memories_are_gone_and_break_the_chain() -> None:
    index = chat("silver", "two", "three", "four", "five", "six", "seven", "eight")
    index.remove(np.array([2, 2, 77]))
    found = index.search(ask("silver two"))
    assert 2 not in found.ids
    assert by_id(found, found.window)[3] == 0
    assert len(index) == 7
    assert index.rows_of(np.array([2, 3])).tolist() == [2]


def test_attributes_stay_with_their_rows_through_compaction() -> None:
    index = chat(*(f"word{i}" for i in range(20)))
    index.remove(np.arange(1, 11))
    assert len(index.ids) == len(index) == 10
    assert index.attributes["mark"].tolist() == [i * 10 for i in range(11, 21)]
    found = index.search(ask("word14"))
    assert found.ids[found.lexical.argmax()] == 15
    assert found.window[[3, 5]].tolist() == pytest.approx([found.lexical.max()] * 2)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "update", "remove"]), st.integers(1, 12), st.sampled_from("abc")),
        max_size=25,
    )
)
def test_any_history_of_changes_searches_like_a_new_index(steps: list[tuple[str, int, str]]) -> None:
    index = ScopeIndex(full_dim=DIM, dim=4, attributes_dtype=ATTRIBUTES)
    texts: dict[int, str] = {}
    for action, number, text in steps:
        if action == "add" and number not in texts:
            index.add(entries([number], [text], previous=[-1]))
            texts[number] = text
        elif action == "update" and number in texts:
            index.update(entries([number], [text + " new"], previous=[-1]))
            texts[number] = text + " new"
        elif action == "remove":
            index.remove(np.array([number]))
            texts.pop(number, None)
    fresh = ScopeIndex(full_dim=DIM, dim=4, attributes_dtype=ATTRIBUTES)
    if texts:
        fresh.add(entries(list(texts), list(texts.values()), previous=[-1] * len(texts)))
    old, new = index.search(ask("a new", 5)), fresh.search(ask("a new", 5))
    assert old.ids.tolist() == new.ids.tolist() == list(texts)
    for name in ("dense", "context", "lexical", "window", "asks", "answers"):
        np.testing.assert_allclose(getattr(old, name), getattr(new, name), rtol=1e-5, atol=1e-6)


def test_a_large_scope_offers_the_near_the_wordy_and_their_neighbours() -> None:
    count = 20_000
    index = ScopeIndex(full_dim=DIM, dim=6, attributes_dtype=ATTRIBUTES)
    texts = ["moss"] * count
    texts[4000] = "silver key"
    index.add(entries(range(count), texts))
    found = index.search(ask("silver key", number=123))
    assert len(found) < count
    assert {123, 3999, 4000, 4001} <= set(found.ids.tolist())
    assert found.rows.tolist() == sorted(found.rows.tolist())
    assert found.dense_spread.mean == pytest.approx(0, abs=0.05)
    assert found.dense_spread.deviation == pytest.approx(DIM**-0.5, rel=0.15)


def test_an_empty_scope_has_no_candidates() -> None:
    index = ScopeIndex(full_dim=DIM, dim=4, attributes_dtype=ATTRIBUTES)
    assert len(index.search(ask("anything"))) == 0
    index.warm_up()
    assert index.nbytes >= 0


def test_columns_of_different_length_are_refused() -> None:
    good = entries([1, 2], ["a", "b"])
    with pytest.raises(VectorError, match="one length"):
        Entries(**{**vars(good), "previous": good.previous[:1]})
