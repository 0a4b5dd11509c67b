"""What a scope may see. Whatever reads memories asks here; nothing else decides it.

A view is a list of segments, one for each space that is seen: what holds outside any chat, the chat itself
and, if the chat is a fork, its parents up to where it left them and as they were then (see `forks`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from romaine.memory.records import Memory, Scope
from romaine.memory.storage import Snapshot
from romaine.memory.stored import ALL, TURNS, Fork, Segment, Space, StoredMemory, Wanted


@dataclass(frozen=True)
class View:
    """What a scope may see: its segments, those outside a chat first, the scope's own chat last.

    Attributes:
        scope: Whose view.
        segments: One for each space.
        own: The space that the scope itself writes to, or None if nothing was ever put there.
        fork: What makes the scope's chat a fork, or None if it is none.
    """

    scope: Scope
    segments: tuple[Segment, ...]
    own: Space | None = None
    fork: Fork | None = None

    def witnessed(self, row: StoredMemory) -> bool:
        """Whether the scope's character is among those who know."""
        known_by = row.memory.known_by
        return not known_by or self.scope.character is None or self.scope.character in known_by

    def owns(self, row: StoredMemory) -> bool:
        """Whether a row that is seen is the scope's to change, and not inherited from a fork's parent."""
        return not row.in_chat or (self.own is not None and row.space == self.own.row_id)

    def continues(self, earlier: View) -> bool:
        """Whether it is an earlier view, but for what a fork has dropped since."""
        pairs = list(zip(earlier.segments, self.segments, strict=False))
        return len(earlier.segments) == len(self.segments) and all(
            old == replace(new, hidden=old.hidden) and old.hidden <= new.hidden for old, new in pairs
        )

    def with_everyone(self) -> View:
        """The view with what other characters have there; for keeping vectors, never for showing."""
        return replace(self, segments=tuple(replace(s, everyone=True) for s in self.segments))

    def rows(self, snapshot: Snapshot, wanted: Wanted) -> Iterator[StoredMemory]:
        """Rows that are seen and were witnessed, by segment."""
        return filter(self.witnessed, self.rows_witnessed_or_not(snapshot, wanted))

    def rows_witnessed_or_not(self, snapshot: Snapshot, wanted: Wanted) -> Iterator[StoredMemory]:
        """Rows that are seen, by segment: a fork's own last."""
        for segment in self.segments:
            yield from snapshot.rows(segment, wanted)

    def story(self, snapshot: Snapshot, wanted: Wanted = ALL) -> Iterator[StoredMemory]:
        """Rows that are seen and were witnessed in the order of the story; what has no place comes last."""
        for placed, key in ((True, _by_place), (False, _by_row)):
            parts = [snapshot.rows(segment, replace(wanted, placed=placed)) for segment in self.segments]
            yield from filter(self.witnessed, heapq.merge(*parts, key=key))

    def row_of_id(self, snapshot: Snapshot, memory_id: str) -> StoredMemory | None:
        """The memory of this id if it is seen, or None."""
        return next(self.rows(snapshot, Wanted(id=memory_id)), None)

    def turns_before(self, snapshot: Snapshot, position: int, *, in_chat: bool) -> Iterator[StoredMemory]:
        """The turns before a position, witnessed or not, the nearest first.

        Args:
            snapshot: What is read.
            position: Where in the story.
            in_chat: Whether those of the chat are meant, or those outside any.
        """
        wanted = Wanted(kinds=TURNS, before=(position, 0))
        return heapq.merge(*self._line(snapshot, wanted, in_chat), key=_by_place, reverse=True)

    def turns_after(self, snapshot: Snapshot, position: int, *, in_chat: bool) -> Iterator[StoredMemory]:
        """The turns after a position, witnessed or not, in order."""
        return heapq.merge(*self._line(snapshot, Wanted(kinds=TURNS, after=position), in_chat), key=_by_place)

    def memories(
        self,
        snapshot: Snapshot,
        rows: Iterable[StoredMemory],
        superseders: Mapping[int, Sequence[int]] | None = None,
    ) -> dict[int, Memory]:
        """Records by row, each with what supersedes it as far as this view sees that.

        Args:
            snapshot: What is read.
            rows: What is seen.
            superseders: What `View.superseders` gave for this state, if it is at hand.
        """
        superseded = self.superseded(snapshot, superseders)
        return {row.row_id: shown(row, superseded) for row in rows}

    def superseders(self, snapshot: Snapshot) -> dict[int, list[int]]:
        """Rows of what supersedes each superseded one, the newest last; not all need be seen."""
        found: dict[int, list[int]] = {}
        for segment in self.segments:
            for old, new in snapshot.superseded(segment.space):
                found.setdefault(old, []).append(new)
        return found

    def superseded(
        self, snapshot: Snapshot, superseders: Mapping[int, Sequence[int]] | None = None
    ) -> dict[int, str]:
        """Id of the newest memory that is seen and supersedes each superseded one, by its row."""
        edges = self.superseders(snapshot) if superseders is None else superseders
        wanted = {row_id for news in edges.values() for row_id in news}
        if not wanted:
            return {}
        ids = {row.row_id: row.memory.id for row in self.rows(snapshot, Wanted(row_ids=wanted))}
        seen = ((old, [ids[new] for new in news if new in ids]) for old, news in edges.items())
        return {old: news[-1] for old, news in seen if news}

    def _line(self, snapshot: Snapshot, wanted: Wanted, in_chat: bool) -> list[Iterator[StoredMemory]]:
        return [snapshot.rows(segment, wanted) for segment in self.segments if segment.in_chat == in_chat]


def shown(row: StoredMemory, superseded: Mapping[int, str]) -> Memory:
    """Returns the record of a row with what `View.superseded` says of it."""
    by = superseded.get(row.row_id)
    return row.memory if by is None else row.memory.with_checked(superseded_by=by)


def view_of(snapshot: Snapshot, scope: Scope) -> View:
    """Returns what a scope sees now."""
    own = snapshot.space(scope.user, scope.chat)
    segments: list[Segment] = []
    fork: Fork | None = None
    if scope.chat is not None and own is not None:
        segments, fork = _chat_segments(snapshot, own.row_id, scope.character)
    outside = own if scope.chat is None else snapshot.space(scope.user, None)
    if outside is not None:
        segments.append(Segment(outside.row_id, scope.character, in_chat=False))
    return View(scope, tuple(reversed(segments)), own, fork)


def _chat_segments(
    snapshot: Snapshot, space: int, character: str | None
) -> tuple[list[Segment], Fork | None]:
    """The chat, the one it was forked from, and so on; and what makes the first one a fork."""
    first: Fork | None = None
    until: int | None = None
    as_of: int | None = None
    hidden: frozenset[int] = frozenset()
    segments = [Segment(space, character)]
    while fork := snapshot.fork(space, character):
        first = first or fork
        hidden |= {
            root
            for root, version in snapshot.hidden(fork.row_id).items()
            if as_of is None or version <= as_of
        }
        until = fork.at if until is None else min(until, fork.at)
        as_of = fork.version if as_of is None else min(as_of, fork.version)
        space = fork.parent
        segments.append(Segment(space, character, until, as_of, hidden))
    return segments, first


def _by_place(row: StoredMemory) -> tuple[int, int]:
    return row.position or 0, row.row_id


def _by_row(row: StoredMemory) -> tuple[int, int]:
    return 0, row.row_id
