"""Which files this process has open: what a fork must not touch, and what was replaced under us.

SQLite keeps its locks per process and file. A forked child inherits the bookkeeping but not the locks: a
connection that it opens to a file which its parent has open holds no lock at all, and what is written
through it is gone when the parent closes. SQLite also goes on writing to a file whose name is gone. Both
are noticed here, before anything is acknowledged.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

from romaine.errors import StorageForkedError, StorageReplacedError

MEMORY = ":memory:"
Identity = tuple[int, int]
"""Device and inode: the same under every name of a file."""

_forks = 0
_creating = threading.Lock()
_held: set[OpenFile] = set()
# only added to and taken from, which no fork can catch half done: the child always finds what was open


class OpenFile:
    """A memory's file with its connections, as this process holds it; or a memory in RAM.

    Args:
        name: The file, or ":memory:". Held from now on, so before SQLite opens it.
        create: Whether to create the file if it is not there.

    Raises:
        StorageForkedError: If this process inherited the file, open, from the one it was forked from.
        StorageReplacedError: If this process holds the same file with another log.
    """

    def __init__(self, name: str, *, create: bool) -> None:
        self.name = name
        self.owner = this_process()
        self.connections: list[sqlite3.Connection] = []
        self.path = name if name == MEMORY else os.path.realpath(name)
        self._names: tuple[str, ...] = ()
        self._seen: list[Identity | None] = [None, None, None]
        if name != MEMORY:
            # SQLite follows links once, at first, and keeps the log beside what it found
            self._names = (str(Path(name).absolute()), f"{self.path}-wal", f"{self.path}-shm")
            with _creating:
                if create:
                    _create(self.path)
                self._seen[0] = _identity(self._names[0])
            self._refuse_if_held_otherwise()
        _held.add(self)

    def is_as_held(self) -> bool:
        """Whether the name still stands for the file it stood for when it was held."""
        return not self._names or self._seen[0] in (None, _identity(self._names[0]))

    def has(self, path: Path) -> bool:
        """Whether a path leads to the file, its log or the log's index."""
        found = _identity(str(path))
        return os.path.realpath(path) in self._names or (found is not None and found in self._seen)

    def check(self) -> None:
        """Checks that the file, its log and the log's index are still those that are open.

        To be called first when SQLite has read from the file: it opens the log then, and while it has it
        open no other process of SQLite's takes the log away. A log that was not there yet is noted.

        Raises:
            StorageReplacedError: If one was deleted or replaced.
        """
        for place, name in enumerate(self._names):
            now, seen = _identity(name), self._seen[place]
            if seen is None:
                self._seen[place] = now
            elif now != seen:
                raise StorageReplacedError(
                    f"{name} was {'deleted' if now is None else 'replaced'} while {self.name} was open: what"
                    " was written since, the last write too, may be in the old file only. Close the memory,"
                    " put back what belongs there, and open it again"
                )

    def close(self) -> None:
        """Closes all connections. In a forked child, nothing: they are the parent's."""
        if self.owner != this_process():
            return
        if self._has_foreign_log():
            # Closing would copy our log over what others wrote since, and delete theirs by its name
            _keep_for_good(self)
            return
        if not self.is_as_held():
            self._bring_home()
        self._seen[1] = None  # the log goes with the last connection
        for connection in self.connections:
            connection.close()
        self.connections.clear()
        _held.discard(self)

    def _bring_home(self) -> None:
        # The file has moved and SQLite would leave its log behind: written into it, what the log holds is
        # not lost, nor taken for the log of whatever has the name now.
        for connection in self.connections[:1]:
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA busy_timeout = 1000")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _has_foreign_log(self) -> bool:
        return any(
            seen is not None and _identity(name) not in (None, seen)
            for name, seen in zip(self._names[1:], self._seen[1:], strict=False)
        )

    def _refuse_if_held_otherwise(self) -> None:
        for other in list(_held):
            if self._seen[0] is None or other._seen[0] != self._seen[0]:
                continue
            if other.owner != this_process():
                raise StorageForkedError(forked_message(self.name))
            if other._seen[1] not in (None, _identity(self._names[1])):
                # one index serves all logs of a file in a process: it would be read with the wrong one
                raise StorageReplacedError(
                    f"{self.name} is open in this process as {other.name} with another log,"
                    f" {other._names[1]}: it has two names, or the log was deleted. Close the other first;"
                    " if that is done, start this process anew"
                )


def this_process() -> int:
    """A number of this process; a pid alone may come again in a descendant."""
    return os.getpid() + (_forks << 32)


def forked_message(name: str) -> str:
    """What to say of a file that was open when this process was forked."""
    return (
        f"{name} was opened before this process was forked and must not be used here: SQLite's locks do not"
        ' survive a fork. Start the process with multiprocessing\'s "spawn" or "forkserver", open the memory'
        " in each process only after the fork, or close it before"
    )


def _identity(name: str) -> Identity | None:
    try:
        status = os.stat(name)  # noqa: PTH116 - asked at every read and write; a Path costs as much again
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _create(path: str) -> None:
    # Only a new file may be opened here: closing one that SQLite has open would drop its locks.
    # Where it cannot be created, SQLite says why.
    with suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


def _keep_for_good(thing: object) -> None:
    # not even the end of the interpreter may close what hangs on it
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _after_fork_in_child() -> None:
    global _forks, _creating
    _forks += 1
    _creating = threading.Lock()  # a thread that did not come along may have held it
    for file in _held:
        _keep_for_good(file)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
