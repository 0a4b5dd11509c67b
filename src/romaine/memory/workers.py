"""Processes beside this one that do the same work, whose death costs nothing but their share of it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType

from romaine.errors import RomaineError

_ENDED_BY = (KeyboardInterrupt, RomaineError)  # whoever has begun the work is told the same


class Workers:
    """Runs a function in processes of their own while the block runs; waits for them at its end.

    Args:
        count: How many.
        work: What each does; it says how much that was, and can be pickled.

    Attributes:
        done: What all of them have done, those that died left out; known after the block.
    """

    def __init__(self, count: int, work: Callable[[], int]) -> None:
        self.done = 0
        self._count, self._work = count, work
        self._running: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []

    def __enter__(self) -> Workers:  # noqa: PYI034 - Self needs Python 3.11
        context = multiprocessing.get_context("spawn")  # a fork would take locks along
        for _ in range(self._count):
            told, telling = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(self._work, telling), daemon=True)
            process.start()
            telling.close()
            self._running.append((process, told))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process, told in self._running:
            if kind is not None:
                process.terminate()
            process.join()
            with told:
                if told.poll():
                    try:
                        self.done += told.recv()
                    except EOFError:  # it died
                        continue


def _work(work: Callable[[], int], telling: Connection) -> None:
    with suppress(*_ENDED_BY):
        telling.send(work())
