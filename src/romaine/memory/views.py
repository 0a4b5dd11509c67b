"""What a scope may see. Whatever reads memories asks here; nothing else decides it.

A view is a list of segments, one for each space that is seen: what holds outside any chat, the chat itself
and, if the chat is a fork, its parents up to where it left them and as they were then.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from romaine.memory.codec import SqlText, decode_names, encode_optional, encode_text
from romaine.memory.records import Memory, Scope
from romaine.memory.rows import COLUMNS, KNOWN_BY, to_memory

SEEN = """m.space = :space
    AND (m.character IS NULL OR m.character = :character)
    AND (:until IS NULL OR m.position IS NULL OR m.position <= :until)
    AND CASE WHEN :as_of IS NULL THEN m.retired IS NULL
             ELSE m.born <= :as_of AND (m.retired IS NULL OR m.retired > :as_of) END
    AND m.no NOT IN (SELECT value FROM json_each(:hidden))"""
"""What a segment sees of ``memory m``; its values come from `Segment.values`."""

_FROM = "FROM memory m JOIN space s ON s.no = m.space"
_ALL = f"SELECT {COLUMNS} {_FROM} WHERE {SEEN} ORDER BY m.position IS NULL, m.position, m.no"
_BY_NO = f"""SELECT {COLUMNS} FROM json_each(:nos) wanted CROSS JOIN memory m ON m.no = wanted.value
    JOIN space s ON s.no = m.space WHERE {SEEN.replace("m.space", "+m.space")}"""  # noqa: S608
_BY_ID = f"SELECT {COLUMNS} {_FROM} WHERE m.id = :id AND {SEEN.replace('m.space', '+m.space')}"
_TURNS = f"""SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.kind = 'turn'
    AND m.position BETWEEN :first AND :last ORDER BY m.position, m.no"""
_BEFORE = f"""SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.kind = 'turn' AND m.position < :position
    ORDER BY m.position DESC, m.no DESC"""
_AFTER = f"""SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.kind = 'turn' AND m.position > :position
    ORDER BY m.position, m.no"""
_BY_SOURCE = f"SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.source_id = :source"
# compared as bytes: SQLite holds a text and a BLOB of the same characters to be different
_BY_SOURCE_PREFIX = f"""SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.source_id IS NOT NULL
    AND substr(CAST(m.source_id AS BLOB), 1, length(:prefix)) = :prefix"""
_SUPERSEDERS = """SELECT p.old, p.new FROM memory m JOIN supersession p ON p.new = m.no
    WHERE m.space = :space ORDER BY p.new"""


@dataclass(frozen=True)
class Segment:
    """What a view sees of one space.

    Attributes:
        space: Number of the space.
        character: The asking scope's, as it stands in the file.
        until: Last position seen, or None.
        as_of: Change after which nothing is seen, or None.
        hidden: Numbers of memories that the fork dropped.
    """

    space: int
    character: SqlText | None
    until: int | None = None
    as_of: int | None = None
    hidden: frozenset[int] = frozenset()

    @property
    def values(self) -> dict[str, Any]:
        """Values of `SEEN`."""
        return {
            "space": self.space,
            "character": self.character,
            "until": self.until,
            "as_of": self.as_of,
            "hidden": json.dumps(sorted(self.hidden)),
        }


@dataclass(frozen=True)
class View:
    """What a scope may see: its segments, those outside a chat first, the scope's own chat last."""

    scope: Scope
    segments: tuple[Segment, ...]

    @property
    def spaces(self) -> tuple[int, ...]:
        """Numbers of the spaces seen."""
        return tuple(segment.space for segment in self.segments)

    def witnessed(self, known_by: frozenset[str]) -> bool:
        """Whether the scope's character is among those who know."""
        return not known_by or self.scope.character is None or self.scope.character in known_by

    def all_rows(self, connection: sqlite3.Connection) -> Iterator[Any]:
        """Rows of all memories seen, by position within each segment."""
        yield from self._rows(connection, _ALL)

    def rows_of(self, connection: sqlite3.Connection, nos: Iterable[int]) -> Iterator[Any]:
        """Rows of those of these numbers that are seen."""
        yield from self._rows(connection, _BY_NO, nos=json.dumps(list(nos)))

    def row_of_id(self, connection: sqlite3.Connection, id_: bytes, *, witnessed: bool = True) -> Any | None:
        """The row of this id if it is seen, or None; `witnessed=False` lets what others witnessed through."""
        for segment in self.segments:
            for row in connection.execute(_BY_ID, segment.values | {"id": id_}):
                if not witnessed or self.witnessed(decode_names(row[KNOWN_BY])):
                    return row
        return None

    def turn_rows(self, connection: sqlite3.Connection, first: int, last: int) -> list[Any]:
        """Rows of the turns from position `first` to `last`, in order."""
        rows = self._rows(connection, _TURNS, first=first, last=last)
        return sorted(rows, key=_by_position)

    def turns_before(self, connection: sqlite3.Connection, position: int, count: int) -> list[Any]:
        """Rows of the `count` turns before a position, in order."""
        rows = self._nearest(connection, _BEFORE, position, count)
        return sorted(rows, key=_by_position)[-count:] if count else []

    def turns_after(self, connection: sqlite3.Connection, position: int, count: int) -> list[Any]:
        """Rows of the `count` turns after a position, in order."""
        rows = self._nearest(connection, _AFTER, position, count)
        return sorted(rows, key=_by_position)[:count]

    def rows_of_source(self, connection: sqlite3.Connection, source: SqlText) -> list[Any]:
        """Rows of what comes from a message, witnessed or not, a fork's own last."""
        return [
            row
            for segment in self.segments
            for row in connection.execute(_BY_SOURCE, segment.values | {"source": source})
        ]

    def rows_of_source_prefix(self, connection: sqlite3.Connection, prefix: str) -> Iterator[Any]:
        """Rows of what comes from messages whose id begins so, by segment."""
        yield from self._rows(connection, _BY_SOURCE_PREFIX, prefix=prefix.encode("utf-8", "surrogatepass"))

    @staticmethod
    def memory(row: Any, superseded_by: str | None = None) -> Memory:
        """The record of a row."""
        return to_memory(row, superseded_by)

    def memories(self, connection: sqlite3.Connection, rows: Iterable[Any]) -> dict[int, Memory]:
        """Records of rows by number, each with what supersedes it as far as this view sees that."""
        kept = list(rows)
        superseded = self.superseded(connection) if any(row[5] != "turn" for row in kept) else {}
        return {row[0]: to_memory(row, superseded.get(row[0])) for row in kept}

    def superseders(self, connection: sqlite3.Connection) -> dict[int, list[int]]:
        """Numbers of what supersedes each superseded memory, the newest last; not all need be seen."""
        found: dict[int, list[int]] = {}
        for segment in self.segments:
            for old, new in connection.execute(_SUPERSEDERS, {"space": segment.space}):
                found.setdefault(old, []).append(new)
        return found

    def superseded(self, connection: sqlite3.Connection) -> dict[int, str]:
        """Id of the newest memory that is seen and supersedes each superseded one, by its number."""
        edges = self.superseders(connection)
        wanted = {no for news in edges.values() for no in news}
        ids = {row[0]: to_memory(row).id for row in self.rows_of(connection, wanted)} if wanted else {}
        seen = ((old, [ids[new] for new in news if new in ids]) for old, news in edges.items())
        return {old: news[-1] for old, news in seen if news}

    def _rows(self, connection: sqlite3.Connection, query: str, **values: object) -> Iterator[Any]:
        for segment in self.segments:
            for row in connection.execute(query, segment.values | values):
                if self.witnessed(decode_names(row[KNOWN_BY])):
                    yield row

    def _nearest(
        self, connection: sqlite3.Connection, query: str, position: int, count: int
    ) -> Iterator[Any]:
        for segment in self.segments:
            left = count
            for row in connection.execute(query, segment.values | {"position": position}):
                if not left:
                    break
                if self.witnessed(decode_names(row[KNOWN_BY])):
                    left -= 1
                    yield row


def space_of(connection: sqlite3.Connection, user: str, chat: str | None) -> int | None:
    """Returns the number of a space, or None if nothing was ever put there."""
    row = connection.execute(
        "SELECT no FROM space WHERE user = ? AND ifnull(chat, x'') = ifnull(?, x'')",
        (encode_text(user), encode_optional(chat)),
    ).fetchone()
    return None if row is None else int(row[0])


def view_of(connection: sqlite3.Connection, scope: Scope) -> View:
    """Returns what a scope sees now."""
    segments = _chat_segments(connection, scope) if scope.chat is not None else []
    outside = space_of(connection, scope.user, None)
    if outside is not None:
        segments.append(Segment(outside, encode_optional(scope.character)))
    return View(scope, tuple(reversed(segments)))


def _chat_segments(connection: sqlite3.Connection, scope: Scope) -> list[Segment]:
    """The chat, the one it was forked from, and so on."""
    space = space_of(connection, scope.user, scope.chat)
    character = encode_optional(scope.character)
    until: int | None = None
    as_of: int | None = None
    hidden: frozenset[int] = frozenset()
    segments: list[Segment] = []
    while space is not None:
        dropped = connection.execute(
            "SELECT memory FROM hidden WHERE space = ? AND (? IS NULL OR change <= ?)", (space, as_of, as_of)
        )
        hidden |= {no for (no,) in dropped}
        segments.append(Segment(space, character, until, as_of, hidden))
        fork = connection.execute(
            "SELECT parent, at, change FROM branch WHERE space = ? AND (character IS NULL OR character = ?)",
            (space, character),
        ).fetchone()
        if fork is None:
            break
        space, at, change = fork
        until = at if until is None else min(until, at)
        as_of = change if as_of is None else min(as_of, change)
    return segments


def _by_position(row: Any) -> tuple[int, int]:
    return row[9], row[0]
