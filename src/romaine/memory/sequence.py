"""The order of turns in a chat: where the next one goes, and which one stands before another.

A turn is also embedded together with the one before it, its context. That one must be seen by everybody who
sees the turn, or a vector would tell one character what only another knows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from romaine.memory.codec import decode_names, decode_optional, decode_text
from romaine.memory.forks import forks_that_see
from romaine.memory.records import Scope
from romaine.memory.rows import StoredMemory
from romaine.memory.terms import document_text
from romaine.memory.views import View, space_of, versions_of, view_of


def next_position(connection: sqlite3.Connection, scope: Scope, view: View) -> int:
    """Returns the position of the next turn of a chat. A position is never given twice."""
    space = space_of(connection, scope.user, scope.chat)
    row = connection.execute("SELECT next_position FROM space WHERE no = ?", (space,)).fetchone()
    left_at = [segment.until + 1 for segment in view.segments if segment.until is not None]
    return max([0 if row is None else int(row[0]), *left_at])


def last_position(connection: sqlite3.Connection, view: View) -> int | None:
    """Returns the position of the latest turn a view sees, or None if it sees no turn."""
    turns = view.turns_before(connection, 1 << 60, in_chat=view.scope.chat is not None)
    return next((turn.position for turn in turns if view.witnessed(turn.known_by)), None)


def shares_with(before: StoredMemory, turn: StoredMemory) -> bool:
    """Tells whether all who may see a turn may see the one before it, too."""
    if before.character is not None and before.character != turn.character:
        return False
    return before.known_by is None or decode_names(before.known_by) == decode_names(turn.known_by)


def previous_turn(connection: sqlite3.Connection, view: View, turn: StoredMemory) -> StoredMemory | None:
    """Returns the turn before a turn that all who see it see, or None.

    Args:
        connection: Inside a read or a write.
        view: Where the turn is seen.
        turn: The turn, stored or about to be.
    """
    if not turn.is_turn or turn.position is None:
        return None
    before = view.turns_before(connection, turn.position, in_chat=turn.in_chat)
    return next((row for row in before if shares_with(row, turn)), None)


def followers(connection: sqlite3.Connection, view: View, turn: StoredMemory) -> Iterator[StoredMemory]:
    """Yields turns that a turn may stand before, as `previous_turn` has it, whether it does or did.

    Args:
        connection: Inside a read or a write.
        view: Where they are looked for; `View.with_everyone`, since a turn that all characters share stands
            before those of each.
        turn: As it is or was.
    """
    if not turn.is_turn or turn.position is None:
        return
    for row in view.turns_after(connection, turn.position, in_chat=turn.in_chat):
        if shares_with(turn, row):
            yield row
        # beyond a turn that is shared with as many, nothing looks back to this one
        if row.character in (None, turn.character) and (row.known_by is None or shares_with(row, turn)):
            return


def turn_before(
    connection: sqlite3.Connection, row: StoredMemory, root: int | None = None
) -> StoredMemory | None:
    """Returns the turn whose words are in the context of a row, or None.

    Args:
        connection: Inside a read or a write.
        row: As it is in its own chat, or a version that only forks see.
        root: Of the turn that a version's context was made with, if that is known.
    """
    if row.retired is None:
        return previous_turn(connection, view_of(connection, row.scope), row)
    for fork in forks_that_see(connection, row):
        view = view_of(connection, fork.scope(row))
        if root is None:
            return previous_turn(connection, view, row._replace(character=row.character or fork.character))
        found = next(view.rows_of(connection, versions_of(connection, root)), None)
        if found is not None:
            return found
    return None


def spoken(row: StoredMemory) -> str:
    """Returns the document text of a row."""
    return document_text(decode_text(row.text), decode_optional(row.speaker))
