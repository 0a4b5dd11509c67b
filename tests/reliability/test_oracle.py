"""The memory against the model: random plays, the same answers, the vectors that embedding anew makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import make_dataclass, replace
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.errors import FormatError, StorageBusyError
from romaine.memory import Memory, RoleplayMemory, Scope

from .drawing import WORDS
from .play import OPERATIONS, Play
from .side_by_side import PlayOnBoth, difference
from .whole_plays import play, shortest

STEPS = 40
PLAYS = 8


def check_play(seed: int, embedder: Embedder, steps: int = STEPS, kind: type[Play] = Play) -> int:
    """Plays; returns how many questions were asked.

    Raises:
        AssertionError: If anything went wrong, with the shortest play that shows it.
    """
    problem, game = play(seed, range(steps), embedder, kind)
    if problem is not None:
        problem, log = shortest(seed, range(steps), embedder, kind)
        raise AssertionError(f"seed {seed}:\n" + "\n".join(log) + f"\n{problem}")
    return game.checker.queries


@pytest.mark.parametrize("seed", range(PLAYS))
def test_a_play_agrees_with_the_model(seed: int, gem: Embedder) -> None:
    assert check_play(seed, gem) > STEPS


@pytest.mark.parametrize("seed", range(2))
def test_postgres_answers_as_sqlite_does(seed: int, gem: Embedder) -> None:
    assert check_play(seed, gem, kind=PlayOnBoth) > STEPS


def test_a_play_on_both_finds_what_differs() -> None:
    hit = make_dataclass("Hit", ["score", "memory"])(score=0.5, memory="m")
    assert difference([hit], [replace(hit, score=0.5 + 1e-7)]) is None
    assert difference([hit], [replace(hit, score=0.5 + 1e-5)]) == ".0.score is 0.5 and 0.50001"
    assert difference([hit, replace(hit, memory="n")], [replace(hit, memory="n"), hit])
    assert difference([hit], [])
    assert difference({"a": 1}, {"b": 1})
    assert difference((StorageBusyError("one"), None), (StorageBusyError("another"), None)) is None
    assert difference((StorageBusyError("one"), None), (FormatError("one"), None))


def test_plays_do_every_operation(gem: Embedder, tmp_path: Path) -> None:
    """A model that is asked to do little proves little."""
    game = Play(tmp_path, 6, gem)
    for number in range(120):
        game.step(number)
    game.memory.close()
    done = {line.split(": ", 1)[1].split("(")[0] for line in game.log}
    written = {
        "add_turns",
        "add_fact",
        "add_lore",
        "add_summary",
        "update",
        "pin",
        "unpin",
        "retract",
        "forget",
    }
    assert done >= written | {"mark_used", "decay", "branch", "exchange", "close and open"}
    assert sum(len(entries) for entries in game.model.shared.values()) > 10


def test_what_a_user_exported_is_restored(gem: Embedder, tmp_path: Path) -> None:
    """Into an empty file, with the ids and scopes it had; in the name of another user, nothing is taken."""
    game = Play(tmp_path, 5, gem, {**OPERATIONS, "branch": 0, "exchange": 0})
    for number in range(STEPS):
        game.step(number)
    scopes = [Scope(user=user, character="Mira", chat=chat) for user in WORDS for chat in ("t0", "t1")]
    exported = tmp_path / "exported.jsonl"
    for scope in scopes:
        count = game.memory.export_jsonl(exported, scope)
        with RoleplayMemory(":memory:", embedder=gem) as restored:
            if count:
                with pytest.raises(FormatError):
                    restored.import_jsonl(exported, user="dee")
                assert restored.stats(Scope(user="dee", character="Mira", chat=scope.chat)).total == 0
            assert restored.import_jsonl(exported, user=scope.user) == count
            assert by_id(restored.list(scope)) == by_id(game.memory.list(scope))
            assert restored.import_jsonl(exported, user=scope.user) == 0
    game.memory.close()


def by_id(memories: Sequence[Memory]) -> list[Memory]:
    return sorted(memories, key=lambda memory: memory.id)
