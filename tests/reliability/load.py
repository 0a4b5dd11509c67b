"""Workers that write to one chat and read it, whatever is done to their server meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from types import TracebackType

from romaine.embedder import Embedder
from romaine.errors import StorageError, StorageUnreachableError, StorageUnsureError
from romaine.memory import RoleplayMemory, Scope, Turn

SCOPE = Scope(user="ana", character="Cassian", chat="tavern")
BATCH = 3
_PATIENCE = 60.0


class Load:
    """Workers, each with a memory of its own that stays open all the while. A context manager.

    Args:
        url: Of the memory.
        embedder: Of all of them.
        workers: How many.

    Attributes:
        acknowledged: Writes that each was told are done.
        errors: What they were told instead, by its class. All other errors are in `failures`.
        failures: What must not have happened.
    """

    def __init__(self, url: str, embedder: Embedder, workers: int = 3) -> None:
        self._url, self._embedder = url, embedder
        self.acknowledged: list[list[str]] = [[] for _ in range(workers)]
        self.errors: Counter[str] = Counter()
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(workers)]

    def __enter__(self) -> Load:  # noqa: PYI034 - Self needs Python 3.11
        for thread in self._threads:
            thread.start()
        try:
            self.wait_for_each()
        except AssertionError:
            self._stop.set()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for_each(self, writes: int = 1) -> None:
        """Waits until every worker has written so often from now on.

        Raises:
            AssertionError: If one does not get on, or has failed.
        """
        wanted = [len(done) + writes for done in self.acknowledged]
        end = time.monotonic() + _PATIENCE
        while any(len(done) < count for done, count in zip(self.acknowledged, wanted, strict=True)):
            assert not self.failures, self.failures
            assert time.monotonic() < end, f"{self.acknowledged} of {wanted}, {self.errors}"
            time.sleep(0.01)

    def check(self) -> None:
        """Whether what was acknowledged is there, in order and once, and nothing by half.

        Raises:
            AssertionError: If it is not so.
        """
        assert not self.failures, self.failures
        with RoleplayMemory(self._url, embedder=self._embedder) as memory:
            stored = memory.list(SCOPE)
            assert memory.verify().is_sound
            assert memory.recall("worker 0 says", SCOPE, k=3)
        assert [m.position for m in stored] == list(range(len(stored)))
        names = [m.source_id or "" for m in stored]
        assert len(set(names)) == len(names)
        writes = Counter(name.rpartition("-")[0] for name in names)
        assert set(writes.values()) <= {BATCH}, "a write is there by half"
        for worker, done in enumerate(self.acknowledged):
            assert set(done) <= set(writes)
            own = [name for name in names if name.startswith(f"{worker}-")]
            assert own == sorted(own, key=lambda name: int(name.split("-")[1]))

    # --- a worker ------------------------------------------------------------------------------------------

    def _work(self, worker: int) -> None:
        try:
            with RoleplayMemory(self._url, embedder=self._embedder) as memory:
                number = 0
                while not self._stop.is_set():
                    self._write(memory, worker, f"{worker}-{number}")
                    number += 1
        except BaseException as error:
            if self._stop.is_set() and isinstance(error, StorageUnreachableError | StorageUnsureError):
                return
            self.failures.append(f"worker {worker}: {error!r}")

    def _write(self, memory: RoleplayMemory, worker: int, name: str) -> None:
        """Writes until it is there, and finds it."""
        said = f"worker {worker} says {name}"
        sources = [f"{name}-{n}" for n in range(BATCH)]
        turns = [Turn(said, speaker="x", role="user", source_id=source) for source in sources]
        while True:
            try:
                added = memory.add_turns(SCOPE, turns).added
                assert added == BATCH, f"{name}: {added} of its turns were not there"
                break
            except StorageUnsureError as error:
                self._note(error)
                found = self._look(memory, sources)
                assert found in (0, BATCH), f"{name} is there by half: {found}"
                if found:
                    break
            except StorageUnreachableError as error:
                self._note(error)
        self.acknowledged[worker].append(name)
        assert self._look(memory, sources) == BATCH, f"{name} was acknowledged and is not there"
        while True:
            try:
                found = [hit.memory.text for hit in memory.recall(said, SCOPE, k=3)]
                assert said in found, f"{said!r} is not found: {found}"
                return
            except StorageUnreachableError as error:
                self._note(error)

    def _look(self, memory: RoleplayMemory, sources: list[str]) -> int:
        while True:
            try:
                return len(memory.list(SCOPE, source_ids=sources))
            except StorageUnreachableError as error:
                self._note(error)

    def _note(self, error: StorageError) -> None:
        if self._stop.is_set():
            raise error
        self.errors[type(error).__name__] += 1
