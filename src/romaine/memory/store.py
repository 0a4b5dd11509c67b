"""`Store`: a memory's file with the embedder its vectors belong to, and the one way to write to it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from romaine.errors import MemoryNotFoundError, OtherEmbedderError, StorageCorruptError
from romaine.memory.change import Change
from romaine.memory.checks import check_id
from romaine.memory.codec import VectorFormat, encode_id
from romaine.memory.database import Database
from romaine.memory.encoder import Draft, Encoder, MemoryEmbedder, NotEmbedded
from romaine.memory.language import Analyzer
from romaine.memory.rows import StoredMemory
from romaine.memory.views import View
from romaine.memory.wording import check_reader, check_writer, choose_analyzer, wording

_ATTEMPTS = 4  # tries before embedding happens while other writers wait

Result = TypeVar("Result")
Hint = Callable[[sqlite3.Connection], Sequence[Draft]]
Apply = Callable[[Change], Result]


@dataclass(frozen=True, eq=False)
class Bound:
    """An embedder with its fingerprint, as the file's vectors must be of.

    A write or a recall takes one when it begins, and checks inside its transaction that the file is still of
    it: another thread may bring the file over to another embedder meanwhile.
    """

    embedder: MemoryEmbedder
    fingerprint: str
    former: tuple[str, ...]
    """What earlier releases called the same embedder."""

    @classmethod
    def to(cls, embedder: MemoryEmbedder) -> Bound:
        """Takes an embedder's fingerprint."""
        return cls(embedder, embedder.fingerprint, tuple(getattr(embedder, "legacy_fingerprints", ())))


class Store:
    """A memory's file. Safe to call from many threads; many processes may open one file.

    Args:
        path: The file, or ":memory:".
        embedder: Whose vectors it holds, at any dim.
        vector_format: How vectors of a new file are kept; an old file keeps its own. None for float32.
        analyzer: What makes its terms; None for the file's own.
        lock_timeout: Seconds to wait for other processes.
        read_only: Never write.

    Attributes:
        analyzer: What makes its terms.
        bound: The embedder that the file's vectors belong to, as far as this process knows.
        switching: Held while this process brings the file over to another embedder and takes that one.
    """

    def __init__(
        self,
        path: str | Path,
        embedder: MemoryEmbedder,
        *,
        vector_format: str | VectorFormat | None = None,
        analyzer: Analyzer | str | None = None,
        lock_timeout: float = 60.0,
        read_only: bool = False,
    ) -> None:
        self.bound = Bound.to(embedder)
        self.switching = threading.Lock()
        wanted = VectorFormat.parse(vector_format or VectorFormat.FLOAT32)
        self.database = Database(path, lock_timeout=lock_timeout, read_only=read_only)
        try:
            with self.read() as connection:
                setting = partial(read_setting, connection)
                self.analyzer = choose_analyzer(
                    analyzer, setting, name=self.database.name, read_only=read_only
                )
            self._claim(wanted)
        except BaseException:
            self.database.close()
            raise

    @property
    def embedder(self) -> MemoryEmbedder:
        """Whose vectors the file holds."""
        return self.bound.embedder

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One state of the file, whatever is written meanwhile."""
        with self.database.read() as connection:
            yield connection

    def write(self, apply: Apply[Result], *, hint: Hint | None = None) -> Result:
        """Does one write: all of it or nothing; durable when it returns.

        Args:
            apply: Does the write, from what the file holds then; may be called again after what it did was
                undone.
            hint: Tells from what the file holds what will have to be embedded, so that it is before other
                writers have to wait.

        Raises:
            OtherEmbedderError: If another process has brought the file over to another embedder.
            OtherAnalyzerError: If another one has had its terms made anew.
            StorageError: As its subclasses say.
        """
        encoders: dict[Bound, Encoder] = {}
        drafts: Sequence[Draft] = ()
        for attempt in range(_ATTEMPTS + 1):
            bound = self.bound
            encoder = encoders.setdefault(bound, Encoder(bound.embedder))
            encoder.patience = None if attempt == _ATTEMPTS else encoder.patience
            try:
                if hint is not None:
                    with self.read() as connection:
                        encoder.prepare(hint(connection))
                encoder.prepare(drafts)
                with self.database.write() as connection:
                    self.check_embedder(connection, bound)
                    check_writer(partial(read_setting, connection), self.analyzer, self.database.name)
                    change = Change(connection, self.vector_format, encoder, self.analyzer)
                    result = apply(change)
                    change.settle()
                return result
            except NotEmbedded as missing:
                drafts = missing.drafts
            except OtherEmbedderError:
                if not self.has_switched_from(bound):
                    raise
        raise AssertionError("the last attempt embeds whatever is missing")

    def find(self, connection: sqlite3.Connection, view: View, memory_id: str) -> StoredMemory:
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
        return row

    def close(self) -> None:
        """Closes the file."""
        self.database.close()

    # --- the embedder --------------------------------------------------------------------------------------

    def check_embedder(self, connection: sqlite3.Connection, bound: Bound) -> None:
        """Checks that the file's vectors are those of an embedder.

        Raises:
            OtherEmbedderError: If they are another's.
        """
        stored = read_setting(connection, "embedder")
        if stored not in (None, bound.fingerprint, *bound.former):
            raise OtherEmbedderError(
                f"{self.database.name} holds vectors of embedder {stored}, this one is"
                f" {bound.fingerprint}; open it with that one, or bring it over with"
                " romaine.memory.reembed(path, embedder) or `romaine memory reembed`"
            )

    def check_analyzer(self, connection: sqlite3.Connection) -> None:
        """Checks that the file's terms can be searched.

        Raises:
            OtherAnalyzerError: If they are another analyzer's meanwhile.
        """
        check_reader(partial(read_setting, connection), self.analyzer, self.database.name)

    def has_switched_from(self, bound: Bound) -> bool:
        """Whether this process has brought the file over to another embedder since `bound` was taken."""
        with self.switching:  # a switch under way: the file is of the new one before we know
            return self.bound is not bound

    def _claim(self, wanted: VectorFormat) -> None:
        """Notes in a new file whose vectors it holds; checks it in an old one."""
        with self.read() as connection:
            claimed = read_setting(connection, "embedder")
        if claimed != self.bound.fingerprint and not self.database.read_only:
            with self.database.write() as connection:
                self._note_embedder(connection, wanted)
        with self.read() as connection:
            self.check_embedder(connection, self.bound)
            stored = read_setting(connection, "vector_format") or wanted.value
        try:
            self.vector_format = VectorFormat(stored)
        except ValueError:
            raise StorageCorruptError(f"{self.database.name} names an unknown vector format") from None

    def _note_embedder(self, connection: sqlite3.Connection, wanted: VectorFormat) -> None:
        claimed = read_setting(connection, "embedder")
        if claimed is None:
            write_setting(connection, "vector_format", wanted.value)
            write_setting(connection, "full_dim", self.embedder.full_dim)
            for key, value in wording(self.analyzer).items():
                write_setting(connection, key, value)
        if claimed is None or claimed in self.bound.former:
            write_setting(connection, "embedder", self.bound.fingerprint)


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
