"""What a storage must do for a memory. One engine is one package beside this file, such as `sqlite`.

A `Storage` keeps rows: versions of memories with their vectors and terms, the spaces they lie in, what makes
a chat a fork, what supersedes what, and a few settings. What a scope may see and what a write means is
decided above, once for all engines; an engine finds, keeps and checks rows, and hides how they stand.

- A *space* is what one user said in one chat, or outside any. Every row lies in one.
- A memory may have several rows: the one that holds now, and versions that only forks of its chat still see.
  All have one id and one *root*, the id of the row that it was first stored in. What supersedes what, and
  what a fork no longer shows, is said of roots, and so holds for all versions.
- Each user has a *version*, the number of the last write that touched what is theirs. Rows are born and
  retired at versions of their user; by them another process sees what is new, and a fork sees its parent as
  it was. No number is shared by users, so that one's writes need not wait for another's.

What holds for every engine, and tests/contracts/test_storage_contract.py asserts:

- **Isolation.** A `Snapshot` sees one state throughout, whatever is written meanwhile; no state holds half a
  transaction. A `Transaction` also sees what it did itself. Those of one user happen one after another.
- **Durability.** What was written when `Storage.write` is left survives if the process or the machine dies
  the moment after; if anything is raised inside, or the process dies before, nothing of it is there.
- **Text** comes back as it was given, lone surrogates and NUL included, and is compared exactly.
- **Threads.** A `Storage` serves many threads, one transaction each; processes may share what is kept. A
  `Snapshot` is for the thread that opened it. In a forked child an open storage refuses to work.
- **Damage.** A row that is not what was stored raises `StorageCorruptError` or, where vectors are asked for,
  is told as damaged; it never comes back as something else without a word.
- **Errors** are `StorageError`s, in words that name the storage and say what to do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.memory.codec import VectorFormat
from romaine.memory.contents import Contents, NewContents
from romaine.memory.records import Memory, Scope
from romaine.memory.stored import (
    ALL,
    Count,
    Findings,
    Fork,
    IndexRows,
    Pending,
    Place,
    RowVectors,
    Segment,
    Space,
    StoredMemory,
    Wanted,
)
from romaine.memory.terms import TermIds

if TYPE_CHECKING:
    from romaine.memory.large import LargeIndex

Setting: TypeAlias = "str | int"

Progress = Callable[[int, int], None]
"""Told how much is done, of how much."""


class Snapshot(Contents):
    """One state of what is kept, to be read. Rows come ordered by `row_id` where nothing else is said."""

    @abstractmethod
    def setting(self, key: str) -> Setting | None:
        """A setting; `embedder`, `full_dim` and `vector_format` say what the vectors are."""

    @abstractmethod
    def version(self, user: str) -> int:
        """A user's version; 0 before the first write."""

    @abstractmethod
    def scopes(self, user: str) -> dict[Scope, int]:
        """The scopes of a user that have rows that hold, or are forks, with the number of those rows."""

    @abstractmethod
    def space(self, user: str, chat: str | None) -> Space | None:
        """The space of a chat, or of what stands outside any; None if nothing was ever put there."""

    @abstractmethod
    def is_taken(self, space: int, character: str | None) -> bool:
        """Whether a space has rows, or is a fork, of a character or of all; for None, of anybody."""

    @abstractmethod
    def fork(self, space: int, character: str | None) -> Fork | None:
        """What makes a space a fork for a character: its own, or one for all."""

    @abstractmethod
    def forks_of(self, space: int) -> list[Fork]:
        """The forks that were made of a space, in order."""

    @abstractmethod
    def hidden(self, fork: int, root: int | None = None) -> dict[int, int]:
        """Roots that a fork has dropped, with the version at which it did; only `root` if that is given."""

    @abstractmethod
    def superseded(self, space: int) -> list[tuple[int, int]]:
        """Rows that a memory of a space replaces, each with a row of that memory, the newest last."""

    @abstractmethod
    def rows(self, segment: Segment | None, wanted: Wanted = ALL) -> Iterator[StoredMemory]:
        """Rows that a segment sees; None for all there are, held or retired.

        Placed rows, and those after a position, come by position and row; those before a place backwards.
        They are read as they are asked for, so that the first of many costs little.
        """

    @abstractmethod
    def rows_after(self, row_id: int, limit: int, *, doubtful: bool = False) -> list[StoredMemory]:
        """The next rows of all there are.

        Args:
            row_id: Beyond which.
            limit: How many at most.
            doubtful: Only turns that an earlier format of this engine may have embedded with one before them
                that not all who see them see.
        """

    @abstractmethod
    def counts(self, segment: Segment) -> Iterator[Count]:
        """How much a segment's character witnessed; of one kind there may be several."""

    @abstractmethod
    def vectors(self, row_ids: Collection[int], dim: int) -> dict[int, FloatArray]:
        """Vectors (dim,) of rows; those that have none of that size are left out."""

    @abstractmethod
    def token_vectors(self, row_ids: Collection[int]) -> dict[int, bytes]:
        """Packed vectors of the tokens of rows; those that have none, or damaged ones, are left out."""

    @abstractmethod
    def has_vectors(self, vectors: RowVectors) -> list[bool]:
        """Whether each row has these vectors already, as they are kept; terms and tokens are not asked."""

    # --- for an index of what is seen ----------------------------------------------------------------------

    @abstractmethod
    def space_versions(self, scope: Scope, spaces: Collection[int]) -> frozenset[tuple[int, int]]:
        """Each space of a scope, with and without its chat, and each of others, with its last version."""

    @abstractmethod
    def gone_since(self, segment: Segment, version: int) -> list[int]:
        """Rows that a segment's character may have seen at a version, and does not see or witness now."""

    @abstractmethod
    def count_since(self, segment: Segment, version: int) -> int:
        """How many rows `index_rows` gives at the most."""

    @abstractmethod
    def index_rows(self, segment: Segment, version: int, dim: int) -> Iterator[IndexRows]:
        """Rows that a segment's character witnessed and that changed after a version, in batches.

        Args:
            segment: Who asks.
            version: Of the user; -1 for all rows.
            dim: Components of a vector.
        """

    @abstractmethod
    def turns(self, segment: Segment) -> list[Place]:
        """All places where a segment's character witnessed a turn, in any order."""

    def large(self, segments: Sequence[Segment]) -> LargeIndex | None:  # noqa: ARG002
        """What an engine finds by itself in segments of a view, if they are too large to be loaded."""
        return None

    # --- for looking after what is kept --------------------------------------------------------------------

    @abstractmethod
    def size(self) -> int:
        """Bytes of all that is kept."""

    @abstractmethod
    def findings(self, dim: int, terms_of: Callable[[Memory], TermIds]) -> Findings:
        """Looks at everything, and at every row; raises nothing for what is damaged.

        Args:
            dim: Components of a vector.
            terms_of: What the terms of a memory should be.
        """

    @abstractmethod
    def pending(self, row_id: int, limit: int | None) -> list[Pending]:
        """The next rows without vectors of the next embedder, or with such as were made for other words."""

    @abstractmethod
    def progress(self) -> tuple[int, int]:
        """How many rows have vectors of the next embedder, and how many rows there are."""


class Transaction(Snapshot, NewContents):
    """A change of what is kept. It marks what it touches with the next version of each user it is of."""

    @abstractmethod
    def set(self, key: str, value: Setting | None) -> None:
        """Changes a setting; None removes it."""

    @abstractmethod
    def next_version(self, user: str) -> int:
        """The user's version by this transaction: one more than before it, however often it is asked."""

    @abstractmethod
    def make_space(self, user: str, chat: str | None) -> Space:
        """The space of a chat or of what stands outside any, made if it is not there."""

    @abstractmethod
    def reserve_positions(self, space: int, following: int) -> None:
        """Makes `following` the next position of a space, unless that is beyond it."""

    @abstractmethod
    def add_fork(self, space: int, parent: int, *, character: str | None, at: int) -> None:
        """Makes a space a fork of another, as that is now."""

    @abstractmethod
    def hide(self, fork: Fork, root: int) -> None:
        """Drops a memory that a fork inherited from what it shows."""

    @abstractmethod
    def supersede(self, space: int, old: int, new: int) -> None:
        """Notes that the memory of root `new`, which lies in `space`, replaces that of root `old`."""

    @abstractmethod
    def new_row_ids(self, count: int) -> Sequence[int]:
        """Rows that were never given, ascending."""

    @abstractmethod
    def insert(self, rows: Sequence[StoredMemory], terms: Sequence[TermIds]) -> None:
        """Adds rows."""

    @abstractmethod
    def update(self, row: StoredMemory, terms: TermIds) -> None:
        """Replaces a row and its terms."""

    @abstractmethod
    def delete(self, row_ids: Collection[int]) -> None:
        """Deletes rows with their vectors; with a memory's last row, what is said of its root goes, too."""

    @abstractmethod
    def put_vectors(self, vectors: RowVectors) -> None:
        """Keeps vectors and terms of rows that this transaction has inserted or updated; tokens if given."""

    @abstractmethod
    def copy_vectors(self, row_id: int, copy: int) -> None:
        """Gives a row the vectors of another, if that has any."""

    @abstractmethod
    def put_pending(self, rows: Sequence[Pending], vectors: RowVectors) -> None:
        """Keeps vectors of the next embedder aside; of rows that are there no more, nothing."""

    @abstractmethod
    def drop_pending(self) -> None:
        """Forgets what was kept aside."""

    @abstractmethod
    def switch_vectors(self) -> None:
        """Puts all that was kept aside in place of the present vectors; a new version for every user."""


class Storage(ABC):
    """What keeps memories, opened once for many transactions.

    Attributes:
        keeps_deleted: Whether what was deleted may stand where only `erase_deleted` gets it out.
        vector_formats: How it can keep vectors.
        name: What it is called in messages.
        read_only: Whether it refuses to write.
    """

    keeps_deleted: bool = True
    vector_formats: frozenset[VectorFormat] = frozenset(VectorFormat) - {VectorFormat.HALFVEC}
    name: str
    read_only: bool

    @abstractmethod
    def read(self, *users: str) -> AbstractContextManager[Snapshot]:
        """One state of what is kept. Inside a read of the same thread it is the same state.

        Args:
            *users: Whose rows are asked for; nothing of others may be reached. None given: all users', for
                looking after what is kept.

        Raises:
            StorageError: As its subclasses say.
        """

    @abstractmethod
    def write(self, *users: str) -> AbstractContextManager[Transaction]:
        """A transaction: kept for good on leaving, undone if anything is raised.

        Args:
            *users: As in `read`.

        Raises:
            StorageError: As its subclasses say.
        """

    @abstractmethod
    def claimed(self, share: int) -> AbstractContextManager[bool]:
        """Whether a share of work that several do together is this one's, until it is left.

        What a process had claimed that died is free again. Of a file, each process sees only its own claims.

        Args:
            share: Number of the share, 0 to 2**31.
        """

    def index_large(self, rows: int, dim: int, progress: Progress | None = None) -> int:  # noqa: ARG002
        """Lets scopes be searched that are too large to be loaded, if the engine can do that.

        Args:
            rows: How many a scope has at least.
            dim: Components of a vector that are searched first.
            progress: Told how many rows have been taken in, of how many.

        Returns: How many rows were taken in.

        Raises:
            OptionError: If it cannot.
        """
        raise OptionError(f"{self.name}: only a server searches by itself; a file's scopes are loaded")

    @abstractmethod
    def check_process(self) -> None:
        """Checks that this process may use the storage. Takes no lock, so it can be asked before one is.

        Raises:
            StorageForkedError: If it was forked from the one that opened it.
        """

    @abstractmethod
    def erase_deleted(self, patience: float) -> bool:
        """Removes what was deleted from wherever it may still stand, such as a log; tells whether it is all.

        Args:
            patience: Seconds to wait for those who still read or write.
        """

    @abstractmethod
    def owns(self, path: Path) -> bool:
        """Whether a file is one of the storage's own, under whatever name."""

    @abstractmethod
    def close(self) -> None:
        """Closes it, once reads and writes under way are done. Closing twice is nothing."""
