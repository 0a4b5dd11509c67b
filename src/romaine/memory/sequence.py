"""The order of turns in a chat: where the next one goes, and which one stands before another.

A turn is also embedded together with the one before it, its context. That one must be seen by everybody who
sees the turn, or a vector would tell one character what only another knows.
"""

from __future__ import annotations

from collections.abc import Iterator

from romaine.memory.forks import forks_that_see
from romaine.memory.storage import Snapshot
from romaine.memory.stored import StoredMemory, Wanted
from romaine.memory.terms import document_text
from romaine.memory.views import View, view_of


def next_position(view: View) -> int:
    """Returns the position of the next turn of a chat. A position is never given twice."""
    left_at = [segment.until + 1 for segment in view.segments if segment.until is not None]
    return max([0 if view.own is None else view.own.next_position, *left_at])


def last_position(snapshot: Snapshot, view: View) -> int | None:
    """Returns the position of the latest turn a view sees, or None if it sees no turn."""
    turns = view.turns_before(snapshot, 1 << 60, in_chat=view.scope.chat is not None)
    return next((turn.position for turn in turns if view.witnessed(turn)), None)


def shares_with(before: StoredMemory, turn: StoredMemory) -> bool:
    """Tells whether all who may see a turn may see the one before it, too."""
    if before.scope.character is not None and before.scope.character != turn.scope.character:
        return False
    return not before.memory.known_by or before.memory.known_by == turn.memory.known_by


def previous_turn(snapshot: Snapshot, view: View, turn: StoredMemory) -> StoredMemory | None:
    """Returns the turn before a turn that all who see it see, or None.

    Args:
        snapshot: What is read.
        view: Where the turn is seen.
        turn: The turn, stored or about to be.
    """
    if not turn.is_turn or turn.position is None:
        return None
    before = view.turns_before(snapshot, turn.position, in_chat=turn.in_chat)
    return next((row for row in before if shares_with(row, turn)), None)


def followers(snapshot: Snapshot, view: View, turn: StoredMemory) -> Iterator[StoredMemory]:
    """Yields turns that a turn may stand before, as `previous_turn` has it, whether it does or did.

    Args:
        snapshot: What is read.
        view: Where they are looked for; `View.with_everyone`, since a turn that all characters share stands
            before those of each.
        turn: As it is or was.
    """
    if not turn.is_turn or turn.position is None:
        return
    last: int | None = None
    for row in view.turns_after(snapshot, turn.position, in_chat=turn.in_chat):
        if last is not None and row.position != last:
            return
        if shares_with(turn, row):
            yield row
        # Beyond a turn that is shared with as many, nothing looks back to this one. What an import has put
        # at that turn's own position does: of those, none stands before another.
        is_shared = not row.memory.known_by or shares_with(row, turn)
        if is_shared and row.scope.character in (None, turn.scope.character):
            last = row.position


def turn_before(snapshot: Snapshot, row: StoredMemory, root: int | None = None) -> StoredMemory | None:
    """Returns the turn whose words are in the context of a row, or None.

    Args:
        snapshot: What is read.
        row: As it is in its own chat, or a version that only forks see.
        root: Of the turn that a version's context was made with, if that is known.
    """
    if row.retired is None:
        return previous_turn(snapshot, view_of(snapshot, row.scope), row)
    for fork in forks_that_see(snapshot, row):
        view = view_of(snapshot, fork.scope(row))
        if root is None:
            return previous_turn(snapshot, view, row.seen_by(fork))
        found = next(view.rows(snapshot, Wanted(root=root)), None)
        if found is not None:
            return found
    return None


def spoken(row: StoredMemory) -> str:
    """Returns the document text of a row."""
    return document_text(row.memory.text, row.memory.speaker)
