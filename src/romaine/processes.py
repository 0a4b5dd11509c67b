"""Processes that are each told once what to do, and then do it with one thing after another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from romaine.checks import positive_int
from romaine.errors import WorkerError
from romaine.side_by_side import in_order

T = TypeVar("T")

_THINGS_PER_PROCESS = 2
"""Given to each, so that none waits for the process that reads and writes."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where bytes are written.

    Attributes:
        path: The file.
        begin: The first byte in it, or None for a file of its own.
    """

    path: Path
    begin: int | None = None

    def write(self, data: bytes) -> None:
        """Writes them. Not through a memory map, where a full disk would be a signal and no error."""
        with self.path.open("wb" if self.begin is None else "r+b") as file:
            file.seek(self.begin or 0)
            file.write(data)


def cores_of_each(workers: int) -> int:
    """How many threads each of some processes should run.

    Raises:
        OptionError: If there are not at least one.
    """
    return max(1, (os.cpu_count() or 1) // positive_int("workers", workers))


def in_processes(
    do: Callable[[T], bytes], things: Iterable[tuple[T, Place | None]], *, workers: int
) -> Iterator[bytes | None]:
    """Yields `do(thing)` for each thing, in their order; None for what went to a place that was given.

    Results come through files of a temporary folder: half the work of a pipe, and unlike shared memory no
    more than an error where there is no room.

    Args:
        do: What to do; each process gets one copy.
        things: Asked for one after another, a few ahead of the caller.
        workers: How many processes.

    Raises:
        WorkerError: If a process ends before its work does.
    """
    most = _THINGS_PER_PROCESS * workers
    left: list[Path | None] = []
    with (
        tempfile.TemporaryDirectory(prefix="romaine-") as folder,
        ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_become_worker,
            initargs=(do,),
        ) as pool,
    ):

        def jobs() -> Iterator[tuple[T, Place]]:
            for number, (thing, place) in enumerate(things):
                # by the time a file comes round again, what was in it has been read
                path = Path(folder, str(number % (most + 1)))
                left.append(path if place is None else None)
                yield thing, place or Place(path=path)

        try:
            for _ in in_order(_do_one, jobs(), threads=most, pool=pool):
                path = left.pop(0)
                yield None if path is None else path.read_bytes()
        except BrokenProcessPool:
            raise WorkerError(
                "a worker process ended before its work did. It may have been killed for want of memory: use"
                " fewer workers. In a script of your own, what starts workers belongs under"
                " `if __name__ == '__main__':`."
            ) from None


_do: Callable[[Any], bytes]


def _become_worker(do: Callable[[Any], bytes]) -> None:
    global _do
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the process that started us ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _do = do


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do_one(job: tuple[Any, Place]) -> None:
    thing, place = job
    place.write(_do(thing))
