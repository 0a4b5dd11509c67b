from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.arrays import l2_normalize
from romaine.embedder import Embedder
from romaine.errors import OptionError, UnknownNameError
from romaine.memory import Hit, RoleplayMemory, Scope, Turn, WeightedRanker, Weights, copy, reembed
from romaine.memory.late import FIRST, late
from romaine.memory.store import open_storage
from romaine.memory.token_codec import joined, opened, pack, turned
from romaine.token_vectors import TokenVectors
from tests import postgres

from .conftest import CHAT, said

DIM = 48
QUERY = "Where did you leave the silver key?"
ANA = Scope(user="ana", chat="tavern")
DAY = datetime(2025, 1, 1, tzinfo=timezone.utc)


@pytest.fixture
def where(path: Path, engine: str) -> str | Path:
    return path if engine == "sqlite" else postgres.url_for(path)


@pytest.fixture
def late_memory(where: str | Path, oak: Embedder) -> Iterator[RoleplayMemory]:
    with RoleplayMemory(where, embedder=oak) as opened:
        yield opened


# --- what is computed --------------------------------------------------------------------------------------


def query_of(count: int, seed: int = 0, dim: int = DIM) -> TokenVectors:
    chance = np.random.default_rng([1, seed])
    vectors = l2_normalize(chance.standard_normal((count, dim)))
    rarity = chance.random(count).astype(np.float32) + np.float32(0.1)
    return TokenVectors(np.arange(count), vectors, rarity, np.zeros(4, dtype=np.float32))


def by_hand(query: TokenVectors, blobs: list[bytes | None]) -> float | None:
    """The weighted mean of the highest cosines, token by token; None without any token."""
    tokens = [opened(joined([blob], DIM)[0], DIM) for blob in blobs if blob]
    if not tokens or not len(query.ids):
        return None
    unit = l2_normalize(np.concatenate(tokens))
    best = [max(float(token @ asked) for token in unit) for asked in turned(query.vectors)]
    return float(np.average(best, weights=query.rarity))


@given(
    asked=st.integers(0, 5),
    sizes=st.lists(st.integers(0, 6), min_size=1, max_size=7),
    missing=st.sets(st.integers(0, 6)),
)
def test_it_is_the_weighted_mean_of_the_highest_cosines(
    asked: int, sizes: list[int], missing: set[int]
) -> None:
    query = query_of(asked)
    blobs = {
        row: pack(l2_normalize(np.random.default_rng(row).standard_normal((size, DIM))))
        for row, size in enumerate(sizes)
        if row not in missing
    }
    rows = range(len(sizes))
    lines = np.array([(row, row - 1, row + 1 if row + 1 < len(sizes) else -1) for row in rows])
    found = late(query, np.arange(len(sizes))[::-1], lines, blobs)
    assert found.indices.tolist() == list(reversed(rows))
    assert found.own.dtype == found.around.dtype == np.float32
    for row, (own, around) in enumerate(zip(found.own, found.around, strict=True)):
        near = [blobs.get(each) for each in lines[row]]
        assert own == pytest.approx(by_hand(query, near[:1]) or 0, abs=1e-4)
        assert around == pytest.approx(by_hand(query, near) or 0, abs=1e-4)


def test_those_not_looked_at_stand_where_the_last_one_does() -> None:
    query = query_of(3)
    blobs = {row: pack(l2_normalize(np.random.default_rng(row).standard_normal((4, DIM)))) for row in (0, 1)}
    found = late(query, np.array([4, 1]), np.array([(0, -1, -1), (1, -1, -1)]), blobs)
    every = found.standing(6, found.spread)
    assert every.shape == (3, 6)
    for standing in every:
        assert standing.min() == standing[0] == standing[2] == standing[3] == standing[5]
        assert sorted((standing[4], standing[1]))[0] == standing.min()
    standing, own, around = every
    np.testing.assert_allclose(standing, (own + around) / 2, atol=1e-6)
    assert (own <= around).all()
    assert standing[[4, 1]].mean() == pytest.approx(0, abs=1e-9)


# --- in a memory -------------------------------------------------------------------------------------------


def told(hits: list[Hit]) -> dict[str, float]:
    return {hit.memory.text: hit.parts.get("late", 0.0) for hit in hits}


def test_a_hit_says_what_late_interaction_adds(late_memory: RoleplayMemory, scope: Scope) -> None:
    late_memory.add_turns(scope, CHAT)
    hits = late_memory.recall(QUERY, scope, k=9)
    assert hits[0].memory.text == CHAT[0].text
    assert hits[0].parts["late"] == max(told(hits).values()) > 0
    for hit in hits:
        assert sum(hit.parts.values()) == pytest.approx(hit.score)
    explained = late_memory.recall(QUERY, scope, k=1, explain=True)
    assert {left.reason for left in explained.rejected} == {"rank"}
    assert {left.memory.text: left.parts["late"] for left in explained.rejected}.items() < told(hits).items()


def test_it_is_off_for_models_without_tokens(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    assert all("late" not in hit.parts for hit in memory.recall(QUERY, scope, k=9))


def test_stored_and_computed_are_the_same(
    late_memory: RoleplayMemory, oak: Embedder, scope: Scope, tmp_path: Path
) -> None:
    late_memory.add_turns(scope, CHAT)
    late_memory.add_fact(scope, "The key is silver.")
    found = late_memory.recall(QUERY, scope, k=9)
    with RoleplayMemory(tmp_path / "x.db", embedder=oak, late_interaction="computed") as computing:
        computing.add_turns(scope, CHAT)
        computing.add_fact(scope, "The key is silver.")
        assert told(computing.recall(QUERY, scope, k=9)) == pytest.approx(told(found), abs=1e-4)
        with computing._store.storage.read() as snapshot:
            assert snapshot.token_vectors(range(1, 9)) == {}
    with late_memory._store.storage.read() as snapshot:
        assert len(snapshot.token_vectors(range(1, 9))) == 5


def test_a_memory_keeps_to_what_was_said_of_it(path: Path, oak: Embedder, scope: Scope) -> None:
    with RoleplayMemory(path, embedder=oak, late_interaction="off") as memory:
        memory.add_turns(scope, CHAT[:2])
    with RoleplayMemory(path, embedder=oak) as memory:
        assert set(told(memory.recall(QUERY, scope)).values()) == {0.0}
    with RoleplayMemory(path, embedder=oak, late_interaction="stored") as memory:
        memory.add_turns(scope, CHAT[2:])
        before = told(memory.recall(QUERY, scope))
        assert len(set(before.values())) == 4  # what is not stored yet is computed
        with memory._store.storage.read() as snapshot:
            assert len(snapshot.token_vectors(range(1, 9))) == 2
        memory.reembed()
        with memory._store.storage.read() as snapshot:
            assert len(snapshot.token_vectors(range(1, 9))) == 4
        assert told(memory.recall(QUERY, scope)) == pytest.approx(before, abs=1e-4)
        assert memory.verify().is_sound
    with RoleplayMemory(path, embedder=oak) as memory:
        assert told(memory.recall(QUERY, scope)) == pytest.approx(before, abs=1e-4)
    with RoleplayMemory(path, embedder=oak, read_only=True, late_interaction="off") as memory:
        assert set(told(memory.recall(QUERY, scope)).values()) == {0.0}
    with RoleplayMemory(path, embedder=oak) as memory:
        assert len(set(told(memory.recall(QUERY, scope)).values())) == 4


def test_a_model_without_tokens_cannot_be_told_to(path: Path, gem: Embedder) -> None:
    for wanted in ("stored", "computed"):
        with pytest.raises(OptionError, match="little-gem gives none; choose a late-interaction model"):
            RoleplayMemory(path, embedder=gem, late_interaction=wanted)
    with pytest.raises(UnknownNameError, match="late interaction 'on'"):
        RoleplayMemory(path, embedder=gem, late_interaction="on")
    RoleplayMemory(path, embedder=gem, late_interaction="off").close()


def test_another_embedder_brings_its_tokens_or_takes_them_away(
    path: Path, gem: Embedder, oak: Embedder, scope: Scope
) -> None:
    def stored() -> int:
        with closing(open_storage(path)) as storage, storage.read() as snapshot:
            return len(snapshot.token_vectors(range(1, 99)))

    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
    assert stored() == 0
    reembed(path, oak, batch_size=2)
    assert stored() == 4
    with RoleplayMemory(path, embedder=oak) as memory, RoleplayMemory(":memory:", embedder=oak) as fresh:
        fresh.add_turns(scope, CHAT)
        found = told(memory.recall(QUERY, scope))
        assert found == pytest.approx(told(fresh.recall(QUERY, scope)), abs=1e-4)
        memory.reembed(gem)
        assert set(told(memory.recall(QUERY, scope)).values()) == {0.0}
    assert stored() == 0


def test_a_copy_has_them_too(
    late_memory: RoleplayMemory, oak: Embedder, scope: Scope, tmp_path: Path
) -> None:
    late_memory.add_turns(scope, CHAT)
    found = told(late_memory.recall(QUERY, scope))
    for target in (tmp_path / "copy.db", postgres.url_for(tmp_path / "copy")):
        assert copy(late_memory._store.storage, target).rows == 4
        with RoleplayMemory(target, embedder=oak) as there:
            with there._store.storage.read() as snapshot:
                assert len(snapshot.token_vectors(range(1, 9))) == 4
            assert told(there.recall(QUERY, scope)) == pytest.approx(found)


def test_a_file_of_the_release_before_gets_its_table(
    path: Path, oak: Embedder, gem: Embedder, scope: Scope
) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
        with memory._store.storage.write() as change:
            for statement in ("DROP TABLE next_token", "DROP TABLE token", "PRAGMA user_version = 3"):
                change.connection.execute(statement)
    with RoleplayMemory(path, embedder=gem) as memory:
        assert len(memory.recall(QUERY, scope)) == 4
        assert memory.verify().is_sound
        memory.reembed(oak)
        assert len(set(told(memory.recall(QUERY, scope)).values())) == 4


# --- nobody lends what another should not see --------------------------------------------------------------


def turns_of(*texts: str, first: int = 0, **fields: object) -> list[Turn]:
    return [
        replace(said(text, str(first + n), **fields), at=DAY + timedelta(days=first + n))
        for n, text in enumerate(texts)
    ]


COMMON = turns_of("The rain came early.", "The song goes on.", "We sail at dawn, they say.")
SECRET = turns_of("I left the silver key behind the clock.", first=3)
LAST = turns_of("Nobody will find it there.", first=4)


def same_as_without(
    memory: RoleplayMemory, oak: Embedder, scope: Scope, *, k: int = 9, **options: object
) -> None:
    """Checks that a recall scores as in a memory that never had the secret."""
    with RoleplayMemory(":memory:", embedder=oak) as without:
        without.add_turns(ANA, COMMON)
        without.add_turns(ANA, LAST)
        expected = told(without.recall(QUERY, replace(scope, chat="tavern"), k=k))
    assert told(memory.recall(QUERY, scope, k=k, **options)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("how", ["stored", "computed"])
@pytest.mark.parametrize("as_scope", [True, False])
def test_a_turn_that_was_not_witnessed_lends_nothing(
    where: str | Path, oak: Embedder, how: str, as_scope: bool
) -> None:
    with RoleplayMemory(where, embedder=oak, late_interaction=how) as memory:
        memory.add_turns(ANA, COMMON)
        if as_scope:
            memory.add_turns(ANA, SECRET, known_by={"Brona"})
        memory.add_turns(ANA, LAST)
        if not as_scope:  # for which the chat ends at what was not witnessed
            memory.add_turns(ANA, SECRET, known_by={"Brona"})
        with_it = told(memory.recall(QUERY, ANA, k=9))
        assert with_it[LAST[0].text] > 0  # the turn next to it is the answer
        if as_scope:
            same_as_without(memory, oak, replace(ANA, character="Cassian"))
        else:
            same_as_without(memory, oak, ANA, as_character="Cassian")


@pytest.mark.parametrize("how", ["stored", "computed"])
def test_a_turn_that_was_taken_back_lends_nothing(where: str | Path, oak: Embedder, how: str) -> None:
    with RoleplayMemory(where, embedder=oak, late_interaction=how) as memory:
        memory.add_turns(ANA, [*COMMON, *SECRET, *LAST])
        assert told(memory.recall(QUERY, ANA, k=9))[LAST[0].text] > 0
        fork = memory.branch(ANA, at=9, to_chat="fork")
        memory.retract(fork, ["3"])
        same_as_without(memory, oak, fork)
        assert told(memory.recall(QUERY, ANA, k=9))[LAST[0].text] > 0
        memory.retract(ANA, ["3"])
        same_as_without(memory, oak, ANA)
        same_as_without(memory, oak, fork)


def test_a_turn_in_other_words_lends_those(where: str | Path, oak: Embedder) -> None:
    with RoleplayMemory(where, embedder=oak) as memory, RoleplayMemory(":memory:", embedder=oak) as fresh:
        memory.add_turns(ANA, [*COMMON, *SECRET, *LAST])
        memory.recall(QUERY, ANA, k=9)  # its tokens are at hand now
        changed = turns_of("I left the golden cup behind the door.", first=3)
        memory.add_turns(ANA, changed)
        fresh.add_turns(ANA, [*COMMON, *changed, *LAST])
        assert told(memory.recall(QUERY, ANA, k=9)) == pytest.approx(
            told(fresh.recall(QUERY, ANA, k=9)), abs=1e-5
        )


@pytest.mark.parametrize(
    "options",
    [
        {"speakers": ["Cassian"]},
        {"without_sources": ["3"]},
        {"where": lambda memory: "key" not in memory.text},
    ],
)
def test_a_turn_that_is_not_wanted_lends_nothing(
    late_memory: RoleplayMemory, oak: Embedder, options: dict[str, object]
) -> None:
    secret = [replace(SECRET[0], speaker="Ana")]
    late_memory.add_turns(ANA, [*COMMON, *secret, *LAST])
    found = told(late_memory.recall(QUERY, ANA, k=9, **options))
    assert SECRET[0].text not in found
    assert found[LAST[0].text] < 1
    everything = told(late_memory.recall(QUERY, ANA, k=9))
    assert everything[LAST[0].text] - min(everything.values()) > found[LAST[0].text] - min(found.values())


def test_what_came_later_lends_nothing(late_memory: RoleplayMemory, oak: Embedder) -> None:
    late_memory.add_turns(ANA, [*COMMON, *SECRET])
    then = told(late_memory.recall(QUERY, ANA, k=9, as_of=2))
    with RoleplayMemory(":memory:", embedder=oak) as before:
        before.add_turns(ANA, COMMON)
        assert then == pytest.approx(told(before.recall(QUERY, ANA, k=9)), abs=1e-5)


# --- how it goes along with everything else ----------------------------------------------------------------


def test_a_vector_from_elsewhere_needs_no_model(late_memory: RoleplayMemory, oak: Embedder) -> None:
    late_memory.add_turns(ANA, CHAT)
    vector = oak.with_dim(None).embed_query(QUERY)
    assert set(told(late_memory.recall(QUERY, ANA, vector=vector)).values()) == {0.0}


def test_messages_of_a_chat(late_memory: RoleplayMemory) -> None:
    late_memory.add_turns(ANA, CHAT)
    one = late_memory.recall(QUERY, ANA, k=9)
    several = late_memory.recall(["Good night.", QUERY], ANA, k=9)
    assert told(one) == pytest.approx(told(several))
    assert set(told(late_memory.recall("", ANA, k=9)).values()) == {0.0}


def test_a_weight_decides_how_much_it_counts(path: Path, oak: Embedder) -> None:
    parts = []
    for weight in (0.0, 1.0, 3.0):
        ranker = WeightedRanker(Weights(late=weight))
        with RoleplayMemory(path, embedder=oak, ranker=ranker) as memory:
            memory.add_turns(ANA, CHAT)
            parts.append(told(memory.recall(QUERY, ANA, k=9)))
    assert set(parts[0].values()) == {0.0}
    assert {text: 3 * part for text, part in parts[1].items()} == pytest.approx(parts[2])


def test_only_the_first_candidates_are_compared(late_memory: RoleplayMemory) -> None:
    late_memory.add_turns(ANA, turns_of(*(f"verse {n} of the song" for n in range(FIRST + 30))))
    found = late_memory.recall("verse of the song", ANA, k=FIRST + 30)
    parts = [hit.parts["late"] for hit in found]
    assert parts.count(min(parts)) > 30


def test_tokens_at_hand_are_part_of_the_index(late_memory: RoleplayMemory) -> None:
    late_memory.add_turns(ANA, CHAT)
    late_memory.recall("", ANA)
    before = late_memory.index_bytes
    late_memory.recall(QUERY, ANA)
    assert late_memory.index_bytes > before


def test_damaged_tokens_are_made_anew(path: Path, oak: Embedder) -> None:
    with RoleplayMemory(path, embedder=oak) as memory:
        memory.add_turns(ANA, CHAT)
        found = told(memory.recall(QUERY, ANA))
        with memory._store.storage.write() as change:
            change.connection.execute("UPDATE token SET tokens = x'0000' WHERE no = 1")
    with RoleplayMemory(path, embedder=oak) as memory:
        assert told(memory.recall(QUERY, ANA)) == pytest.approx(found, abs=1e-4)
        assert len(memory.verify().damaged) == 1
        assert memory.repair() == 1
        assert memory.verify().is_sound
        assert told(memory.recall(QUERY, ANA)) == pytest.approx(found, abs=1e-4)


def test_a_model_that_is_moved_is_still_its_own(oak: Embedder, tmp_path: Path, path: Path) -> None:
    with RoleplayMemory(path, embedder=oak) as memory:
        memory.add_turns(ANA, CHAT)
    shutil.copytree(oak.opened.local.folder, tmp_path / "elsewhere")
    with RoleplayMemory(path, embedder=Embedder(tmp_path / "elsewhere", dim=8)) as memory:
        assert len(set(told(memory.recall(QUERY, ANA)).values())) == 4
