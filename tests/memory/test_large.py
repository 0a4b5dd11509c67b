"""Scopes that a server searches by itself give what an index in memory gives."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from romaine.embedder import Embedder
from romaine.errors import OptionError, OtherEmbedderError
from romaine.memory import RoleplayMemory, Scope, copy, index_large, reembed
from tests import postgres

from .conftest import said

WORLD = Scope(user="world", character="Cassian", chat="all")
LORE = Scope(user="world")
SMALL = Scope(user="small", chat="den")
WORDS = [
    "silver",
    "key",
    "harbour",
    "lantern",
    "gate",
    "winter",
    "king",
    "tower",
    "sister",
    "ship",
    "bread",
    "song",
    "letter",
    "garden",
    "wolf",
    "river",
    "money",
    "horse",
    "friend",
    "temple",
    "road",
    "night",
    "market",
    "sword",
    "promise",
]
QUESTIONS = (
    "Where is the silver key?",
    "Who owes money to the harbour?",
    "a song for my sister",
    "Lena",
    "xyz",
)


def sentences(count: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    return [
        f"{' '.join(chance.choices(WORDS, k=chance.randint(3, 9)))}{chance.choice('.?!')}"
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def pair(gem: Embedder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The same memories in a file and on a server that searches them itself."""
    folder = tmp_path_factory.mktemp("large")
    path, url = folder / "memories.db", postgres.url_for(folder)
    chance = random.Random(7)
    with RoleplayMemory(path, embedder=gem) as memory:
        lines = sentences(400, 1)
        for start in range(0, 400, 40):
            speaker = chance.choice(["Lena", "Odo", "Cassian"])
            known = ["Cassian"] if start == 80 else ["Odo", "Žofie"] if start == 120 else []
            turns = [
                said(line, f"{start}-{n}", speaker=speaker)
                for n, line in enumerate(lines[start : start + 40])
            ]
            memory.add_turns(WORLD, turns, known_by=known)
        for line in sentences(60, 2):
            memory.add_lore(LORE, line, importance=chance.random())
        first = memory.add_fact(WORLD, "The silver key is under the step.")
        memory.add_fact(WORLD, "The silver key is in the tower.", supersedes=first.memory.id)
        memory.add_turns(SMALL, [said(line, str(n)) for n, line in enumerate(sentences(30, 3))])
        memory.branch(WORLD, at=200, to_chat="fork")
        memory.forget(WORLD, memory.list(WORLD)[50].id)
    copy(path, url)
    told: list[tuple[int, int]] = []
    assert index_large(url, rows=50, progress=lambda *now: told.append(now)) == told[-1][0] == told[-1][1]
    return path, url


def both(pair: tuple[Path, str], gem: Embedder) -> tuple[RoleplayMemory, RoleplayMemory]:
    return RoleplayMemory(pair[0], embedder=gem), RoleplayMemory(pair[1], embedder=gem)


OPTIONS = (
    {},
    {"kinds": ["lore"]},
    {"kinds": ["fact"], "include_superseded": True},
    {"speakers": ["Odo"]},
    {"as_character": "Odo"},
    {"as_character": "Žofie"},
    {"as_of": 100},
    {"as_of": datetime.now(timezone.utc) + timedelta(days=1)},
    {"include_superseded": True},
    {"neighbours": 1, "token_budget": 60},
    {"min_score": "auto"},
    {"where": lambda memory: "king" in memory.text},
    {"without_sources": ["40-3", "40-4"]},
    {"diversity": 2},
    {"dim": 32},
)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
def test_a_server_finds_what_memory_finds(pair, gem, options):
    file, server = both(pair, gem)
    with file, server:
        shared: list[float] = []
        for scope in (WORLD, LORE, Scope(user="world", character="Lena", chat="fork")):
            for question in QUESTIONS:
                ours = [(h.memory.id, h.memory.text) for h in file.recall(question, scope, k=8, **options)]
                theirs = [
                    (h.memory.id, h.memory.text) for h in server.recall(question, scope, k=8, **options)
                ]
                assert len(ours) == len(theirs)
                shared.append(len(set(ours) & set(theirs)) / len(ours) if ours else 1.0)
                assert len(set(ours) & set(theirs)) >= len(ours) - 2, (question, scope)
        assert np.mean(shared) > 0.95
        assert server.index_bytes < 1000  # nothing was loaded


@pytest.mark.parametrize("how", ["stored", "computed"])
def test_a_server_compares_tokens_as_memory_does(oak: Embedder, how: str, tmp_path: Path) -> None:
    path, url = tmp_path / "memories.db", postgres.url_for(tmp_path)
    with RoleplayMemory(path, embedder=oak, late_interaction=how) as file:
        file.add_turns(WORLD, [said(line, str(n)) for n, line in enumerate(sentences(150, 8))])
        copy(path, url)
        assert index_large(url, rows=50, dim=8) == 150
        with RoleplayMemory(url, embedder=oak) as server:
            for options in ({}, {"speakers": ["Cassian"]}, {"as_of": 70}):
                for question in QUESTIONS[:3]:
                    ours, theirs = (
                        {
                            hit.memory.text: hit.parts["late"]
                            for hit in memory.recall(question, WORLD, **options)
                        }
                        for memory in (file, server)
                    )
                    shared = ours.keys() & theirs.keys()
                    assert len(shared) >= 4
                    # over other candidates they stand otherwise, but in the same order
                    assert sorted(shared, key=ours.get) == sorted(shared, key=theirs.get)
            server.add_turns(WORLD, [said("wolf and wolf", "3")])
            hits = server.recall("wolf and wolf", WORLD, k=50)
            found = {hit.memory.text: hit.parts["late"] for hit in hits}
            assert found["wolf and wolf"] == max(found.values()) > 1


def counted(schema: Path) -> tuple[object, ...]:
    """What BM25 counts, as it is kept, and as it is when counted anew."""
    return tuple(
        postgres.execute(schema, query)[0]
        for query in (
            "SELECT sum(rows), sum(tokens), (SELECT sum(documents) FROM large_term) FROM large_space",
            """SELECT count(*), sum(cardinality(v.terms)), (SELECT count(*) FROM (
                SELECT DISTINCT v.no, t FROM vector v JOIN large_user USING (owner), unnest(v.terms) t) d)
                FROM vector v JOIN large_user u USING (owner)""",
            "SELECT count(*), sum(cardinality(terms)), (SELECT count(*) FROM large_posting) FROM large_row",
        )
    )


def test_writes_keep_the_index(gem: Embedder, tmp_path: Path) -> None:
    url = postgres.url_for(tmp_path)
    other = Embedder(dim=64, document_prompt="passage: ")
    with RoleplayMemory(url, embedder=gem) as memory:
        memory.add_turns(WORLD, [said(line, str(n)) for n, line in enumerate(sentences(80, 4))])
        memory.add_turns(SMALL, [said(line, str(n)) for n, line in enumerate(sentences(20, 5))])
        assert index_large(url, rows=50) == 80
        memory.add_turns(WORLD, [said("A heron stands in the reeds.", "new"), said("bread and bread", "7")])
        memory.forget(WORLD, memory.list(WORLD)[3].id)
        memory.add_fact(WORLD, "The heron is grey.")
        kept, anew, rows = counted(tmp_path)
        assert kept == anew == rows
        for question in ("What stands in the reeds?", "heron"):
            assert any("heron" in hit.memory.text for hit in memory.recall(question, WORLD, k=3))
        assert index_large(url, rows=50) == 0
        reembed(url, other)
        with pytest.raises(OtherEmbedderError):
            memory.recall("heron", WORLD)
    with RoleplayMemory(url, embedder=other) as memory:
        loaded = memory.recall("heron", WORLD, k=3)  # by what is loaded, until it is indexed anew
        assert memory.index_bytes > 10_000
        assert index_large(url, rows=50) == 81
        kept, anew, rows = counted(tmp_path)
        assert kept == anew == rows
        assert {hit.memory.id for hit in memory.recall("heron", WORLD, k=2)} <= {h.memory.id for h in loaded}


def test_a_small_tenant_among_large_ones_gets_its_ten(gem: Embedder, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("romaine.memory.postgres.large.EXACT_ROWS", 5)  # so that the index is asked
    url = postgres.url_for(tmp_path)
    with RoleplayMemory(url, embedder=gem) as memory:
        for user in range(3):
            turns = [said(line, str(n)) for n, line in enumerate(sentences(700, 10 + user))]
            memory.add_turns(Scope(user=f"large {user}", chat="x"), turns)
        memory.add_turns(SMALL, [said(line, str(n)) for n, line in enumerate(sentences(30, 3))])
        lone = Scope(user="large 1", chat="y")
        memory.add_turns(lone, [said(line, str(n)) for n, line in enumerate(sentences(12, 6))])
        exact = {q: [h.memory.id for h in memory.recall(q, SMALL, k=10)] for q in QUESTIONS}
        assert index_large(url, rows=10) == 2142
        for question in QUESTIONS:
            found = [hit.memory.id for hit in memory.recall(question, SMALL, k=10)]
            assert len(found) == 10
            assert len(set(found) & set(exact[question])) >= 9
            assert len(memory.recall(question, lone, k=10)) == 10
            assert len(memory.recall(question, lone, k=10, speakers=["Cassian"])) == 10


def test_nothing_crosses_to_another_user(gem: Embedder, tmp_path: Path) -> None:
    url = postgres.url_for(tmp_path)
    with RoleplayMemory(url, embedder=gem) as memory:
        for user in ("ana", "ben"):
            memory.add_turns(Scope(user=user), [said(f"{user} {line}", line) for line in sentences(40, 8)])
        index_large(url, rows=10)
        for question in QUESTIONS:
            hits = memory.recall(question, Scope(user="ana"), k=80)
            assert len(hits) == 40
            assert {hit.memory.scope.user for hit in hits} == {"ana"}


def test_a_file_is_loaded(tmp_path: Path, gem: Embedder) -> None:
    RoleplayMemory(tmp_path / "memories.db", embedder=gem).close()
    with pytest.raises(OptionError, match="only a server"):
        index_large(tmp_path / "memories.db")
    with pytest.raises(OptionError, match="dim=999"):
        index_large(tmp_path / "memories.db", dim=999)
