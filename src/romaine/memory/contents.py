"""All that a storage keeps, row for row, so that another can take it over; `storage` says what a row is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from romaine.memory.stored import Fork, Space, StoredMemory
from romaine.memory.terms import TermIds

if TYPE_CHECKING:
    from romaine.memory.storage import Setting


@dataclass(frozen=True)
class UserContents:
    """What is kept of a user besides rows.

    Attributes:
        user: Whose.
        version: Theirs.
        rows: How many there are.
        spaces: Chat and space of each, by row; None is outside any chat.
        forks: By row.
        hidden: Row of a fork, root that it dropped, and the version at which it did; sorted.
        superseded: Space, root that is replaced and root that replaces it; sorted.
    """

    user: str
    version: int
    rows: int
    spaces: Sequence[tuple[str | None, Space]]
    forks: Sequence[Fork]
    hidden: Sequence[tuple[int, int, int]]
    superseded: Sequence[tuple[int, int, int]]


@dataclass(frozen=True, eq=False)
class PackedRow:
    """A row with its vectors as `VectorFormat.pack` makes them, in the portable one of its formats.

    Attributes:
        row: The row.
        vector: Its own vector.
        context: That with the turn before it.
        previous: Root of that turn, or None.
        terms: Of its words.
        tokens: Vectors of its tokens as `token_codec` packs them, or None where none are kept.
    """

    row: StoredMemory
    vector: bytes
    context: bytes
    previous: int | None
    terms: TermIds
    tokens: bytes | None = None


class Contents(ABC):
    """What a snapshot tells of everything. What only other processes' indexes need is no part of it."""

    @abstractmethod
    def settings(self) -> dict[str, Setting]:
        """All settings."""

    @abstractmethod
    def users(self) -> dict[str, int]:
        """All users with their versions."""

    @abstractmethod
    def contents_of(self, user: str) -> UserContents:
        """What is kept of a user besides rows."""

    @abstractmethod
    def packed_rows(self, user: str, row_id: int = 0) -> Iterator[PackedRow]:
        """A user's rows beyond one, held or retired, read as they are asked for.

        Raises:
            StorageCorruptError: At a row that is not what was stored, or has no vectors.
        """


class NewContents(ABC):
    """What a transaction does to take contents over as they are, rows' numbers and versions included."""

    @abstractmethod
    def put_contents(self, contents: UserContents) -> None:
        """Makes a user, of whom nothing may be there, as they were elsewhere, without rows."""

    @abstractmethod
    def put_packed(self, user: str, rows: Sequence[PackedRow]) -> None:
        """Adds rows of a user; their numbers will not be given again."""

    @abstractmethod
    def drop_user(self, user: str) -> None:
        """Takes out all that is there of a user, their version included, as if it had never been."""
