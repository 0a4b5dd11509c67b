"""Writers that are killed at random moments.

A nursery is a process that has read the embedders and never opens a file. It forks a writer for each job,
kills it with SIGKILL after the time asked for, and passes on what the writer was told is done. So a kill
costs milliseconds, and the writer starts as warm as any.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope, Turn, reembed

BATCH = 5
_PATIENCE = 20.0
"""Seconds after which a writer is killed that does not get on."""
ROOT = Path(__file__).parents[2]
State = dict[str, list[tuple[str, str]]]
"""What each chat of a life holds: source ids and texts, in order."""


@cache
def first_embedder() -> Embedder:
    return Embedder(dim=64)


@cache
def other_embedder() -> Embedder:
    """The same model asked differently: another vector space, as far as the memory is concerned."""
    return Embedder(dim=64, document_prompt="passage: ")


# --- what a life does -------------------------------------------------------------------------------------


def scope_of(life: int, chat: str = "own") -> Scope:
    return Scope(user="ana", character="Cassian", chat=f"{chat} {life}")


def batch(number: int, word: str) -> list[Turn]:
    return [
        Turn(f"{word} line {n} of batch {number}", speaker="x", role="user", source_id=f"{number}-{n}")
        for n in range(BATCH)
    ]


def live(path: str, life: int, embedder: Embedder) -> Iterator[int]:
    """Writes until killed, one transaction a step; yields how many are done."""
    own = scope_of(life)
    with RoleplayMemory(path, embedder=embedder) as memory:
        step = 0
        while True:
            number, what = divmod(step, 4)
            if what == 0:
                memory.add_turns(own, batch(number, "first"))
            elif what == 1:
                memory.branch(own, at=number * BATCH + 1, to_chat=scope_of(life, f"fork {number}").chat or "")
            elif what == 2:
                memory.add_turns(own, batch(number, "edited"))
            else:
                gone = memory.list(own, source_ids=[f"{number}-0", f"{number}-1"])
                memory.forget(own, [m.id for m in gone])
            step += 1
            yield step


def state_after(steps: int) -> State:
    """What the chats of a life hold after so many steps; what was forgotten is nowhere, forks included."""
    state: State = {"own": []}
    for step in range(steps):
        number, what = divmod(step, 4)
        lines = [(turn.source_id or "", turn.text) for turn in batch(number, "first")]
        if what == 0:
            state["own"] += lines
        elif what == 1:
            state[f"fork {number}"] = state["own"][:-BATCH] + lines[:2]
        elif what == 2:
            state["own"][-BATCH:] = [(turn.source_id or "", turn.text) for turn in batch(number, "edited")]
        else:
            going = {f"{number}-0", f"{number}-1"}
            state = {chat: [line for line in held if line[0] not in going] for chat, held in state.items()}
    return state


def state_of(memory: RoleplayMemory, life: int, steps: int) -> State:
    """What the chats of a life hold, up to the forks of so many steps."""
    chats = ["own", *(f"fork {n}" for n in range(steps // 4 + 1))]
    held = {chat: [(m.source_id or "", m.text) for m in memory.list(scope_of(life, chat))] for chat in chats}
    return {chat: lines for chat, lines in held.items() if lines}


def embed_again(path: str, _life: int, _embedder: Embedder) -> Iterator[int]:
    """Brings a file over to another embedder; yields the memories done, then -1."""
    done: list[int] = []
    reembed(path, other_embedder(), batch_size=2, progress=lambda count, _: done.append(count) or tell(count))
    yield -1


def open_file(path: str, _life: int, embedder: Embedder) -> Iterator[int]:
    """Opens a file, which brings an old one up to date; yields once it is open."""
    with RoleplayMemory(path, embedder=embedder):
        yield -1


WORKS: dict[str, Callable[[str, int, Embedder], Iterator[int]]] = {
    "live": live,
    "embed again": embed_again,
    "open": open_file,
}


# --- the nursery ------------------------------------------------------------------------------------------


def tell(number: int) -> None:
    os.write(1, f"{number}\n".encode())


def _write(job: dict[str, Any], embedder: Embedder) -> None:
    try:
        os.write(1, b"go\n")
        for done in WORKS[job["work"]](job["path"], job["life"], embedder):
            tell(done)
    except BaseException:
        os.write(1, b"error\n" + traceback.format_exc().encode())
    os._exit(0)


def _raise_and_kill(job: dict[str, Any], embedder: Embedder) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        os.close(reading)
        _write(job, embedder)
    os.close(writing)
    told = _listen(reading, job["after"] + 1, _PATIENCE)  # "go" is a line, too
    told += _listen(reading, None, job["seconds"])
    os.kill(child, signal.SIGKILL)
    while more := os.read(reading, 65536):
        told += more
    os.close(reading)
    os.waitpid(child, 0)
    _, _, error = told.decode().partition("error\n")
    numbers = [int(line) for line in told.decode().partition("error\n")[0].split("\n")[1:-1]]
    return {"done": numbers, "error": error}


def _listen(reading: int, lines: int | None, seconds: float) -> bytes:
    """What is told until there are so many lines, the time is over, or the writer has ended."""
    told, deadline = b"", time.monotonic() + seconds
    while lines is None or told.count(b"\n") < lines:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            break
        more = os.read(reading, 65536)
        if not more:
            break
        told += more
    return told


def _serve() -> None:
    embedder = first_embedder()
    for one in (embedder, other_embedder()):
        one.embed_documents(["warm"])
        assert one.fingerprint
    for line in sys.stdin:
        print(json.dumps(_raise_and_kill(json.loads(line), embedder)), flush=True)


class Nursery:
    """Raises writers and kills them. A context manager."""

    def __enter__(self) -> Nursery:  # noqa: PYI034 - Self needs Python 3.11
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.writers"],
            cwd=ROOT,
            env=os.environ | {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]

    def raise_and_kill(
        self, work: str, path: Path | str, *, life: int = 0, after: int = 0, seconds: float
    ) -> list[int]:
        """Lets a writer do so much, and then live for so long; returns what it was told is done.

        Raises:
            AssertionError: If the writer failed before it was killed.
        """
        job = {"work": work, "path": str(path), "life": life, "after": after, "seconds": seconds}
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(job) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        assert not answer["error"], answer["error"]
        done: list[int] = answer["done"]
        return done


if __name__ == "__main__":
    _serve()
