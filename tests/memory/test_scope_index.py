from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.arrays import FloatArray, l2_normalize
from romaine.memory.candidates import Candidates, Entries
from romaine.memory.language import DEFAULT
from romaine.memory.query import Query, build_query
from romaine.memory.scope_index import ScopeIndex
from romaine.memory.terms import term_ids

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
        terms=[term_ids(text, DEFAULT) for text in texts],
        previous=np.array(before, dtype=np.int64),
        attributes=np.array([(i * 10,) for i in ids], dtype=ATTRIBUTES),
    )


def chat(*texts: str, first: int = 1) -> ScopeIndex:
    index = ScopeIndex(full_dim=DIM, dim=4, attributes_dtype=ATTRIBUTES)
    index.add(entries(range(first, first + len(texts)), texts))
    return index


def ask(text: str, number: int = 0) -> Query:
    return build_query(text, lambda texts: np.stack([vector(number) for _ in texts]), DEFAULT)


def by_id(candidates: Candidates, values: np.ndarray) -> dict[int, float]:
    return dict(zip(candidates.ids.tolist(), values.tolist(), strict=True))


def test_every_memory_comes_with_both_cosines_in_order() -> None:
    index = chat("one", "two", "three")
    found = index.search(ask("two", number=2))
    assert found.ids.tolist() == [1, 2, 3]
    assert by_id(found, found.dense)[2] == pytest.approx(1)
    assert by_id(found, found.context)[3] == pytest.approx(float(vector(1003) @ vector(2)), abs=1e-6)
    assert len(found) == 3


def test_candidates_come_by_id_whenever_they_were_added() -> None:
    index = chat("one", "two", first=5)
    index.add(entries([1, 2], ["three", "four"]))
    found = index.search(ask("two", number=6))
    assert found.ids.tolist() == [1, 2, 5, 6]
    assert by_id(found, found.dense)[6] == pytest.approx(1)
    assert by_id(found, found.lexical)[6] > 0


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


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_update_of_any_turn_leaves_all_links_as_they_were(number: int) -> None:
    texts = ["Where is it?", "Who has the silver?", "silver", "Is it the key?"]
    index = chat(*texts)
    index.update(entries([number], [texts[number - 1]], previous=[number - 1 or -1]))
    assert_same(index.search(ask("silver key")), chat(*texts).search(ask("silver key")))


def test_a_turn_that_follows_another_now_is_linked_with_that_one_alone() -> None:
    texts = {1: "silver?", 2: "key?", 3: "moss"}
    index = chat(*texts.values())
    index.relink([np.array([0, 2])])
    for query in ("silver", "key", "moss"):
        assert_same(index.search(ask(query)), loaded(texts, {3: 1}).search(ask(query)))


def test_every_part_is_counted_in_its_size() -> None:
    index = chat(*(f"word{i}" for i in range(50)))
    vectors = 50 * (2 * DIM + 4) * 4  # full ones with and without context, and slices of those without
    by_row = sum(column.nbytes for column in index._columns)
    assert index._vectors.nbytes + index._context.nbytes == vectors
    assert index.nbytes == vectors + by_row + index._lexical.nbytes + index._links.nbytes + 100 * 50


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


FIGURES = ("dense", "context", "lexical", "window", "asks", "answers")


def assert_same(found: Candidates, expected: Candidates) -> None:
    assert found.ids.tolist() == expected.ids.tolist()
    for name in FIGURES:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-5, atol=1e-5)
    for name in ("best_possible", "known_share"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-5)
    for name in ("dense_spread", "context_spread"):
        for figure in ("mean", "deviation"):
            value = getattr(getattr(expected, name), figure)
            assert getattr(getattr(found, name), figure) == pytest.approx(value, abs=1e-5)
    assert found.unknown_name == expected.unknown_name


def loaded(texts: dict[int, str], previous: dict[int, int]) -> ScopeIndex:
    """An index of everything at once, in the order of the ids, as it is read from a file."""
    index = ScopeIndex(full_dim=DIM, dim=4, attributes_dtype=ATTRIBUTES)
    if texts:
        ids = sorted(texts)
        index.add(entries(ids, [texts[i] for i in ids], previous=[previous.get(i, -1) for i in ids]))
    return index


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "update", "remove"]), st.integers(1, 12), st.sampled_from("abc?")),
        max_size=25,
    ),
    st.permutations(range(1, 13)),
)
def test_any_history_of_changes_searches_like_a_new_index(
    steps: list[tuple[str, int, str]], story: list[int]
) -> None:
    index = ScopeIndex(full_dim=DIM, dim=4, attributes_dtype=ATTRIBUTES)
    texts: dict[int, str] = {}
    previous = dict(zip(story[1:], story, strict=False))  # whether that turn is there or not
    for action, number, text in steps:
        before = [previous.get(number, -1)]
        if action == "add" and number not in texts:
            index.add(entries([number], [text], previous=before))
            texts[number] = text
        elif action == "update" and number in texts:
            index.update(entries([number], [text + " new"], previous=before))
            texts[number] = text + " new"
        elif action == "remove":
            index.remove(np.array([number]))
            texts.pop(number, None)
    fresh = loaded(texts, previous)
    assert_same(index.search(ask("a Bold new", 5)), fresh.search(ask("a Bold new", 5)))


def test_a_turn_put_between_two_others_parts_them() -> None:
    index = chat("one", "two")
    index.add(entries([3], ["silver"], previous=[1]))
    index.update(entries([2], ["two"], previous=[3]))
    fresh = loaded({1: "one", 2: "two", 3: "silver"}, {3: 1, 2: 3})
    assert_same(index.search(ask("one silver")), fresh.search(ask("one silver")))


words = st.lists(st.sampled_from(["silver", "key", "moss?", "Vale", "door"]), max_size=4).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(words, st.booleans(), st.booleans()), max_size=12))
def test_what_is_not_known_has_no_part_in_any_figure(rows: list[tuple[str, bool, bool]]) -> None:
    texts = {i: text for i, (text, _, _) in enumerate(rows, 1)}
    known = np.array([there for _, there, _ in rows], dtype=np.bool_)
    mask = np.array([asked for _, _, asked in rows], dtype=np.bool_)
    follows = {i: i - 1 for i in texts}
    index = loaded(texts, follows)
    alone = loaded({i: text for i, text in texts.items() if known[i - 1]}, follows)
    query = ask("Is the key in the silver Vale?", 3)
    assert_same(index.search(query, known=known), alone.search(query))
    assert_same(index.search(query, known=known, mask=mask), alone.search(query, mask=mask[known]))


def test_a_large_scope_grown_in_any_order_has_the_same_spread_as_one_loaded() -> None:
    count = 17_000
    ids = np.random.default_rng(0).permutation(np.arange(1, count + 1))
    grown = ScopeIndex(full_dim=DIM, dim=6, attributes_dtype=ATTRIBUTES)
    fresh = ScopeIndex(full_dim=DIM, dim=6, attributes_dtype=ATTRIBUTES)
    for part in (ids[:9000], ids[9000:], np.arange(count + 1, count + 100)):
        grown.add(entries(part.tolist(), ["moss"] * len(part), previous=[-1] * len(part)))
    grown.remove(np.arange(count + 1, count + 100))
    fresh.add(entries(range(1, count + 1), ["moss"] * count, previous=[-1] * count))
    known = np.arange(count) % 200 != 3  # all but a few: still a large scope
    query = ask("moss", 77)
    assert_same(grown.search(query), fresh.search(query))
    inside = (
        known[grown.ids - 1] if len(grown.ids) == count else np.append(known, [False] * 99)[grown.ids - 1]
    )
    assert_same(grown.search(query, known=inside), fresh.search(query, known=known))


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
