"""One write: what it does to the rows of the file. Meaning is decided above, durability below.

Rows are changed first; `settle` then embeds what is new, and every turn that has another one before it now,
so that the vectors are those of the rows whatever was done to them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from romaine.errors import StorageCorruptError
from romaine.memory.codec import (
    VectorFormat,
    content_checksum,
    decode_optional,
    encode_optional,
    vector_checksum,
)
from romaine.memory.encoder import Draft, Encoder
from romaine.memory.forks import descendants, forks_that_see, seen_by_forks
from romaine.memory.language import Analyzer
from romaine.memory.records import Memory, Scope
from romaine.memory.row_writer import OF_ROOT, RowWriter
from romaine.memory.rows import StoredMemory, fetch, stored_row
from romaine.memory.sequence import followers, previous_turn, shares_with, spoken, turn_before
from romaine.memory.views import View, view_of

_PUT_VECTOR = "INSERT OR REPLACE INTO vector VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class _Gap:
    """A place in a chat where another turn stands now, or none.

    Attributes:
        scope: Who sees that turns have another one before them.
        turn: What stands or stood there.
        erased_from: Spaces that what stood there is gone from; their turns change for all who see them.
    """

    scope: Scope
    turn: StoredMemory
    erased_from: frozenset[int] = frozenset()


@dataclass(frozen=True)
class _Embedding:
    """What has to be embedded for a row.

    Attributes:
        row: The row.
        previous: The turn before it, or None.
        fork: View of the fork that needs a copy of its own for that, or None.
        for_all: Whether forks that see the row are to see that, too.
    """

    row: StoredMemory
    previous: StoredMemory | None
    fork: View | None = None
    for_all: bool = False

    @property
    def draft(self) -> Draft:
        """The row's words, and those before it."""
        return draft_of(self.row, self.previous)

    @property
    def root(self) -> int | None:
        """Root of the turn before it."""
        return None if self.previous is None else self.previous.root


class Change(RowWriter):
    """What one transaction does. Its number marks every row it touches.

    Args:
        connection: Inside a write transaction.
        vector_format: How vectors are kept.
        encoder: What embeds.
        analyzer: Of the file.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        vector_format: VectorFormat,
        encoder: Encoder,
        analyzer: Analyzer,
    ) -> None:
        super().__init__(connection, analyzer)
        self.encoder = encoder
        self._format = vector_format
        self._gaps: list[_Gap] = []

    # --- what a write may do -------------------------------------------------------------------------------

    def insert(self, memories: Sequence[Memory]) -> list[StoredMemory]:
        """Adds memories, in the order of the story; their positions are given away for good."""
        spaces = {scope: self.space(scope) for scope in dict.fromkeys(m.scope for m in memories)}
        rows = [
            stored_row(memory, no=no, root=no, space=spaces[memory.scope], born=self.number)
            for no, memory in enumerate(memories, start=self._next_no())
        ]
        self._insert(rows)
        for space in spaces.values():
            placed = [row for row in rows if row.space == space and row.position is not None]
            following = self._reserve_positions(space, max((r.position or 0 for r in placed), default=-1) + 1)
            for row in placed:
                if (row.position or 0) < following:  # not at the end
                    self._open_gap(row.scope, row)
        return rows

    def replace(self, view: View, row: StoredMemory, memory: Memory) -> StoredMemory:
        """Gives a memory that a view sees other content; a fork gets a copy of what it inherited.

        Args:
            view: Who changes it.
            row: As it stands.
            memory: As it is to be; id, scope and kind stay.

        Returns:
            The memory's row; a fork's copy is in the fork's scope.
        """
        if not view.owns(row):
            copy = self._own_copy(view, row, memory)
            self._open_gap(view.scope, row, copy)
            return copy
        kept = self._keep_version(row)
        new = stored_row(
            memory, no=row.no, root=row.root, space=row.space, born=self.number if kept else row.born
        )
        self._update(new)
        if (row.text, row.speaker, row.known_by) != (new.text, new.speaker, new.known_by):
            self._unembedded[row.no] = new
            self._open_gap(row.scope, row, new)
        return new

    def supersede(self, old: Iterable[StoredMemory], new: StoredMemory) -> None:
        """Notes that `new` replaces `old`, for whoever sees `new`."""
        for row in old:
            edge = (new.space, row.root, new.root)
            self.connection.execute(
                "INSERT OR IGNORE INTO supersession VALUES (?, ?, ?, ?)", (*edge, content_checksum(edge))
            )
        self._mark_space(new.space)

    def branch(self, scope: Scope, parent: int, *, at: int, fork: Scope) -> None:
        """Makes a chat a fork of another from position `at` on."""
        space = self.space(fork)
        (no,) = self.connection.execute("SELECT coalesce(max(no), 0) + 1 FROM branch").fetchone()
        values = (no, space, encode_optional(scope.character), parent, at, self.number)
        self.connection.execute(
            "INSERT INTO branch VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, content_checksum(values))
        )

    def take_out(self, view: View, rows: Iterable[StoredMemory]) -> None:
        """Takes memories out of a chat; its forks go on seeing them. What nobody sees any more is deleted."""
        for row in rows:
            if not view.owns(row):
                self._hide(view, row)
            elif row.in_chat and seen_by_forks(self.connection, row):
                self._update(row._replace(retired=self.number))
            else:
                self._delete([row])
            self._open_gap(view.scope, row)

    def erase(self, view: View, rows: Iterable[StoredMemory]) -> None:
        """Deletes memories with all versions and copies of them; a fork's hold of inherited ones ends."""
        for row in rows:
            if not view.owns(row):
                self._hide(view, row)
                self._open_gap(view.scope, row)
                continue
            below = descendants(self.connection, row.space)
            # of a fork's own copy, the parent's stays
            versions = [v for v in fetch(self.connection, OF_ROOT, {"root": row.root}) if v.space in below]
            for version in versions:
                self._open_gaps_of_erased(version, below)
            self._delete(versions)

    def renew(self, row: StoredMemory) -> None:
        """Writes a row anew with its checksum and embeds it again; deletes it if it cannot be read."""
        try:
            row.memory()
        except StorageCorruptError:
            self._delete([row])
        else:
            self._update(row)
            self._unembedded[row.no] = row

    def reword(self, row: StoredMemory) -> None:
        """Makes the terms of a row anew."""
        self._update(row)
        self.connection.execute(
            "UPDATE vector SET terms = ?, changed = ? WHERE no = ?",
            (self._terms[row.no], self.number, row.no),
        )

    def settle(self) -> None:
        """Embeds what is new or has another turn before it. To be called when the rows are as they shall be.

        Raises:
            NotEmbedded: If more is to be embedded than should be while others wait.
        """
        new = list(self._new())
        stored = {embedding.row.no for embedding in new}
        shifted = [embedding for embedding in self._shifted() if embedding.row.no not in stored]
        self.encoder.prepare_inside([embedding.draft for embedding in [*new, *shifted]])
        self._put_vectors(new)
        for embedding in shifted:
            if not self._has_vectors(embedding):
                self._put_vectors([replace(embedding, row=self._own_row(embedding))])
            elif embedding.fork is None:
                self._put_previous(embedding)
        for pending in (self._unembedded, self._gaps, self._terms):
            pending.clear()

    # --- vectors -------------------------------------------------------------------------------------------

    def _open_gap(self, scope: Scope, *turns: StoredMemory) -> None:
        self._gaps += [_Gap(scope, turn) for turn in turns if turn.is_turn]

    def _open_gaps_of_erased(self, row: StoredMemory, erased_from: frozenset[int]) -> None:
        """As `_open_gap`, for the row's own chat and every fork that sees it."""
        if row.is_turn:
            scopes = [row.scope, *(fork.scope(row) for fork in forks_that_see(self.connection, row))]
            self._gaps += [_Gap(scope, row, erased_from) for scope in scopes]

    def _new(self) -> Iterator[_Embedding]:
        """What was stored or has other words, with the turn before it."""
        before: StoredMemory | None = None
        for row in self._unembedded.values():
            close = before is not None and _follows_closely(before, row)
            yield _Embedding(row, before if close else turn_before(self.connection, row))
            before = row

    def _shifted(self) -> Iterator[_Embedding]:
        """Turns after a gap, with what stands before them now."""
        seen: set[tuple[int, int | None]] = set()
        for gap in self._gaps:
            view = view_of(self.connection, gap.scope)
            for row in list(followers(self.connection, view.with_everyone(), gap.turn)):
                found = self._after_gap(gap, view, row)
                if found is not None:
                    key = row.no, None if found.fork is None else found.fork.own
                    if key not in seen:
                        seen.add(key)
                        yield found

    def _after_gap(self, gap: _Gap, view: View, row: StoredMemory) -> _Embedding | None:
        for_all = row.space in gap.erased_from
        if row.space == view.own or not row.in_chat:
            return _Embedding(row, turn_before(self.connection, row), for_all=for_all)
        assert view.fork is not None
        # in a fork, only its own character sees what all shared in the parent
        character = row.character or view.fork.character
        at = view_of(self.connection, replace(gap.scope, character=decode_optional(character)))
        if at.fork is None or at.fork.no != view.fork.no:
            return None
        previous = previous_turn(self.connection, at, row._replace(character=character))
        return _Embedding(row, previous, None if for_all else at, for_all)

    def _own_row(self, embedding: _Embedding) -> StoredMemory:
        """The row that may take other vectors: forks that see it have kept a version."""
        row = embedding.row
        if embedding.fork is not None:
            return self._own_copy(embedding.fork, row, row.memory())
        if not embedding.for_all and self._keep_version(row):
            row = row._replace(born=self.number)
        self._update(row)
        return row

    def _has_vectors(self, embedding: _Embedding) -> bool:
        stored = self.connection.execute(
            "SELECT vector, context FROM vector WHERE no = ?", (embedding.row.no,)
        ).fetchone()
        return bool(stored == self._packed([embedding])[0])

    def _packed(self, embeddings: Sequence[_Embedding]) -> list[tuple[bytes, bytes]]:
        embedded = self.encoder.embedded([embedding.draft for embedding in embeddings])
        return list(
            zip(self._format.pack(embedded.vectors), self._format.pack(embedded.contexts), strict=True)
        )

    def _put_vectors(self, embeddings: Sequence[_Embedding]) -> None:
        self.connection.executemany(
            _PUT_VECTOR,
            [
                (no, *vectors, self._terms[no], vector_checksum(*vectors, root), self.number, root)
                for no, root, vectors in zip(
                    (embedding.row.no for embedding in embeddings),
                    (embedding.root for embedding in embeddings),
                    self._packed(embeddings),
                    strict=True,
                )
            ],
        )

    def _put_previous(self, embedding: _Embedding) -> None:
        """Notes that another turn of the same words stands before a row."""
        (vectors,) = self._packed([embedding])
        self.connection.execute(
            "UPDATE vector SET previous = ?, checksum = ? WHERE no = ?",
            (embedding.root, vector_checksum(*vectors, embedding.root), embedding.row.no),
        )


def draft_of(row: StoredMemory, previous: StoredMemory | None) -> Draft:
    """What is embedded for a row with this turn before it."""
    return Draft(spoken(row), None if previous is None else spoken(previous))


def _follows_closely(before: StoredMemory, row: StoredMemory) -> bool:
    """Whether a turn was stored right after another one that all who see it see."""
    return (
        before.is_turn
        and row.is_turn
        and row.retired is None
        and before.space == row.space
        and row.position is not None
        and before.position == row.position - 1
        and shares_with(before, row)
    )
