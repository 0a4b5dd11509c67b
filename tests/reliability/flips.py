"""Flips single bits of a file: the same answers, or the damage is told; never a foreign exception."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from romaine.embedder import Embedder
from romaine.errors import RomaineError
from romaine.memory import Memory, RoleplayMemory, Scope, Turn
from romaine.memory.exchange import to_json

Answers = dict[str, Any]

_SECONDS = 6.0

ANA = Scope(user="ana", character="Mira", chat="t0")
FORK = Scope(user="ana", character="Mira", chat="fork")
SCOPES = (ANA, FORK, Scope(user="ana", chat="t0"), Scope(user="bo", chat="t0"))


def write_file(path: Path, gem: Embedder) -> None:
    """Makes a file with some of everything, closed."""
    with RoleplayMemory(path, embedder=gem) as memory:
        lines = [
            Turn(f"Line {n} of the heron's song", speaker="Mira", role="character", source_id=str(n))
            for n in range(8)
        ]
        memory.add_turns(ANA, lines, known_by=["Mira", "Odo"])
        old = memory.add_fact(ANA, "The key is made of silver.", metadata={"page": 3}, parent_id="1").memory
        memory.add_lore(Scope(user="ana"), "Winters in Port Vell are short.", pinned=True)
        memory.branch(ANA, at=5, to_chat="fork")
        memory.add_fact(ANA, "The key is made of brass.", supersedes=old.id, valid_from=2, valid_to=90)
        memory.add_turns(ANA, [Turn("Another line", speaker="Mira", role="character", source_id="2")])
        memory.add_turns(FORK, [Turn("Here it went on", speaker="Odo", role="narrator")])
        memory.retract(FORK, ["3"])
        memory.add_turns(Scope(user="bo", chat="t0"), [Turn("My ship burned", speaker="Bo", role="user")])


def answers(memory: RoleplayMemory, folder: Path) -> Answers:
    """What a file says of all its scopes."""
    said: Answers = {}
    for number, scope in enumerate(SCOPES):
        said[f"list {number}"] = _plain(memory.list(scope))
        said[f"get {number}"] = _plain([memory.get(scope, m.id) for m in memory.list(scope)[:3]])
        for query in ("the silver key", "heron"):
            hits = memory.recall(query, scope, k=99, neighbours=1)
            said[f"recall {query} {number}"] = [
                (_plain([hit.memory, *hit.neighbours]), round(hit.score, 5)) for hit in hits
            ]
        exported = folder / "flipped.jsonl"
        memory.export_jsonl(exported, scope)
        said[f"export {number}"] = [json.loads(line) for line in exported.read_text("utf-8").splitlines()]
    return said


def _plain(memories: list[Memory]) -> list[str]:
    return [json.dumps(to_json(memory), sort_keys=True) for memory in memories]


def flip_bits(folder: Path, gem: Embedder, flips: int, *, seed: int = 0) -> Counter[str]:
    """Flips one bit a trial; returns how often what came of it.

    Raises:
        AssertionError: If an answer was another one without a word, or an exception was not one of ours.
    """
    chance, outcomes = random.Random(f"flips {seed}"), Counter[str]()
    whole, path = folder / "whole.db", folder / "flipped.db"
    write_file(whole, gem)
    with RoleplayMemory(whole, embedder=gem) as memory:
        true = answers(memory, folder)
    data = whole.read_bytes()
    written, words = _places(whole, data)
    for trial in range(flips):
        place = chance.choice((written, words)[trial % 2])
        bit = 8 * place + chance.randrange(8)
        flipped = bytearray(data)
        flipped[place] ^= 1 << bit % 8
        for stale in folder.glob(f"{path.name}*"):
            stale.unlink()
        path.write_bytes(flipped)
        outcome = _outcome(path, gem, true, folder)
        assert not outcome.startswith(("silent", "foreign")), f"trial {trial}, bit {bit}: {outcome}"
        outcomes[outcome] += 1
    return outcomes


def _places(path: Path, data: bytes) -> tuple[list[int], list[int]]:
    """Where a file holds something: all such bytes, and those that are not of a vector, the fewest by far."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
    blobs = [blob for row in connection.execute("SELECT vector, context FROM vector") for blob in row]
    connection.close()
    written = [place for place, byte in enumerate(data) if byte]
    in_vectors: set[int] = set()
    for blob in blobs:
        start = data.find(blob)
        while start >= 0:
            in_vectors.update(range(start, start + len(blob)))
            start = data.find(blob, start + len(blob))
    return written, [place for place in written if place not in in_vectors]


def _outcome(path: Path, gem: Embedder, true: Answers, folder: Path) -> str:
    """ "same", "reported", "refused", "silent: ..." or "foreign: ..."."""
    try:
        with _limited(), RoleplayMemory(path, embedder=gem, lock_timeout=2) as memory:
            found = _tried(lambda: answers(memory, folder))
            health = _tried(memory.verify)
            outcome = _judged(found, health, true)
            if outcome != "same":
                for action in (memory.repair, memory.reembed, lambda: answers(memory, folder), memory.verify):
                    _tried(action)
            return outcome
    except RomaineError:
        return "refused"
    except Exception as error:  # whatever else comes is what is looked for
        frames = "".join(traceback.format_tb(error.__traceback__)[-3:])
        return f"foreign: {error!r}\n{frames}"


@contextmanager
def _limited() -> Iterator[None]:
    """Raises if what is done takes too long: a damaged file must not be read for ever."""

    def give_up(_signal: int, _frame: object) -> None:
        raise TimeoutError(f"not done in {_SECONDS} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _judged(found: Any, health: Any, true: Answers) -> str:
    if isinstance(health, RomaineError) or not health.is_sound:
        return "reported"
    if isinstance(found, RomaineError):
        return "refused"
    wrong = [what for what, said in true.items() if found[what] != said]
    return f"silent: {wrong[0]}: {found[wrong[0]]}, true is {true[wrong[0]]}" if wrong else "same"


def _tried(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except RomaineError as error:
        return error
