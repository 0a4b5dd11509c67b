"""`Store`: a storage with the embedder its vectors belong to, and the one way to write to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from romaine.errors import (
    MemoryNotFoundError,
    MissingExtraError,
    OtherEmbedderError,
    StorageBusyError,
    StorageCorruptError,
    StorageIncompleteError,
    UnknownNameError,
)
from romaine.memory.change import Change
from romaine.memory.checks import check_id
from romaine.memory.codec import VectorFormat
from romaine.memory.encoder import Draft, Encoder, MemoryEmbedder, NotEmbedded, name_of
from romaine.memory.language import Analyzer
from romaine.memory.sqlite import SqliteStorage
from romaine.memory.storage import Snapshot, Storage, Transaction
from romaine.memory.stored import StoredMemory
from romaine.memory.token_codec import LateInteraction, check_tokens, chosen
from romaine.memory.views import View
from romaine.memory.wording import check_reader, check_writer, choose_analyzer, wording

COPYING = "copying"
"""The setting of a storage that memories are being copied into; how far that has come."""

LATE_INTERACTION = "late_interaction"
"""The setting that says what is done with vectors of tokens, where somebody has said so."""

_SCHEMES = ("postgresql://", "postgres://")
_PAUSES = (0.02, 0.1, 0.5)  # seconds before a write that others were in the way of is done again
_ATTEMPTS = 4  # tries before embedding happens while other writers wait

Result = TypeVar("Result")
Hint = Callable[[Snapshot], Sequence[Draft]]
Apply = Callable[[Change], Result]


@dataclass(frozen=True, eq=False)
class Bound:
    """An embedder with its fingerprint, as the file's vectors must be of.

    A write or a recall takes one when it begins, and checks inside its transaction that the file is still of
    it: another thread may bring the file over to another embedder meanwhile.
    """

    embedder: MemoryEmbedder
    fingerprint: str
    name: str
    former: tuple[str, ...]
    """What earlier releases called the same embedder."""

    @classmethod
    def to(cls, embedder: MemoryEmbedder) -> Bound:
        """Takes an embedder's fingerprint.

        Raises:
            OptionError: If it is something else.
        """
        name = name_of(embedder)
        return cls(embedder, embedder.fingerprint, name, tuple(getattr(embedder, "legacy_fingerprints", ())))

    def __str__(self) -> str:
        return f"{self.name} ({self.fingerprint[:8]})"


class Store:
    """A storage with the embedder of its vectors. Safe to call from many threads.

    Args:
        storage: What keeps the memories; the store's to close.
        embedder: Whose vectors it holds, at any dim.
        vector_format: How vectors of a new file are kept; an old file keeps its own. None for float32.
        analyzer: What makes its terms; None for the file's own.
        late_interaction: What is done with vectors of tokens from now on; None for the file's own.

    Attributes:
        analyzer: What makes its terms.
        storage: As given.
        bound: The embedder that the file's vectors belong to, as far as this process knows.
        switching: Held while this process brings the file over to another embedder and takes that one.
    """

    def __init__(
        self,
        storage: Storage,
        embedder: MemoryEmbedder,
        *,
        vector_format: VectorFormat | None = None,
        analyzer: Analyzer | str | None = None,
        late_interaction: LateInteraction | None = None,
    ) -> None:
        self.storage = storage
        self.bound = Bound.to(embedder)
        self.switching = threading.Lock()
        with storage.read() as snapshot:
            check_complete(snapshot, storage.name)
            self.analyzer = choose_analyzer(
                analyzer, snapshot.setting, name=storage.name, read_only=storage.read_only
            )
        check_tokens(late_interaction, embedder, self.bound.name)
        self.vector_format = self._claimed(vector_format or VectorFormat.FLOAT32, late_interaction)

    @property
    def embedder(self) -> MemoryEmbedder:
        """Whose vectors the file holds."""
        return self.bound.embedder

    def late_interaction(self, bound: Bound) -> LateInteraction:
        """What is done with vectors of tokens while the file is of an embedder."""
        return chosen(self._late_interaction, bound.embedder)

    def write(self, apply: Apply[Result], *users: str, hint: Hint | None = None) -> Result:
        """Does one write: all of it or nothing; durable when it returns.

        Args:
            apply: Does the write, from what the file holds then; may be called again after what it did was
                undone.
            *users: Whose memories it reads or changes; none for all.
            hint: Tells from what the file holds what will have to be embedded, so that it is before other
                writers have to wait.

        Raises:
            OtherEmbedderError: If another process has brought the file over to another embedder.
            OtherAnalyzerError: If another one has had its terms made anew.
            StorageError: As its subclasses say.
        """
        for pause in _PAUSES:
            try:
                return self._write(apply, users, hint)
            except StorageBusyError:  # undone by a server, to let others on
                time.sleep(pause)
        return self._write(apply, users, hint)

    def _write(self, apply: Apply[Result], users: tuple[str, ...], hint: Hint | None) -> Result:
        encoders: dict[Bound, Encoder] = {}
        drafts: Sequence[Draft] = ()
        for attempt in range(_ATTEMPTS + 1):
            bound = self.bound
            keeps_tokens = self.late_interaction(bound) is LateInteraction.STORED
            encoder = encoders.setdefault(bound, Encoder(bound.embedder, keeps_tokens=keeps_tokens))
            encoder.patience = None if attempt == _ATTEMPTS else encoder.patience
            try:
                if hint is not None:
                    with self.storage.read(*users) as snapshot:
                        encoder.prepare(hint(snapshot))
                encoder.prepare(drafts)
                with self.storage.write(*users) as transaction:
                    self.check_embedder(transaction, bound)
                    check_writer(transaction.setting, self.analyzer, self.storage.name)
                    change = Change(transaction, encoder, self.analyzer)
                    result = apply(change)
                    change.settle()
                return result
            except NotEmbedded as missing:
                drafts = missing.drafts
            except OtherEmbedderError:
                if not self.has_switched_from(bound):
                    raise
        raise AssertionError("the last attempt embeds whatever is missing")

    # --- the embedder --------------------------------------------------------------------------------------

    def check_embedder(self, snapshot: Snapshot, bound: Bound) -> None:
        """Checks that the file's vectors are those of an embedder.

        Raises:
            OtherEmbedderError: If they are another's.
        """
        stored = snapshot.setting("embedder")
        if stored not in (None, bound.fingerprint, *bound.former):
            model = snapshot.setting("model") or "an embedder that it does not name"
            settings = ", with other settings" if model == bound.name else ""
            raise OtherEmbedderError(
                f"{self.storage.name} holds vectors of {model} ({str(stored)[:8]}), this embedder is {bound}"
                f"{settings}; open it with that one, or bring it over with romaine.memory.reembed(path,"
                " embedder) or `romaine memory reembed`"
            )

    def check_analyzer(self, snapshot: Snapshot) -> None:
        """Checks that the file's terms can be searched.

        Raises:
            OtherAnalyzerError: If they are another analyzer's meanwhile.
        """
        check_reader(snapshot.setting, self.analyzer, self.storage.name)

    def has_switched_from(self, bound: Bound) -> bool:
        """Whether this process has brought the file over to another embedder since `bound` was taken."""
        with self.switching:  # a switch under way: the file is of the new one before we know
            return self.bound is not bound

    def _claimed(self, wanted: VectorFormat, late: LateInteraction | None) -> VectorFormat:
        """Notes in a new file whose vectors it holds; checks it in an old one. Returns how they are kept."""
        with self.storage.read() as snapshot:
            claimed, model = snapshot.setting("embedder"), snapshot.setting("model")
            is_noted = late in (None, snapshot.setting(LATE_INTERACTION))
        is_ours = claimed == self.bound.fingerprint and model is not None and is_noted
        if not is_ours and not self.storage.read_only:
            with self.storage.write() as transaction:
                self._note_embedder(transaction, wanted)
                if late is not None and transaction.setting("embedder") == self.bound.fingerprint:
                    transaction.set(LATE_INTERACTION, late.value)
        with self.storage.read() as snapshot:
            self.check_embedder(snapshot, self.bound)
            stored = snapshot.setting("vector_format") or wanted.value
            self._late_interaction = late or snapshot.setting(LATE_INTERACTION)
        try:
            return VectorFormat(stored)
        except ValueError:
            raise StorageCorruptError(f"{self.storage.name} names an unknown vector format") from None

    def _note_embedder(self, transaction: Transaction, wanted: VectorFormat) -> None:
        claimed = transaction.setting("embedder")
        if claimed is None:
            if wanted not in self.storage.vector_formats:
                allowed = [each.value for each in VectorFormat if each in self.storage.vector_formats]
                raise UnknownNameError(
                    "vector_format",
                    wanted.value,
                    allowed,
                    "halfvec is for Postgres with pgvector.",
                )
            transaction.set("vector_format", wanted.value)
            transaction.set("full_dim", self.embedder.full_dim)
            for key, value in wording(self.analyzer).items():
                transaction.set(key, value)
        if claimed is None or claimed in self.bound.former:
            transaction.set("embedder", self.bound.fingerprint)
        if transaction.setting("embedder") == self.bound.fingerprint and transaction.setting("model") is None:
            transaction.set("model", self.bound.name)  # for messages; files of the first releases have none


def open_storage(path: str | Path, *, lock_timeout: float = 60.0, read_only: bool = False) -> Storage:
    """Opens the storage that a path names: a SQLite file, ":memory:", or a schema of a Postgres database.

    Args:
        path: The file, or a URL that begins with postgresql:// or postgres://; made if it is not there.
        lock_timeout: Seconds to wait for other processes.
        read_only: Never write; for files without write permission.

    Raises:
        MissingExtraError: If what the URL needs is not installed.
        OptionError: If it cannot be read.
        StorageError: As its subclasses say.
    """
    if is_url(path):
        storage: Storage = _postgres().PostgresStorage(
            str(path), lock_timeout=lock_timeout, read_only=read_only
        )
        return storage
    return SqliteStorage(path, lock_timeout=lock_timeout, read_only=read_only)


def check_complete(snapshot: Snapshot, name: str) -> None:
    """Checks that a storage is not one that memories are still being copied into.

    Raises:
        StorageIncompleteError: If it is.
    """
    if snapshot.setting(COPYING) is not None:
        raise StorageIncompleteError(
            f"{name} is not complete: copying into it was interrupted or is under way; the same"
            " `romaine memory copy` goes on where it was"
        )


def is_url(path: str | Path) -> bool:
    """Whether a path is a database's address instead of a file's name."""
    return isinstance(path, str) and path.startswith(_SCHEMES)


def is_there(path: str | Path) -> bool:
    """Whether a memory is where a path points to; makes none.

    Raises:
        StorageError: If the server of a URL cannot be asked.
    """
    return _postgres().exists(str(path)) if is_url(path) else Path(path).exists()


def shown(path: str | Path) -> str:
    """A path as messages may show it: of a URL, no password.

    Raises:
        OptionError: If a URL cannot be read.
    """
    return str(_postgres().Address.parse(path).shown) if is_url(path) else str(path)


def _postgres() -> ModuleType:
    try:
        return import_module("romaine.memory.postgres")
    except ImportError as error:
        if (error.name or "").startswith("romaine"):
            raise
        raise MissingExtraError("a memory in Postgres", "postgres") from None


def find(snapshot: Snapshot, view: View, memory_id: str) -> StoredMemory:
    """Returns the row of a memory that a view sees.

    Raises:
        MemoryNotFoundError: If it is not there or not seen; which of both is not told.
    """
    check_id(memory_id)
    row = view.row_of_id(snapshot, memory_id)
    if row is None:
        raise MemoryNotFoundError(f"no memory {memory_id!r} is seen by {view.scope}; list() shows which are")
    return row
