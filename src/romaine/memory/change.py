"""One write: what it does to the rows of the file. Meaning is decided above, durability below.

Rows are changed first; `settle` then embeds what is new, and every turn that has another one before it now,
so that the vectors are those of the rows whatever was done to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from romaine.memory.encoder import Draft, Encoder
from romaine.memory.forks import descendants, forks_that_see, seen_by_forks
from romaine.memory.language import Analyzer
from romaine.memory.records import Memory, Scope
from romaine.memory.row_writer import RowWriter
from romaine.memory.sequence import followers, previous_turn, shares_with, spoken, turn_before
from romaine.memory.storage import Transaction
from romaine.memory.stored import TURNS, RowVectors, Segment, StoredMemory, Wanted
from romaine.memory.views import View, view_of


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
    """What one transaction does.

    Args:
        transaction: What it is done in.
        encoder: What embeds.
        analyzer: Of the file.
    """

    def __init__(self, transaction: Transaction, encoder: Encoder, analyzer: Analyzer) -> None:
        super().__init__(transaction, analyzer)
        self.encoder = encoder
        self._gaps: list[_Gap] = []

    # --- what a write may do -------------------------------------------------------------------------------

    def insert(self, memories: Sequence[Memory]) -> list[StoredMemory]:
        """Adds memories, in the order of the story; their positions are given away for good."""
        spaces = {
            scope: self.transaction.make_space(scope.user, scope.chat)
            for scope in dict.fromkeys(memory.scope for memory in memories)
        }
        rows = [
            StoredMemory(
                row_id=row_id,
                root=row_id,
                space=spaces[memory.scope].row_id,
                born=self.transaction.next_version(memory.scope.user),
                retired=None,
                memory=memory if memory.superseded_by is None else memory.with_checked(superseded_by=None),
            )
            for row_id, memory in zip(self.transaction.new_row_ids(len(memories)), memories, strict=True)
        ]
        turns = [row for row in rows if row.is_turn]
        ends = {space: self._end_of(space) for space in {row.space for row in turns}}
        self._insert(rows)
        for space in {space.row_id for space in spaces.values()}:
            last = max(
                (row.position for row in rows if row.space == space and row.position is not None), default=-1
            )
            self.transaction.reserve_positions(space, last + 1)
        for row in turns:
            if row.position is not None and row.position < ends[row.space]:
                self._open_gap(row.scope, row)
        return rows

    def _end_of(self, space: int) -> int:
        """Position of the last turn of a space; a fork's copies stand beyond what was given away there."""
        everything = Segment(space, None, everyone=True)
        turns = self.transaction.rows(everything, Wanted(kinds=TURNS, before=(1 << 60, 0)))
        return next((row.position for row in turns if row.position is not None), -1)

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
        old, new = row.memory, replace(row, retired=None, memory=memory)
        # forks whose character did not know of it must not get to know it by what is changed afterwards
        is_told = old.known_by != memory.known_by and seen_by_forks(self.transaction, new)
        if self._keep_version(row) or is_told:
            new = replace(new, born=self._version_of(row))
        self._update(new)
        if (old.text, old.speaker, old.known_by) != (memory.text, memory.speaker, memory.known_by):
            self._unembedded[row.row_id] = new
            self._open_gap(row.scope, row, new)
        return new

    def supersede(self, old: Iterable[StoredMemory], new: StoredMemory) -> None:
        """Notes that `new` replaces `old`, for whoever sees `new`."""
        for row in old:
            self.transaction.supersede(new.space, row.root, new.root)

    def take_out(self, view: View, rows: Iterable[StoredMemory]) -> None:
        """Takes memories out of a chat; its forks go on seeing them. What nobody sees any more is deleted."""
        for row in rows:
            if not view.owns(row):
                self._hide(view, row)
            elif row.in_chat and seen_by_forks(self.transaction, row):
                self._update(replace(row, retired=self._version_of(row)))
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
            versions = list(self.transaction.rows(None, Wanted(root=row.root)))
            first = min(versions, key=lambda version: version.row_id)
            gone = frozenset({row.space})  # of a fork's own copy, the parent's and others' own stay
            if first.space == row.space:
                gone = descendants(self.transaction, row.space)
            versions = [version for version in versions if version.space in gone]
            for version in versions:
                self._open_gaps_of_erased(version, gone)
            self._delete(versions)

    def revive(self, row: StoredMemory) -> None:
        """Lets a row hold again that was taken out of its chat while forks saw it."""
        held = replace(row, retired=None)
        self._update(held)
        self._open_gap(row.scope, held)

    def renew(self, row: StoredMemory) -> None:
        """Writes a row anew and embeds it again."""
        self._update(row)
        self._unembedded[row.row_id] = row

    def reword(self, row: StoredMemory) -> None:
        """Makes the terms of a row anew."""
        self._update(row)

    def settle(self) -> None:
        """Embeds what is new or has another turn before it. To be called when the rows are as they shall be.

        Raises:
            NotEmbedded: If more is to be embedded than should be while others wait.
        """
        new = list(self._new())
        stored = {embedding.row.row_id for embedding in new}
        shifted = [embedding for embedding in self._shifted() if embedding.row.row_id not in stored]
        self.encoder.prepare_inside([embedding.draft for embedding in [*new, *shifted]])
        self._put_vectors(new)
        for embedding in shifted:
            if not self.transaction.has_vectors(self._vectors_of([embedding]))[0]:
                self._put_vectors([replace(embedding, row=self._own_row(embedding))])
            elif embedding.fork is None:
                self._update(embedding.row)
                self._put_vectors([embedding])  # another turn of the same words stands before it
        for pending in (self._unembedded, self._gaps, self._terms):
            pending.clear()

    # --- vectors -------------------------------------------------------------------------------------------

    def _open_gap(self, scope: Scope, *turns: StoredMemory) -> None:
        self._gaps += [_Gap(scope, turn) for turn in turns if turn.is_turn]

    def _open_gaps_of_erased(self, row: StoredMemory, erased_from: frozenset[int]) -> None:
        """As `_open_gap`, for the row's own chat and every fork that sees it."""
        if row.is_turn:
            scopes = [row.scope, *(fork.scope(row) for fork in forks_that_see(self.transaction, row))]
            self._gaps += [_Gap(scope, row, erased_from) for scope in scopes]

    def _new(self) -> Iterator[_Embedding]:
        """What was stored or has other words, with the turn before it."""
        before: StoredMemory | None = None
        for row in self._unembedded.values():
            close = before is not None and _follows_closely(before, row)
            yield _Embedding(row, before if close else turn_before(self.transaction, row))
            before = row

    def _shifted(self) -> Iterator[_Embedding]:
        """Turns after a gap, with what stands before them now."""
        seen: set[tuple[int, View | None]] = set()
        for gap in self._gaps:
            view = view_of(self.transaction, gap.scope)
            for row in list(followers(self.transaction, view.with_everyone(), gap.turn)):
                found = self._after_gap(gap, view, row)
                if found is not None:
                    key = row.row_id, found.fork
                    if key not in seen:
                        seen.add(key)
                        yield found

    def _after_gap(self, gap: _Gap, view: View, row: StoredMemory) -> _Embedding | None:
        for_all = row.space in gap.erased_from
        if view.owns(row):
            return _Embedding(row, turn_before(self.transaction, row), for_all=for_all)
        assert view.fork is not None
        # in a fork, only its own character sees what all shared in the parent
        shared = row.seen_by(view.fork)
        at = view_of(self.transaction, replace(gap.scope, character=shared.scope.character))
        if at.fork is None or at.fork.row_id != view.fork.row_id:
            return None
        previous = previous_turn(self.transaction, at, shared)
        return _Embedding(row, previous, None if for_all else at, for_all)

    def _own_row(self, embedding: _Embedding) -> StoredMemory:
        """The row that may take other vectors: forks that see it have kept a version."""
        row = embedding.row
        if embedding.fork is not None:
            return self._own_copy(embedding.fork, row, row.memory)
        if not embedding.for_all and self._keep_version(row):
            row = replace(row, born=self._version_of(row))
        self._update(row)
        return row

    def _vectors_of(self, embeddings: Sequence[_Embedding]) -> RowVectors:
        embedded = self.encoder.embedded([embedding.draft for embedding in embeddings])
        rows = [embedding.row for embedding in embeddings]
        return RowVectors(
            [row.row_id for row in rows],
            embedded.vectors,
            embedded.contexts,
            [embedding.root for embedding in embeddings],
            [self._terms_of(row) for row in rows],
            embedded.tokens,
        )

    def _put_vectors(self, embeddings: Sequence[_Embedding]) -> None:
        self.transaction.put_vectors(self._vectors_of(embeddings))


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
