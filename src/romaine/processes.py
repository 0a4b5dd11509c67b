"""Processes that are each told once what to do, and then do it with one thing after another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from romaine.checks import positive_int
from romaine.errors import WorkerError
from romaine.side_by_side import in_order

T = TypeVar("T")

_THINGS_PER_PROCESS = 6
"""Given to each, so that none waits for the process that reads and writes, a group of rows at a time."""


Bytes: TypeAlias = "bytes | memoryview"
"""What is written. Of an array it is its `data`, which is no copy."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where bytes are.

    Attributes:
        path: The file, which is there.
        begin: The first byte in it.
    """

    path: Path
    begin: int = 0

    def write(self, *data: Bytes) -> None:
        """Writes them. Not through a memory map, where a full disk would be a signal and no error."""
        with self.path.open("r+b") as file:
            file.seek(self.begin)
            file.writelines(data)

    def read(self, size: int) -> bytes:
        """So many of them."""
        with self.path.open("rb") as file:
            file.seek(self.begin)
            return file.read(size)

    def read_into(self, *buffers: memoryview) -> None:
        """Fills buffers, one after another."""
        with self.path.open("rb") as file:
            file.seek(self.begin)
            for buffer in buffers:
                file.readinto(buffer)


def cores_of_each(workers: int) -> int:
    """How many threads each of some processes should run.

    Raises:
        OptionError: If there are not at least one.
    """
    return max(1, (os.cpu_count() or 1) // positive_int("workers", workers))


def in_processes(
    do: Callable[[T], Sequence[Bytes]], things: Iterable[tuple[T, Place | None]], *, workers: int
) -> Iterator[tuple[Place, int]]:
    """Yields where what `do(thing)` gave is for each thing, in their order, and how many bytes.

    Results come through files of a temporary folder, written over and over: a tenth of the work of a pipe,
    and unlike shared memory no more than an error where there is no room.

    Args:
        do: What to do; each process gets one copy. Gives bytes in pieces.
        things: Asked for one after another, a few ahead of the caller. Each with its place, or None for one
            of this function's, where it is until the next is asked for.
        workers: How many processes.

    Raises:
        WorkerError: If a process ends before its work does.
    """
    most = _THINGS_PER_PROCESS * workers
    places: deque[Place] = deque()
    with (
        tempfile.TemporaryDirectory(prefix="romaine-") as folder,
        ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_become_worker,
            initargs=(do,),
        ) as pool,
    ):
        # by the time a file comes round again, what was in it has been read
        paths = [Path(folder, str(number)) for number in range(most + 1)]
        for path in paths:
            path.touch()

        def jobs() -> Iterator[tuple[T, Place]]:
            for (thing, place), path in zip(things, cycle(paths)):
                places.append(place or Place(path=path))
                yield thing, places[-1]

        try:
            for size in in_order(_do_one, jobs(), threads=most, pool=pool):
                yield places.popleft(), size
        except BrokenProcessPool:
            raise WorkerError(
                "a worker process ended before its work did. It may have been killed for want of memory: use"
                " fewer workers. In a script of your own, what starts workers belongs under"
                " `if __name__ == '__main__':`."
            ) from None


_do: Callable[[Any], Sequence[Bytes]]


def _become_worker(do: Callable[[Any], Sequence[Bytes]]) -> None:
    global _do
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the process that started us ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _do = do


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do_one(job: tuple[Any, Place]) -> int:
    thing, place = job
    data = _do(thing)
    place.write(*data)
    return sum(memoryview(piece).nbytes for piece in data)
