"""`Store`: a memory's file with the embedder its vectors belong to, and the one way to write to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from romaine.errors import MemoryNotFoundError, OtherEmbedderError, StorageCorruptError
from romaine.memory.change import Change
from romaine.memory.checks import check_id
from romaine.memory.codec import VectorFormat, encode_id
from romaine.memory.database import Database
from romaine.memory.encoder import Draft, Encoder, MemoryEmbedder
from romaine.memory.records import Scope
from romaine.memory.views import View, view_of

_ATTEMPTS = 3  # plans before embedding happens while other writers wait

Result = TypeVar("Result")
Plan = Callable[[sqlite3.Connection], Sequence[Draft]]
Apply = Callable[[Change, Encoder], Result]


class Store:
    """A memory's file. Safe to call from many threads; many processes may open one file.

    Args:
        path: The file, or ":memory:".
        embedder: Whose vectors it holds, at any dim.
        vector_format: How vectors of a new file are kept; an old file keeps its own. None for float32.
        lock_timeout: Seconds to wait for other processes.
        read_only: Never write.
    """

    def __init__(
        self,
        path: str | Path,
        embedder: MemoryEmbedder,
        *,
        vector_format: str | VectorFormat | None = None,
        lock_timeout: float = 60.0,
        read_only: bool = False,
    ) -> None:
        self.adopt(embedder)
        wanted = VectorFormat.parse(vector_format or VectorFormat.FLOAT32)
        self.database = Database(path, lock_timeout=lock_timeout, read_only=read_only)
        try:
            self._claim(wanted)
        except BaseException:
            self.database.close()
            raise

    def adopt(self, embedder: MemoryEmbedder) -> None:
        """Takes another embedder, whose vectors the file holds from now on."""
        self.embedder = embedder
        self._fingerprint = embedder.fingerprint

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One state of the file, whatever is written meanwhile."""
        with self.database.read() as connection:
            yield connection

    @contextmanager
    def change(self) -> Iterator[Change]:
        """One write: all of it or nothing; durable on leaving."""
        self.check_embedder()
        with self.database.write() as connection:
            yield Change(connection, self.vector_format)

    def write(self, plan: Plan, apply: Apply[Result]) -> Result:
        """Embeds what a write needs before it begins, so that other writers do not wait for a model.

        Args:
            plan: Says what has to be embedded, from what the file holds.
            apply: Does the write, from what the file holds then; plans again by itself.
        """
        encoder = Encoder(self.embedder)
        for _ in range(_ATTEMPTS):
            with self.read() as connection:
                drafts = plan(connection)
            encoder.prepare(drafts)
            with self.database.write() as connection:
                self.verify_embedder(connection)
                if not encoder.missing(plan(connection)):
                    return apply(Change(connection, self.vector_format), encoder)
        with self.database.write() as connection:
            self.verify_embedder(connection)
            encoder.prepare(plan(connection))
            return apply(Change(connection, self.vector_format), encoder)

    def view(self, connection: sqlite3.Connection, scope: Scope) -> View:
        """What a scope sees."""
        return view_of(connection, scope)

    def find(self, connection: sqlite3.Connection, view: View, memory_id: str) -> tuple[int, ...]:
        """Row of a memory that a view sees.

        Raises:
            MemoryNotFoundError: If it is not there or not seen; which of both is not told.
        """
        check_id(memory_id)
        row = view.row_of_id(connection, encode_id(memory_id))
        if row is None:
            raise MemoryNotFoundError(
                f"no memory {memory_id!r} is seen by {view.scope}; list() shows which are"
            )
        return tuple(row)

    def setting(self, key: str) -> str | int | None:
        """A value of the file's own notes, or None."""
        with self.read() as connection:
            return read_setting(connection, key)

    def close(self) -> None:
        """Closes the file."""
        self.database.close()

    # --- the embedder --------------------------------------------------------------------------------------

    def check_embedder(self) -> None:
        """Checks that the vectors still are this embedder's.

        Raises:
            OtherEmbedderError: If they are another's.
        """
        with self.read() as connection:
            self.verify_embedder(connection)

    def verify_embedder(self, connection: sqlite3.Connection) -> None:
        """As `check_embedder`, inside a read or a write."""
        stored = read_setting(connection, "embedder")
        if stored is not None and stored != self._fingerprint:
            raise OtherEmbedderError(
                f"{self.database.name} holds vectors of embedder {stored}, this one is"
                f" {self._fingerprint}; open it with that one, or bring it over with"
                " romaine.memory.reembed(path, embedder) or `romaine memory reembed`"
            )

    def _claim(self, wanted: VectorFormat) -> None:
        """Notes in a new file whose vectors it holds; checks it in an old one."""
        with self.read() as connection:
            claimed = read_setting(connection, "embedder")
        if claimed is None and not self.database.read_only:
            with self.database.write() as connection:
                if read_setting(connection, "embedder") is None:
                    write_setting(connection, "vector_format", wanted.value)
                    write_setting(connection, "full_dim", self.embedder.full_dim)
                    write_setting(connection, "embedder", self.embedder.fingerprint)
        self.check_embedder()
        stored = self.setting("vector_format") or wanted.value
        try:
            self.vector_format = VectorFormat(stored)
        except ValueError:
            raise StorageCorruptError(f"{self.database.name} names an unknown vector format") from None


def read_setting(connection: sqlite3.Connection, key: str) -> str | int | None:
    """Returns a value of the table `meta`, or None."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else row[0]


def write_setting(connection: sqlite3.Connection, key: str, value: str | int | None) -> None:
    """Sets a value of the table `meta`; None removes it."""
    if value is None:
        connection.execute("DELETE FROM meta WHERE key = ?", (key,))
    else:
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
