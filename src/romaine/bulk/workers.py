"""Processes that each have the model and embed a step at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from romaine.errors import WorkerError
from romaine.side_by_side import in_order

if TYPE_CHECKING:
    from romaine.bulk.embedding import Steps
    from romaine.bulk.records import Record

Job: TypeAlias = "tuple[Path, list[Record]]"

_PLACES_PER_WORKER = 2
"""Steps given to each worker, so that none waits for the process that reads and writes."""


def run_in_workers(
    steps: Steps, batches: Iterator[list[Record]], *, workers: int
) -> Iterator[tuple[list[Record], bytes]]:
    """Yields each batch and what `steps` makes of it, in order.

    Results come through files of a temporary folder: half the work of a pipe, and unlike shared memory no
    more than an error where there is no room.

    Args:
        steps: What to do; each worker gets a copy and its share of the threads.
        batches: The input.
        workers: How many processes.

    Raises:
        WorkerError: If a worker ends before its work does.
    """
    places = _PLACES_PER_WORKER * workers
    share = steps.on_threads(max(1, (os.cpu_count() or 1) // workers))
    given: list[list[Record]] = []
    with (
        tempfile.TemporaryDirectory(prefix="romaine-") as folder,
        ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_become_worker,
            initargs=(share,),
        ) as pool,
    ):

        def jobs() -> Iterator[Job]:
            for number, batch in enumerate(batches):
                given.append(batch)
                # by the time a place comes round again, what was in it has been read
                yield Path(folder, str(number % (places + 1))), batch

        try:
            for path in in_order(_do, jobs(), threads=places, pool=pool):
                yield given.pop(0), path.read_bytes()
        except BrokenProcessPool:
            raise WorkerError(
                "a worker process ended before its work did. It may have been killed for want of memory: use"
                " fewer --workers. In a script of your own, what starts workers belongs under"
                " `if __name__ == '__main__':`."
            ) from None


_steps: Steps


def _become_worker(steps: Steps) -> None:
    global _steps
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the process that started us ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _steps = steps


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(job: Job) -> Path:
    path, batch = job
    path.write_bytes(_steps(batch))
    return path
