"""Records of what a storage keeps, decoded; `storage` says what they are for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from romaine.arrays import FloatArray
from romaine.memory.records import Category, Kind, Memory, Scope
from romaine.memory.terms import TermIds

Place: TypeAlias = "tuple[int, int]"
"""Where a turn stands: its position, and its row among those of one position."""

EVERYTHING: frozenset[Kind] = frozenset(Kind)
TURNS = frozenset({Kind.TURN})
NOTES = EVERYTHING - TURNS


@dataclass(frozen=True, slots=True)
class StoredMemory:
    """One version of a memory.

    Attributes:
        row_id: Its row; never given twice.
        root: Row that the memory was first stored in, the same for all versions and forks' copies.
        space: Row of the space it lies in.
        born: Version of its user from which it holds.
        retired: Version from which it no longer holds, or None.
        memory: What it says; `superseded_by` is None, since that depends on who looks.
    """

    row_id: int
    root: int
    space: int
    born: int
    retired: int | None
    memory: Memory

    @property
    def scope(self) -> Scope:
        """Whose memory it is."""
        return self.memory.scope

    @property
    def position(self) -> int | None:
        """Its place in the story."""
        return self.memory.position

    @property
    def is_turn(self) -> bool:
        """Whether it was said."""
        return self.memory.kind is Kind.TURN

    @property
    def in_chat(self) -> bool:
        """Whether it belongs to a chat."""
        return self.memory.scope.chat is not None

    def seen_by(self, fork: Fork) -> StoredMemory:
        """What all characters of a parent share is, in a fork, that of whose fork it is."""
        if self.scope.character is not None or fork.character is None:
            return self
        scope = replace(self.scope, character=fork.character)
        return replace(self, memory=self.memory.with_checked(scope=scope))


@dataclass(frozen=True, slots=True)
class Space:
    """What one user said in one chat, or outside any; `next_position` is the first never given."""

    row_id: int
    next_position: int


@dataclass(frozen=True, slots=True)
class Fork:
    """What makes a chat a fork of another.

    Attributes:
        row_id: Its row.
        space: Row of the fork's space.
        chat: The fork's name.
        character: Whose fork it is; None for all characters of the chat.
        parent: Row of the space it was made from.
        at: Last position it shares.
        version: Version of its user at which it was made.
    """

    row_id: int
    space: int
    chat: str
    character: str | None
    parent: int
    at: int
    version: int

    def scope(self, row: StoredMemory) -> Scope:
        """The scope in which the fork sees what it inherited."""
        return Scope(user=row.scope.user, character=row.scope.character or self.character, chat=self.chat)


@dataclass(frozen=True)
class Segment:
    """What somebody sees of one space.

    Attributes:
        space: Row of the space.
        character: Who looks: sees what is theirs and what all characters share. None sees only the latter.
        until: Last position seen, or None; what has no position is seen.
        as_of: Version of the user at which the space is seen, or None for what holds now.
        hidden: Roots that are not seen.
        in_chat: Whether the space is a chat.
        everyone: Whether other characters' memories are seen, too.
    """

    space: int
    character: str | None
    until: int | None = None
    as_of: int | None = None
    hidden: frozenset[int] = frozenset()
    in_chat: bool = True
    everyone: bool = False


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which rows are meant: those for which all that is given holds.

    Attributes:
        kinds: What they are.
        row_ids: Which rows.
        root: Versions of one memory.
        id: A memory's id.
        source_id: The message they come from.
        source_prefix: How the id of that message begins.
        parent_id: What they were made from.
        placed: Whether they have a position.
        before: The place they stand before; the nearest comes first then.
        after: The position they stand after.
    """

    kinds: frozenset[Kind] = EVERYTHING
    row_ids: Collection[int] | None = None
    root: int | None = None
    id: str | None = None
    source_id: str | None = None
    source_prefix: str | None = None
    parent_id: str | None = None
    placed: bool | None = None
    before: Place | None = None
    after: int | None = None


ALL = Wanted()


@dataclass(frozen=True)
class Count:
    """How much of one kind somebody sees."""

    kind: Kind
    memories: int
    pinned: int
    cold: int
    tokens: int


@dataclass(frozen=True, eq=False)
class IndexRows:
    """What an index is to know of n rows, as columns.

    Attributes:
        row_ids: The rows.
        kinds: What they are.
        categories: What they are about.
        speakers: Who said them.
        known_by: Who witnessed them; empty for all.
        importance: 0 to 1.
        pinned: Whether each is pinned.
        cold: Whether each is cold.
        positions: Their places in the story.
        created: When they were made, microseconds since 1970, UTC.
        valid_from: Position from which each holds.
        valid_to: Position from which it no longer does.
        terms: Of their words.
        vectors: Unit or zero, float32 (n, dim).
        contexts: Of each with the turn before it, float32 (n, dim).
        damaged: Rows, none of the above, that are not what was stored.
    """

    row_ids: Sequence[int]
    kinds: Sequence[Kind]
    categories: Sequence[Category | None]
    speakers: Sequence[str | None]
    known_by: Sequence[frozenset[str]]
    importance: Sequence[float]
    pinned: Sequence[bool]
    cold: Sequence[bool]
    positions: Sequence[int | None]
    created: Sequence[int]
    valid_from: Sequence[int | None]
    valid_to: Sequence[int | None]
    terms: Sequence[TermIds]
    vectors: FloatArray
    contexts: FloatArray
    damaged: Sequence[int]


@dataclass(frozen=True, eq=False)
class RowVectors:
    """Vectors of rows as they are to be kept.

    Attributes:
        row_ids: n rows.
        vectors: Unit or zero, float32 (n, dim).
        contexts: Those of each with the turn before it, float32 (n, dim).
        previous: Root of that turn, or None, n of them.
        terms: n of them.
        tokens: Vectors of their tokens as `token_codec` packs them, n of them, or None to keep none.
    """

    row_ids: Sequence[int]
    vectors: FloatArray
    contexts: FloatArray
    previous: Sequence[int | None]
    terms: Sequence[TermIds]
    tokens: Sequence[bytes] | None = None


@dataclass(frozen=True)
class Pending:
    """A row that has no vectors of the next embedder yet.

    Attributes:
        row: The row.
        stamp: Of its present vectors; another one once those are replaced.
        previous: Root of the turn that its present context was made with, or None.
        terms: Its terms, or None if it has no present vectors at all.
    """

    row: StoredMemory
    stamp: int
    previous: int | None
    terms: TermIds | None


@dataclass(frozen=True)
class Damage:
    """A row that is not what was stored.

    Attributes:
        row_id: Which.
        name: Id of its memory, or what can be told of it.
        row: What is readable of it, with U+FFFD for what is not; None if it is no memory any more.
    """

    row_id: int
    name: str
    row: StoredMemory | None


@dataclass(frozen=True)
class Findings:
    """What a look at everything that is kept has found: rows in all, damaged ones, and problems in words."""

    rows: int
    damaged: Sequence[Damage]
    problems: Sequence[str]
