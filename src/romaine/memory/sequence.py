"""The order of turns in a chat: where the next one goes, and which one stands before another.

A turn is also embedded together with the one before it. That one must be seen by everybody who sees the turn,
or a vector would tell one character what only another knows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from romaine.memory.change import Change
from romaine.memory.codec import decode_names, decode_optional, decode_text
from romaine.memory.encoder import Draft, Encoder
from romaine.memory.records import Kind, Memory, Scope
from romaine.memory.rows import COLUMNS, KNOWN_BY, to_memory
from romaine.memory.terms import document_text
from romaine.memory.views import View, space_of, view_of

_LOOK_AHEAD = 32  # turns of other characters that may stand between a turn and the one that follows it

_FOLLOWING = f"""SELECT {COLUMNS} FROM memory m JOIN space s ON s.no = m.space
    WHERE m.space = ? AND m.kind = 'turn' AND m.retired IS NULL AND m.position > ?
    ORDER BY m.position, m.no LIMIT ?"""  # noqa: S608


def next_position(connection: sqlite3.Connection, scope: Scope, view: View) -> int:
    """Returns the position of the next turn of a chat. A position is never given twice."""
    space = space_of(connection, scope.user, scope.chat)
    row = connection.execute("SELECT max(position) FROM memory WHERE space = ?", (space,)).fetchone()
    left_at = [segment.until for segment in view.segments if segment.until is not None]
    return max([-1 if row[0] is None else int(row[0]), *left_at]) + 1


def last_position(connection: sqlite3.Connection, view: View) -> int | None:
    """Returns the position of the latest turn a view sees, or None if it sees no turn."""
    rows = view.turns_before(connection, 1 << 60, 1)
    return rows[-1][9] if rows else None


def previous_text(
    connection: sqlite3.Connection,
    memory: Memory,
    *,
    edits: Mapping[int, Memory] | None = None,
    without: Collection[int] = (),
) -> str | None:
    """Returns the document text of the turn before a turn, or None if there is none.

    Args:
        connection: Inside a read or a write.
        memory: The turn.
        edits: Turns as they are about to be, by number.
        without: Numbers of turns that are about to go.
    """
    row = next((row for row in _rows_before(connection, memory) if row[0] not in without), None)
    if row is None:
        return None
    if edits and row[0] in edits:
        return document_text(edits[row[0]].text, edits[row[0]].speaker)
    return document_text(decode_text(row[6]), decode_optional(row[7]))


def changed_drafts(connection: sqlite3.Connection, edits: Mapping[int, Memory]) -> dict[int, Draft]:
    """Returns what has to be embedded anew when memories are edited: they, and the turns that follow them."""
    drafts: dict[int, Draft] = {}
    for no, memory in edits.items():
        if memory.kind is Kind.TURN:
            drafts[no] = Draft(memory, previous_text(connection, memory, edits=edits))
        else:
            drafts[no] = Draft(memory)
    for no, memory in edits.items():
        for follower_no, follower in _followers(connection, no, memory):
            if follower_no not in drafts:
                drafts[follower_no] = Draft(follower, document_text(memory.text, memory.speaker))
    return drafts


def drafts_without(connection: sqlite3.Connection, doomed: Mapping[int, Memory]) -> dict[int, Draft]:
    """Returns what has to be embedded anew when memories go: the turns that follow them."""
    return {
        follower_no: Draft(follower, previous_text(connection, follower, without=doomed))
        for no, memory in doomed.items()
        for follower_no, follower in _followers(connection, no, memory)
        if follower_no not in doomed
    }


def put_drafts(change: Change, encoder: Encoder, drafts: Mapping[int, Draft]) -> None:
    """Writes the vectors of drafts, by number."""
    if drafts:
        memories = [draft.memory for draft in drafts.values()]
        change.put_vectors(list(drafts), memories, encoder.embedded(list(drafts.values())))


def _rows_before(connection: sqlite3.Connection, memory: Memory) -> Iterator[Any]:
    """Rows of the turns before a turn that all who see it see, the nearest first."""
    if memory.position is None:
        return
    view = view_of(connection, memory.scope)
    position = memory.position
    while True:
        rows = view.turns_before(connection, position, 8)
        for row in reversed(rows):
            known_by = decode_names(row[KNOWN_BY])
            if not known_by or known_by == memory.known_by:
                yield row
        if len(rows) < 8:
            return
        position = rows[0][9]


def _followers(connection: sqlite3.Connection, no: int, memory: Memory) -> Iterator[tuple[int, Memory]]:
    """Turns of the same chat whose previous turn this one is."""
    if memory.kind is not Kind.TURN or memory.position is None:
        return
    space = space_of(connection, memory.scope.user, memory.scope.chat)
    for row in connection.execute(_FOLLOWING, (space, memory.position, _LOOK_AHEAD)).fetchall():
        follower = to_memory(row)
        before = next(_rows_before(connection, follower), None)
        if before is not None and before[0] == no:
            yield row[0], follower
