"""What must be true of a file after its writer was killed."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from romaine.embedder import Embedder
from romaine.errors import OtherEmbedderError
from romaine.memory import Memory, RoleplayMemory, Scope, Turn
from romaine.memory.store import is_there

from .vectors import stale_vectors
from .writers import Nursery, other_embedder, scope_of, state_after, state_of

DATA = Path(__file__).with_name("data")
OLD_FILE = DATA / "memory-v1.db"
EXPECTED: list[dict[str, Any]] = json.loads((DATA / "memory-v1.json").read_text(encoding="utf-8"))


@dataclass
class Killed:
    """What was done: writers killed, and writes they were told are there."""

    kills: int = 0
    acknowledged: int = 0


def kill_lives(path: Path | str, gem: Embedder, kills: int, nursery: Nursery, seed: int = 0) -> Killed:
    """Kills writers of turns, forks, edits and deletions that share a file, or a database.

    Raises:
        AssertionError: If what was acknowledged is missing or something is there by half.
    """
    chance, result = random.Random(f"lives {seed}"), Killed()
    held: dict[int, int] = {}
    for life in range(kills):
        done = len(
            nursery.raise_and_kill(
                "live", path, life=life, after=chance.randint(0, 9), seconds=chance.uniform(0, 0.02)
            )
        )
        result.kills += 1
        result.acknowledged += done
        with RoleplayMemory(path, embedder=gem) as memory:
            found = state_of(memory, life, done + 1)
            possible = [n for n in (done, done + 1) if _shown(n) == found]
            assert possible, f"life {life} was told of {done} writes, and the file holds {found}"
            held[life] = possible[0]
            earlier = chance.choice(list(held))
            assert state_of(memory, earlier, held[earlier]) == _shown(held[earlier])
            if life % 25 == 24 or life == kills - 1:
                assert memory.verify().is_sound
                assert memory.recall("batch", scope_of(earlier)) or not _shown(held[earlier])
    wrong = _stale_vectors(path, gem)
    assert not wrong, wrong[:3]
    return result


def _stale_vectors(path: Path | str, embedder: Embedder) -> list[str]:
    """What is wrong with the vectors of a file; a database's are told from their rows by `verify` alone."""
    return stale_vectors(path, embedder, path.parent) if isinstance(path, Path) else []


def _clear(path: Path | str) -> None:
    """Takes away a file, or all that is in a database's schema."""
    if isinstance(path, Path):
        path.unlink(missing_ok=True)
        return
    with psycopg.connect(path.rpartition("schema=")[0].rstrip("?&"), autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {path.rpartition('schema=')[2]} CASCADE")


def _shown(steps: int) -> dict[str, list[tuple[str, str]]]:
    return {chat: lines for chat, lines in state_after(steps).items() if lines}


def kill_embedding(path: Path | str, gem: Embedder, kills: int, nursery: Nursery, seed: int = 0) -> Killed:
    """Kills what brings a file over to another embedder, while turns are written between.

    Raises:
        AssertionError: If the file is not wholly the old or wholly the new embedder's, or lost a turn.
    """
    chance, result = random.Random(f"embedding {seed}"), Killed()
    scope, other = Scope(user="ana", chat="long"), other_embedder()
    said: list[str] = []
    _clear(path)
    while result.kills < kills:
        if not is_there(path):
            said = [f"line {n} of the song" for n in range(40)]
            with RoleplayMemory(path, embedder=gem) as memory:
                memory.add_turns(scope, [Turn(text, speaker="x", role="user") for text in said])
        done = nursery.raise_and_kill(
            "embed again", path, after=chance.randint(0, 24), seconds=chance.uniform(0, 0.01)
        )
        result.kills += 1
        result.acknowledged += len(done)
        holder, memory = _open(path, gem, other)
        with memory:
            assert holder is other or -1 not in done, "the switch was told to be done"
            assert [m.text for m in memory.list(scope)] == said
            assert memory.verify().is_sound
            assert len(memory.recall("song", scope, k=99)) == len(said)
            said.append(f"line {len(said)} of the song")
            memory.add_turns(scope, [Turn(said[-1], speaker="x", role="user")])
        if holder is other:
            assert not _stale_vectors(path, other)
            _clear(path)
    _clear(path)
    return result


def _open(path: Path | str, gem: Embedder, other: Embedder) -> tuple[Embedder, RoleplayMemory]:
    try:
        return gem, RoleplayMemory(path, embedder=gem)
    except OtherEmbedderError:
        return other, RoleplayMemory(path, embedder=other)


def kill_opening(path: Path, gem: Embedder, kills: int, nursery: Nursery, seed: int = 0) -> Killed:
    """Kills what opens a file of an old format, and opens it anew.

    Raises:
        AssertionError: If the file then does not answer as it did in its time.
    """
    chance, result = random.Random(f"opening {seed}"), Killed()
    for _ in range(kills):
        for stale in path.parent.glob(f"{path.name}*"):
            stale.unlink()
        shutil.copyfile(OLD_FILE, path)
        done = nursery.raise_and_kill(
            "open", path, after=int(result.kills % 5 == 4), seconds=chance.uniform(0, 0.25)
        )
        result.acknowledged += len(done)
        result.kills += 1
        with RoleplayMemory(path, embedder=gem) as memory:
            check_old_lists(memory)
            assert memory.verify().is_sound
    return result


# --- the old file -----------------------------------------------------------------------------------------

FAR = "moře"
"""A chat of the old file that holds a position no longer accepted, 2**53."""


def scope_from(record: dict[str, Any]) -> Scope:
    return Scope(**record["scope"])


def check_old_lists(memory: RoleplayMemory) -> None:
    """Compares every list of the old file with what it was.

    Raises:
        AssertionError: If one differs.
    """
    for record in EXPECTED:
        scope = scope_from(record)
        listed = memory.list(scope)
        rows = sorted(record["list"], key=lambda row: row["ids"][0]) if scope.chat != FAR else record["list"]
        found = sorted(listed, key=lambda m: _first_id(m, rows)) if scope.chat != FAR else listed
        assert [m.text for m in found] == [row["text"] for row in rows], scope
        for one, row in zip(found, rows, strict=True):
            assert one.id in row["ids"]
            assert _fields(one) == _told(row), scope


def _first_id(memory: Memory, rows: list[dict[str, Any]]) -> str:
    return next((row["ids"][0] for row in rows if memory.id in row["ids"]), memory.id)


def _told(row: dict[str, Any]) -> dict[str, Any]:
    left_out = {"ids"} if row["chat"] != FAR else {"ids", "position"}
    return {name: value for name, value in row.items() if name not in left_out}


def _fields(memory: Memory) -> dict[str, Any]:
    """A memory as the old file's answers were noted."""
    plain = "text speaker source_id parent_id pinned cold access_count valid_from valid_to token_count"
    fields = {name: getattr(memory, name) for name in (*plain.split(), "superseded_by")}
    fields |= {
        "kind": memory.kind.value,
        "chat": memory.scope.chat,
        "character": memory.scope.character,
        "known_by": sorted(memory.known_by),
        "category": None if memory.category is None else memory.category.value,
        "importance": round(memory.importance, 6),
        "metadata": dict(memory.metadata),
        "created_at": memory.created_at.isoformat(),
    }
    return fields if memory.scope.chat == FAR else fields | {"position": memory.position}
