"""Scopes that a server searches by itself give what an index in memory gives."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope, copy, index_large
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
        for n, line in enumerate(sentences(60, 2)):
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
