"""`ScopeView`: the index of what one scope sees, loaded from the file and kept up with it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import StorageCorruptError
from romaine.memory.candidates import Entries
from romaine.memory.codec import (
    SqlText,
    VectorFormat,
    decode_names,
    decode_optional,
    encode_text,
    vector_checksum,
)
from romaine.memory.locks import SharedLock
from romaine.memory.records import Category, Kind, Scope
from romaine.memory.scope_index import ScopeIndex
from romaine.memory.store import read_setting
from romaine.memory.terms import TermIds
from romaine.memory.turn_order import NOWHERE, Place, TurnOrder
from romaine.memory.views import SEEN, Segment, View, versions_of, view_of

KINDS = tuple(Kind)
CATEGORIES = (None, *Category)
FOREVER = int(np.iinfo(np.int64).max)

ATTRIBUTES = np.dtype(
    [
        ("kind", "i1"),  # index into KINDS
        ("category", "i1"),  # index into CATEGORIES
        ("speaker", "i4"),  # index into ScopeView.speakers
        ("witnesses", "i4"),  # index into ScopeView.witnesses
        ("importance", "f4"),
        ("pinned", "?"),
        ("cold", "?"),
        ("position", "i8"),  # NOWHERE outside a chat
        ("created", "i8"),  # microseconds since 1970
        ("valid_from", "i8"),
        ("valid_to", "i8"),  # FOREVER if it has no end
    ]
)

_ROWS_AT_ONCE = 4096
_FEW = 64  # changed turns whose neighbours are looked up one by one, and more in a large scope
_BEGINNING = -(1 << 62)  # before every change
_KIND_CODES = {kind.value: code for code, kind in enumerate(KINDS)}
_CATEGORY_CODES = {None if c is None else c.value: code for code, c in enumerate(CATEGORIES)}

# Sorts numbers only: the LIMIT keeps SQLite from sorting rows with their vectors.
_LOAD = f"""
    SELECT m.no, m.kind, m.category, m.speaker, m.known_by, m.importance, m.pinned, m.cold, m.position,
        m.created_at, m.valid_from, m.valid_to, v.vector, v.context, v.terms, v.checksum, v.previous
    FROM (SELECT m.no FROM memory m WHERE {SEEN} AND m.changed > :since ORDER BY m.no LIMIT -1) seen
    CROSS JOIN memory m ON m.no = seen.no CROSS JOIN vector v ON v.no = seen.no"""  # noqa: S608
_SEEN_SINCE = f"SELECT m.no, m.known_by FROM memory m WHERE {SEEN} AND m.changed > :since"  # noqa: S608
_COUNT_SINCE = f"SELECT count(*) FROM memory m WHERE {SEEN} AND m.changed > :since"  # noqa: S608
_CHANGED = "SELECT no FROM memory WHERE space = ? AND changed > ?"
_GONE = "SELECT memory FROM gone WHERE space = ? AND change > ?"
_MARKS = """SELECT no, changed FROM space WHERE user = :user AND ifnull(chat, x'') IN (x'', :chat)
    UNION SELECT no, changed FROM space WHERE no IN (SELECT value FROM json_each(:others))"""


class StaleRead(Exception):  # noqa: N818 - not an error: the recall begins anew
    """The index has taken in what was written after this state of the file."""


class ScopeView:
    """What one scope sees, ready to be searched; what its character did not witness is not in it.

    Args:
        scope: Whose view.
        full_dim: Components of a stored vector.
        dim: Components of the funnel's first stage.
        vector_format: How vectors are stored.

    Attributes:
        index: The index; its ids are the memories' numbers.
        speakers: Names that attributes refer to.
        witnesses: Sets of characters that attributes refer to; the first is empty and means everybody.
        superseders: Numbers of what replaces each superseded memory; not all need be seen.
        damaged: Numbers of memories whose stored vectors are damaged; they are not in the index.
        times: When each memory in the index was made, ascending, microseconds since 1970, int64 (n,).
    """

    def __init__(self, scope: Scope, *, full_dim: int, dim: int, vector_format: VectorFormat) -> None:
        self.scope = scope
        self._lock = SharedLock()
        self._full_dim, self._dim, self._format = full_dim, dim, vector_format
        self._blob_size = full_dim * vector_format.dtype.itemsize
        self._reset(View(scope, ()))

    def _reset(self, view: View) -> None:
        self.view = view
        self.index = ScopeIndex(full_dim=self._full_dim, dim=self._dim, attributes_dtype=ATTRIBUTES)
        self.speakers: list[str | None] = [None]
        self.witnesses: list[frozenset[str]] = [frozenset()]
        self.superseders: dict[int, list[int]] = {}
        self.damaged: set[int] = set()
        self.times: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._speaker_codes: dict[SqlText | None, int] = {None: 0}
        self._witness_codes: dict[SqlText | None, int] = {None: 0}
        self._known: set[int] = set()
        self._seen = _BEGINNING
        self._marks: frozenset[tuple[int, int]] = frozenset()

    @property
    def nbytes(self) -> int:
        """Bytes held, about."""
        return self.index.nbytes + self.times.nbytes

    def recency(self, created: NDArray[np.int64], known: NDArray[np.bool_] | None = None) -> FloatArray:
        """Shares of what the scope sees that is older, 0 for the oldest to 1 for the newest.

        Args:
            created: When memories were made, microseconds since 1970, (n,).
            known: Which rows there are for who asks, bool (rows,), None for all.

        Returns:
            float32 (n,).
        """
        times = self.times
        if known is not None:
            times = np.sort(self.index.attributes["created"][self.index.alive & known])
        return (np.searchsorted(times, created) / max(len(times) - 1, 1)).astype(np.float32)

    @contextmanager
    def at(self, connection: sqlite3.Connection) -> Iterator[bool]:
        """Takes in what was written since the last time, and lets others only read until the end.

        Args:
            connection: Inside a read; the same state must serve what follows.

        Returns:
            Whether anything had changed.

        Raises:
            StaleRead: If another thread has already taken in what was written after that state.
        """
        changed = False
        while True:
            with self._lock.shared():
                if self._is_at(connection):
                    yield changed
                    return
            with self._lock.alone():
                if not self._is_at(connection):
                    self._catch_up(connection)
                    changed = True

    def _is_at(self, connection: sqlite3.Connection) -> bool:
        """Whether the index is that of a state of the file."""
        last = int(read_setting(connection, "change") or 0)
        if last < self._seen:
            raise StaleRead
        if last > self._seen and self._marks_of(connection, self.view) == self._marks:
            self._seen = last  # what was written is somebody else's
        return last == self._seen

    def _marks_of(self, connection: sqlite3.Connection, view: View) -> frozenset[tuple[int, int]]:
        """The last change of each space that is seen or would be seen if it were there."""
        values = {
            "user": encode_text(self.scope.user),
            "chat": b"" if self.scope.chat is None else encode_text(self.scope.chat),
            "others": json.dumps([segment.space for segment in view.segments]),
        }
        return frozenset(connection.execute(_MARKS, values))

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        view = view_of(connection, self.scope)
        try:
            gaps: list[Place] = []
            if view.continues(self.view):
                gaps = self._drop(connection, view)
                self.view = view
            else:
                self._reset(view)
            for segment in view.segments:
                gaps += self._load(connection, segment)
            self._close_gaps(connection, gaps)
            self.superseders = view.superseders(connection)
            created = self.index.attributes["created"][self.index.alive]
            self.times = np.sort(created, kind="stable")
            self.index.warm_up()
            self._marks = self._marks_of(connection, view)
            self._seen = int(read_setting(connection, "change") or 0)
        except BaseException:
            self._reset(View(self.scope, ()))
            raise

    def _drop(self, connection: sqlite3.Connection, view: View) -> list[Place]:
        """Takes out what was deleted or is no longer seen; returns where turns stood."""
        gone: list[int] = []
        for old, segment in zip(self.view.segments, view.segments, strict=True):
            for root in segment.hidden - old.hidden:
                gone += versions_of(connection, root)
            gone += [no for (no,) in connection.execute(_GONE, (segment.space, self._seen))]
            changed = [no for (no,) in connection.execute(_CHANGED, (segment.space, self._seen))]
            if changed:
                rows = connection.execute(_SEEN_SINCE, segment.values | {"since": self._seen})
                seen = {no for no, known_by in rows if view.witnessed(known_by)}
                gone += [no for no in changed if no not in seen]
        self.damaged.difference_update(gone)
        return self._take_out(self._known.intersection(gone))

    def _take_out(self, doomed: Collection[int]) -> list[Place]:
        if not doomed:
            return []
        self._known.difference_update(doomed)
        nos = np.fromiter(doomed, np.int64, len(doomed))
        rows = self.index.rows_of(nos)
        kinds, positions = (self.index.attributes[name][rows] for name in ("kind", "position"))
        self.index.remove(nos)
        turns = positions[(kinds == _KIND_CODES[Kind.TURN.value]) & (positions != NOWHERE)].tolist()
        # whether it stood in the chat is not told by an attribute; a look too many does no harm
        return [(position, in_chat) for position in turns for in_chat in (True, False)]

    def _load(self, connection: sqlite3.Connection, segment: Segment) -> list[Place]:
        """Takes in what is new in a segment; returns where turns stand."""
        values = segment.values | {"since": self._seen}
        (count,) = connection.execute(_COUNT_SINCE, values).fetchone()
        if not count:
            return []
        previous = TurnOrder(
            connection, self.view, segment.in_chat, at_once=count > max(_FEW, len(self._known) // 50)
        )
        vectors = np.empty((count, self._full_dim), dtype=np.float32)
        contexts = np.empty_like(vectors)
        parts: list[_Part] = []
        start, cursor = 0, connection.execute(_LOAD, values)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            sound = [row for row in rows if self.view.witnessed(row[4]) and self._take_if_sound(row)]
            end = start + len(sound)
            if end > count:
                raise StorageCorruptError("an index of the memory file is damaged; verify() says which")
            vectors[start:end] = self._format.unpack([row[12] for row in sound], self._full_dim)
            contexts[start:end] = self._format.unpack([row[13] for row in sound], self._full_dim)
            parts.append(self._part(sound, previous))
            start = end
        if not parts:
            return []
        whole = start == count  # a slice would be copied once more by the index
        entries = Entries(
            ids=np.concatenate([part.ids for part in parts]),
            vectors=vectors if whole else vectors[:start],
            context_vectors=contexts if whole else contexts[:start],
            terms=[terms for part in parts for terms in part.terms],
            previous=np.concatenate([part.previous for part in parts]),
            attributes=np.concatenate([part.attributes for part in parts]),
        )
        self._take(entries)
        if previous.is_whole:
            self.index.relink(*previous.followers_of(entries.ids))
            return []
        placed = entries.attributes["position"][entries.attributes["kind"] == _KIND_CODES[Kind.TURN.value]]
        return [(position, segment.in_chat) for position in placed.tolist() if position != NOWHERE]

    def _close_gaps(self, connection: sqlite3.Connection, places: Sequence[Place]) -> None:
        """Links each turn after a place where turns came or went with the one that stands before it now."""
        for in_chat in (True, False):
            order = TurnOrder(connection, self.view, in_chat, at_once=False)
            after = {order.after(position) for position, at in dict.fromkeys(places) if at == in_chat}
            links = [(no, order.before(position, no)) for position, no in after if no != NOWHERE]
            if links:
                ids, previous = zip(*links, strict=True)
                self.index.relink(np.array(ids, dtype=np.int64), np.array(previous, dtype=np.int64))

    def _part(self, rows: Sequence[Any], order: TurnOrder) -> _Part:
        return _Part(
            ids=np.array([row[0] for row in rows], dtype=np.int64),
            terms=[np.frombuffer(row[14], dtype="<u4") for row in rows],
            previous=np.array([order.of(row[0], row[1], row[8]) for row in rows], dtype=np.int64),
            attributes=np.array([self._attributes(row) for row in rows], dtype=ATTRIBUTES),
        )

    def _take(self, entries: Entries) -> None:
        nos = entries.ids.tolist()
        if self._known.isdisjoint(nos):
            self.index.add(entries)
        else:
            known = np.fromiter((no in self._known for no in nos), np.bool_, len(entries))
            self.index.add(entries.where(~known))
            self.index.update(entries.where(known))
        self._known.update(nos)

    def _take_if_sound(self, row: Sequence[Any]) -> bool:
        """Whether a row's vectors are whole; notes those that are not."""
        no, (vector, context, terms, checksum, previous) = row[0], row[12:17]
        sound = (
            row[1] in _KIND_CODES
            and row[2] in _CATEGORY_CODES
            and len(vector) == len(context) == self._blob_size
            and len(terms) % 4 == 0
            and vector_checksum(vector, context, previous) == checksum
        )
        if sound:
            self.damaged.discard(no)
        else:
            self.damaged.add(no)
            self._take_out(self._known.intersection([no]))
        return sound

    def _attributes(self, row: Sequence[Any]) -> tuple[Any, ...]:
        (_, kind, category, speaker, known_by, importance, pinned, cold, position) = row[:9]
        created, valid_from, valid_to = row[9:12]
        return (
            _KIND_CODES[kind],
            _CATEGORY_CODES[category],
            self._speaker_code(speaker),
            self._witness_code(known_by),
            importance,
            pinned,
            cold,
            NOWHERE if position is None else position,
            created,
            NOWHERE if valid_from is None else valid_from,
            FOREVER if valid_to is None else valid_to,
        )

    def _speaker_code(self, name: SqlText | None) -> int:
        code = self._speaker_codes.setdefault(name, len(self.speakers))
        if code == len(self.speakers):
            self.speakers.append(decode_optional(name))
        return code

    def _witness_code(self, names: SqlText | None) -> int:
        code = self._witness_codes.setdefault(names, len(self.witnesses))
        if code == len(self.witnesses):
            self.witnesses.append(decode_names(names))
        return code


@dataclass(frozen=True)
class _Part:
    """Rows as columns, but for their vectors."""

    ids: NDArray[np.int64]
    terms: list[TermIds]
    previous: NDArray[np.int64]
    attributes: NDArray[Any]
