"""What a scope may see. Whatever reads memories asks here; nothing else decides it.

A view is a list of segments, one for each space that is seen: what holds outside any chat, the chat itself
and, if the chat is a fork, its parents up to where it left them and as they were then (see `forks`).
"""

from __future__ import annotations

import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from romaine.memory.codec import SqlText, decode_names, encode_optional, encode_text
from romaine.memory.forks import Fork, fork_at
from romaine.memory.records import Memory, Scope
from romaine.memory.rows import COLUMNS, StoredMemory, fetch

SEEN = """m.space = :space
    AND (:everyone OR m.character IS NULL OR m.character = :character)
    AND (:until IS NULL OR m.position IS NULL OR m.position <= :until)
    AND CASE WHEN :as_of IS NULL THEN m.retired IS NULL
             ELSE m.born <= :as_of AND (m.retired IS NULL OR m.retired > :as_of) END
    AND m.root NOT IN (SELECT value FROM json_each(:hidden))"""
"""What a segment sees of ``memory m``; its values come from `Segment.values`."""

_FROM = "FROM memory m JOIN space s ON s.no = m.space"
_PLACED = f"SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.position IS NOT NULL ORDER BY m.position, m.no"
_NOTES = f"SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.kind <> 'turn'"
_UNPLACED = f"SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.position IS NULL ORDER BY m.no"
_BY_NO = f"""SELECT {COLUMNS} FROM json_each(:nos) wanted CROSS JOIN memory m ON m.no = wanted.value
    JOIN space s ON s.no = m.space WHERE {SEEN.replace("m.space", "+m.space")}"""  # noqa: S608
_BY_ID = f"SELECT {COLUMNS} {_FROM} WHERE m.id = :id AND {SEEN.replace('m.space', '+m.space')}"
_BEFORE = f"""SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.kind = 'turn' AND m.position < :position
    ORDER BY m.position DESC, m.no DESC"""
_AFTER = f"""SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.kind = 'turn' AND m.position > :position
    ORDER BY m.position, m.no"""
_BY_SOURCE = f"SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.source_id = :source"
# compared as bytes: SQLite holds a text and a BLOB of the same characters to be different
_BY_SOURCE_PREFIX = f"""SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.source_id IS NOT NULL
    AND substr(CAST(m.source_id AS BLOB), 1, length(:prefix)) = :prefix"""
_BY_PARENT = f"SELECT {COLUMNS} {_FROM} WHERE {SEEN} AND m.parent_id = :parent"
_COUNTS = f"""SELECT m.kind, m.known_by, count(*), sum(m.pinned), sum(m.cold), sum(m.token_count)
    FROM memory m WHERE {SEEN} GROUP BY m.kind, m.known_by"""  # noqa: S608
_VERSIONS = (
    "SELECT no FROM memory WHERE no = :root UNION ALL SELECT no FROM memory WHERE root = :root AND root <> no"
)


@dataclass(frozen=True)
class Segment:
    """What a view sees of one space.

    Attributes:
        space: Number of the space.
        character: The asking scope's, as it stands in the file.
        until: Last position seen, or None.
        as_of: Change after which nothing is seen, or None.
        hidden: Roots of memories that forks below dropped.
        in_chat: Whether the space is a chat.
        everyone: Whether other characters' memories are seen, too.
    """

    space: int
    character: SqlText | None
    until: int | None = None
    as_of: int | None = None
    hidden: frozenset[int] = frozenset()
    in_chat: bool = True
    everyone: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """Values of `SEEN`."""
        return {
            "space": self.space,
            "character": self.character,
            "everyone": self.everyone,
            "until": self.until,
            "as_of": self.as_of,
            "hidden": json.dumps(sorted(self.hidden)),
        }


@dataclass(frozen=True)
class View:
    """What a scope may see: its segments, those outside a chat first, the scope's own chat last.

    Attributes:
        scope: Whose view.
        segments: One for each space.
        own: Number of the space that the scope itself writes to, or None if nothing was ever put there.
        fork: What makes the scope's chat a fork, or None if it is none.
    """

    scope: Scope
    segments: tuple[Segment, ...]
    own: int | None = None
    fork: Fork | None = None

    def witnessed(self, known_by: SqlText | None) -> bool:
        """Whether the scope's character is among those who know."""
        return (
            known_by is None or self.scope.character is None or self.scope.character in decode_names(known_by)
        )

    def owns(self, row: StoredMemory) -> bool:
        """Whether a row that is seen is the scope's to change, and not inherited from a fork's parent."""
        return row.space == self.own or not row.in_chat

    def continues(self, earlier: View) -> bool:
        """Whether it is an earlier view, but for what a fork has dropped since."""
        pairs = list(zip(earlier.segments, self.segments, strict=False))
        return len(earlier.segments) == len(self.segments) and all(
            old == replace(new, hidden=old.hidden) and old.hidden <= new.hidden for old, new in pairs
        )

    def with_everyone(self) -> View:
        """The view with what other characters have there; for keeping vectors, never for showing."""
        return replace(self, segments=tuple(replace(s, everyone=True) for s in self.segments))

    def all_rows(self, connection: sqlite3.Connection) -> Iterator[StoredMemory]:
        """All memories seen, in the order of the story; what has no place in it comes last."""
        yield from self._merged(connection, _PLACED, _by_position)
        yield from self._merged(connection, _UNPLACED, _by_no)

    def notes(self, connection: sqlite3.Connection) -> Iterator[StoredMemory]:
        """Facts, lore and summaries seen, by segment."""
        yield from self._rows(connection, _NOTES)

    def rows_of(self, connection: sqlite3.Connection, nos: Iterable[int]) -> Iterator[StoredMemory]:
        """Those of these rows that are seen."""
        yield from self._rows(connection, _BY_NO, nos=json.dumps(list(nos)))

    def row_of_id(self, connection: sqlite3.Connection, id_: bytes) -> StoredMemory | None:
        """The memory of this id if it is seen, or None."""
        return next(self._rows(connection, _BY_ID, id=id_), None)

    def children_of(self, connection: sqlite3.Connection, parent: SqlText) -> Iterator[StoredMemory]:
        """What was made from a message or memory."""
        yield from self._rows(connection, _BY_PARENT, parent=parent)

    def turns_before(
        self, connection: sqlite3.Connection, position: int, *, in_chat: bool
    ) -> Iterator[StoredMemory]:
        """The turns before a position, witnessed or not, the nearest first.

        Args:
            connection: Inside a read or a write.
            position: Where in the story.
            in_chat: Whether those of the chat are meant, or those outside any.
        """
        found = self._line(connection, _BEFORE, position, in_chat=in_chat)
        return heapq.merge(*found, key=_by_position, reverse=True)

    def turns_after(
        self, connection: sqlite3.Connection, position: int, *, in_chat: bool
    ) -> Iterator[StoredMemory]:
        """The turns after a position, witnessed or not, in order."""
        return heapq.merge(*self._line(connection, _AFTER, position, in_chat=in_chat), key=_by_position)

    def rows_of_source(self, connection: sqlite3.Connection, source: SqlText) -> list[StoredMemory]:
        """What comes from a message, witnessed or not, a fork's own last."""
        return list(self._seen(connection, _BY_SOURCE, source=source))

    def rows_of_source_prefix(self, connection: sqlite3.Connection, prefix: str) -> Iterator[StoredMemory]:
        """What comes from messages whose id begins so, by segment."""
        yield from self._rows(connection, _BY_SOURCE_PREFIX, prefix=prefix.encode("utf-8", "surrogatepass"))

    def counts(self, connection: sqlite3.Connection) -> Iterator[tuple[str, int, int, int, int]]:
        """Kind, number, number of pinned, number of cold and tokens of what is seen, in several rows."""
        for segment in self.segments:
            for kind, known_by, *figures in connection.execute(_COUNTS, segment.values):
                if self.witnessed(known_by):
                    yield kind, *figures

    def memories(
        self,
        connection: sqlite3.Connection,
        rows: Iterable[StoredMemory],
        superseders: Mapping[int, Sequence[int]] | None = None,
    ) -> dict[int, Memory]:
        """Records of rows by number, each with what supersedes it as far as this view sees that.

        Args:
            connection: Inside a read or a write.
            rows: What is seen.
            superseders: What `View.superseders` gave for this state, if it is at hand.
        """
        superseded = self.superseded(connection, superseders)
        return {row.no: row.memory(superseded.get(row.no)) for row in rows}

    def superseders(self, connection: sqlite3.Connection) -> dict[int, list[int]]:
        """Numbers of what supersedes each superseded memory, the newest last; not all need be seen."""
        found: dict[int, list[int]] = {}
        for segment in self.segments:
            edges = connection.execute(
                "SELECT old, new FROM supersession WHERE space = ? ORDER BY new", (segment.space,)
            ).fetchall()
            for old, new in edges:
                news = versions_of(connection, new)
                for no in versions_of(connection, old):
                    found.setdefault(no, []).extend(news)
        return found

    def superseded(
        self, connection: sqlite3.Connection, superseders: Mapping[int, Sequence[int]] | None = None
    ) -> dict[int, str]:
        """Id of the newest memory that is seen and supersedes each superseded one, by its number."""
        edges = self.superseders(connection) if superseders is None else superseders
        wanted = {no for news in edges.values() for no in news}
        ids = {row.no: row.memory().id for row in self.rows_of(connection, wanted)} if wanted else {}
        seen = ((old, [ids[new] for new in news if new in ids]) for old, news in edges.items())
        return {old: news[-1] for old, news in seen if news}

    def _seen(self, connection: sqlite3.Connection, query: str, **values: object) -> Iterator[StoredMemory]:
        for segment in self.segments:
            yield from fetch(connection, query, segment.values | values)

    def _rows(self, connection: sqlite3.Connection, query: str, **values: object) -> Iterator[StoredMemory]:
        return (row for row in self._seen(connection, query, **values) if self.witnessed(row.known_by))

    def _merged(self, connection: sqlite3.Connection, query: str, key: Any) -> Iterator[StoredMemory]:
        parts = [fetch(connection, query, segment.values) for segment in self.segments]
        return (row for row in heapq.merge(*parts, key=key) if self.witnessed(row.known_by))

    def _line(
        self, connection: sqlite3.Connection, query: str, position: int, *, in_chat: bool
    ) -> list[Iterator[StoredMemory]]:
        return [
            fetch(connection, query, segment.values | {"position": position})
            for segment in self.segments
            if segment.in_chat == in_chat
        ]


def versions_of(connection: sqlite3.Connection, root: int) -> list[int]:
    """Returns the rows of a memory: the one that holds, versions and copies."""
    return [no for (no,) in connection.execute(_VERSIONS, {"root": root})]


def space_of(connection: sqlite3.Connection, user: str, chat: str | None) -> int | None:
    """Returns the number of a space, or None if nothing was ever put there."""
    row = connection.execute(
        "SELECT no FROM space WHERE user = ? AND ifnull(chat, x'') = ifnull(?, x'')",
        (encode_text(user), encode_optional(chat)),
    ).fetchone()
    return None if row is None else int(row[0])


def view_of(connection: sqlite3.Connection, scope: Scope) -> View:
    """Returns what a scope sees now."""
    own = space_of(connection, scope.user, scope.chat)
    character = encode_optional(scope.character)
    segments: list[Segment] = []
    fork: Fork | None = None
    if scope.chat is not None and own is not None:
        segments, fork = _chat_segments(connection, own, character)
    outside = space_of(connection, scope.user, None)
    if outside is not None:
        segments.append(Segment(outside, character, in_chat=False))
    return View(scope, tuple(reversed(segments)), own, fork)


def _chat_segments(
    connection: sqlite3.Connection, space: int, character: SqlText | None
) -> tuple[list[Segment], Fork | None]:
    """The chat, the one it was forked from, and so on; and what makes the first one a fork."""
    first: Fork | None = None
    until: int | None = None
    as_of: int | None = None
    hidden: frozenset[int] = frozenset()
    segments = [Segment(space, character)]
    while found := fork_at(connection, space, character):
        fork, space = found
        first = first or fork
        dropped = connection.execute(
            "SELECT root FROM hidden WHERE branch = :branch AND (:as_of IS NULL OR change <= :as_of)",
            {"branch": fork.no, "as_of": as_of},
        )
        hidden |= {root for (root,) in dropped}
        until = fork.at if until is None else min(until, fork.at)
        as_of = fork.change if as_of is None else min(as_of, fork.change)
        segments.append(Segment(space, character, until, as_of, hidden))
    return segments, first


def _by_position(row: StoredMemory) -> tuple[int, int]:
    return row.position or 0, row.no


def _by_no(row: StoredMemory) -> int:
    return row.no
