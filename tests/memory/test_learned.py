from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from romaine import Embedder, RoleplayMemory, Scope, Turn
from romaine.errors import ModelFormatError
from romaine.memory import WeightedRanker
from romaine.memory.features import FEATURES, FIRST, LATE_FEATURES, features_of
from romaine.memory.learned import FEWEST, LEARNED_RANKER, LEAVES, NODES, PARTS, LearnedRanker, Trees
from romaine.memory.ranking import DEFAULT_RANKER, NO_TURN
from tests.memory.test_ranking import QUERY, candidates, signals


def random_trees(count: int = 20, *, late: bool = False) -> Trees:
    rng = np.random.default_rng(3)
    values = np.zeros((count, NODES + LEAVES))
    values[:, NODES:] = rng.normal(size=(count, LEAVES))
    for node in reversed(range(NODES)):
        values[:, node] = values[:, [2 * node + 1, 2 * node + 2]].mean(axis=1)
    return Trees(
        rng.integers(len(LATE_FEATURES if late else FEATURES), size=(count, NODES)),
        rng.normal(size=(count, NODES)).astype(np.float32),
        values,
        late,
    )


def added_by(trees: Trees, rows: np.ndarray) -> np.ndarray:
    return trees.added(trees.leaves(rows))


def walked(trees: Trees, row: np.ndarray) -> float:
    total = 0.0
    for features, thresholds, values in zip(trees.features, trees.thresholds, trees.values, strict=True):
        node = 0
        while node < NODES:
            node = 2 * node + 1 + bool(row[features[node]] > thresholds[node])
        total += values[node] - values[0]
    return total


def test_parts_add_up_to_what_the_trees_say() -> None:
    trees = random_trees()
    rows = np.random.default_rng(1).normal(size=(30, len(FEATURES))).astype(np.float32)
    added = trees.parts(trees.leaves(rows))
    assert added.shape == (30, len(PARTS))
    np.testing.assert_allclose(added_by(trees, rows), added.sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(added.sum(axis=1), [walked(trees, row) for row in rows], atol=1e-9)


def test_a_part_is_what_its_features_say() -> None:
    features, values = np.zeros((1, NODES), np.intp), np.zeros((1, NODES + LEAVES))
    names = list(FEATURES)
    features[0, 0], features[0, 1] = names.index("length"), names.index("near")
    values[0, [2, 5, 6, 11, 12, 13, 14]] = 4
    values[0, [4, 9, 10]] = 2
    thresholds = np.full((1, NODES), np.inf, np.float32)
    thresholds[0, :2] = 0.5
    row = np.zeros((3, len(FEATURES)), np.float32)
    row[1, names.index("near")] = row[2, names.index("length")] = 1
    trees = Trees(features, thresholds, values)
    added, parts = trees.parts(trees.leaves(row)), list(PARTS)
    assert added[:, parts.index("length")].tolist() == [0, 0, 4]
    assert added[:, parts.index("neighbours")].tolist() == [0, 2, 0]
    assert np.count_nonzero(added) == 2


@pytest.mark.parametrize("late", [False, True])
def test_a_file_says_the_same_again(late: bool) -> None:
    trees = random_trees(late=late)
    again = Trees.from_bytes(trees.to_bytes())
    assert again.late is late
    rows = np.random.default_rng(1).normal(size=(9, len(LATE_FEATURES))).astype(np.float32)
    np.testing.assert_allclose(added_by(again, rows), added_by(trees, rows), atol=1e-5)


def test_damage_and_other_features_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_trees().to_bytes()
    for at in range(40, len(data) - 30, 97):
        damaged = bytearray(data)
        damaged[at] ^= 0x55
        try:
            Trees.from_bytes(bytes(damaged))
        except ModelFormatError:
            continue
        # what no checksum covers changes nothing
        assert Trees.from_bytes(bytes(damaged)).features.tolist() == random_trees().features.tolist()
    for wrong in (b"", data[:100], b"{}"):
        with pytest.raises(ModelFormatError, match="damaged"):
            Trees.from_bytes(wrong)
    with monkeypatch.context() as patched:
        patched.setitem(FEATURES, "mood", "mood")
        with pytest.raises(ModelFormatError, match="other features"):
            Trees.from_bytes(data)
    with pytest.raises(ModelFormatError, match="shapes"):
        Trees(np.zeros((1, 2), np.intp), np.zeros((1, 2), np.float32), np.zeros((1, 3)))
    bad = random_trees()
    with pytest.raises(ModelFormatError, match="numbers"):
        replace(bad, features=bad.features + 99)


def test_the_first_are_corrected_and_all_others_stay() -> None:
    count = FIRST + 30
    found = candidates(count, context=np.linspace(3, -3, count, dtype=np.float32))
    known = signals(count, positions=np.arange(count))
    usual = DEFAULT_RANKER.rank(QUERY, found, known)
    ranking = LearnedRanker(trees=random_trees()).rank(QUERY, found, known)
    first = usual.best(FIRST)
    rows = features_of(QUERY, found, known, usual, first)
    added = added_by(random_trees(), rows)
    np.testing.assert_allclose(ranking.scores[first] - usual.scores[first], added, atol=1e-9)
    np.testing.assert_array_equal(ranking.scores[FIRST:], usual.scores[FIRST:])
    np.testing.assert_allclose(sum(ranking.parts.values()), ranking.scores, atol=1e-9)
    for index in (0, 50, FIRST + 3):
        whole = {name: pytest.approx(part[index]) for name, part in ranking.parts.items() if part[index]}
        assert ranking.parts_of(index) == whole


def test_what_is_no_turn_gains_what_the_best_turns_gain() -> None:
    count = FEWEST + 1
    found = candidates(count, context=np.linspace(3, -3, count, dtype=np.float32))
    trees = LearnedRanker(trees=random_trees())
    positions = np.arange(count)
    positions[1] = NO_TURN
    usual = DEFAULT_RANKER.rank(QUERY, found, signals(count))
    ranking = trees.rank(QUERY, found, signals(count, positions=positions))
    gained = ranking.scores - usual.scores
    best = [index for index in usual.best(count) if index != 1][:10]
    assert gained[1] == pytest.approx(gained[best].mean())
    assert gained.any()
    assert sum(ranking.parts_of(1).values()) == pytest.approx(ranking.scores[1])
    np.testing.assert_allclose(sum(ranking.parts.values()), ranking.scores, atol=1e-9)


def test_few_turns_are_left_to_the_weights() -> None:
    found, few = candidates(FEWEST), np.arange(FEWEST)
    few[3] = NO_TURN
    usual = DEFAULT_RANKER.rank(QUERY, found, signals(FEWEST))
    for positions in (few, np.full(FEWEST, NO_TURN), None):
        ranked = LearnedRanker(trees=random_trees()).rank(QUERY, found, signals(FEWEST, positions=positions))
        np.testing.assert_array_equal(ranked.scores, usual.scores)


def test_trees_for_late_interaction_need_it() -> None:
    count, trees = FEWEST + 10, random_trees(late=True)
    found = candidates(count, context=np.linspace(3, -3, count, dtype=np.float32))
    without = signals(count, positions=np.arange(count))
    rng = np.random.default_rng(0)
    own, around = rng.normal(size=(2, count))
    known = replace(without, late=(own + around) / 2, late_own=own, late_around=around)
    usual = DEFAULT_RANKER.rank(QUERY, found, known)
    ranking = LearnedRanker(trees=trees).rank(QUERY, found, known)
    first = usual.best(FIRST)
    rows = features_of(QUERY, found, known, usual, first)
    assert rows.shape == (count, len(LATE_FEATURES))
    np.testing.assert_array_equal(rows[:, -2:], np.column_stack([own, around])[first].astype(np.float32))
    np.testing.assert_allclose((ranking.scores - usual.scores)[first], added_by(trees, rows), atol=1e-9)
    assert (ranking.parts["late"] != usual.parts["late"]).any()
    np.testing.assert_array_equal(
        LearnedRanker(trees=trees).rank(QUERY, found, without).scores,
        DEFAULT_RANKER.rank(QUERY, found, without).scores,
    )
    # trees without look at the sum alone
    plain = LearnedRanker(trees=random_trees()).rank(QUERY, found, known)
    np.testing.assert_array_equal(plain.parts["late"], usual.parts["late"])


def test_a_memory_ranks_by_them_unless_told_otherwise(gem: Embedder) -> None:
    scope = Scope(user="ana", chat="tale")
    lines = ["Where is the silver key?", "Under the step.", "The soup is leek.", "Who has the key?", "Tomas."]
    lines += [f"We have walked {miles} miles." for miles in range(FEWEST)]
    turns = [Turn(line, speaker="Ana", role="user") for line in lines]
    scores = {}
    for name, ranker in (("learned", None), ("asked", LEARNED_RANKER), ("usual", WeightedRanker())):
        with RoleplayMemory(":memory:", embedder=gem, ranker=ranker) as memory:
            memory.add_turns(scope, turns)
            hits = memory.recall("Where is the key?", scope, k=9)
            scores[name] = [(hit.memory.text, hit.score) for hit in hits]
            for hit in hits:
                assert sum(hit.parts.values()) == pytest.approx(hit.score)
            assert ("neighbours" in hits[0].parts) == (name != "usual")
            few = Scope(user="ana", chat="few")
            memory.add_turns(few, turns[: FEWEST - 1])
            assert "neighbours" not in memory.recall("Where is the key?", few, k=1)[0].parts
    assert scores["learned"] == scores["asked"] != scores["usual"]


def test_the_file_is_small() -> None:
    from romaine.memory import learned

    assert len(learned._bundled().to_bytes()) < 300_000
