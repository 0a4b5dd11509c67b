"""`ScopeView`: the index of what one scope sees, loaded from the file and kept up with it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.memory.codec import SqlText, VectorFormat, decode_names, decode_optional, vector_checksum
from romaine.memory.records import Category, Kind, Scope
from romaine.memory.scope_index import Entries, ScopeIndex
from romaine.memory.store import read_setting
from romaine.memory.terms import TermIds
from romaine.memory.views import SEEN, Segment, View, view_of

KINDS = tuple(Kind)
CATEGORIES = (None, *Category)
NOWHERE = -1
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
_LOOKED_UP_SINGLY = 64  # changed turns whose previous turn is looked up one by one
_KIND_CODES = {kind.value: code for code, kind in enumerate(KINDS)}
_CATEGORY_CODES = {None if c is None else c.value: code for code, c in enumerate(CATEGORIES)}

# Sorts numbers only: the LIMIT keeps SQLite from sorting rows with their vectors.
_LOAD = f"""
    SELECT m.no, m.kind, m.category, m.speaker, m.known_by, m.importance, m.pinned, m.cold, m.position,
        m.created_at, m.valid_from, m.valid_to, v.vector, v.context, v.terms, v.checksum
    FROM (SELECT m.no FROM memory m WHERE {SEEN} AND m.changed > :since ORDER BY m.no LIMIT -1) seen
    CROSS JOIN memory m ON m.no = seen.no CROSS JOIN vector v ON v.no = seen.no"""  # noqa: S608
_SEEN_SINCE = f"SELECT m.no FROM memory m WHERE {SEEN} AND m.changed > :since"  # noqa: S608
_COUNT_SINCE = f"SELECT count(*) FROM memory m WHERE {SEEN} AND m.changed > :since"  # noqa: S608
_CHANGED = "SELECT no FROM memory WHERE space = ? AND changed > ?"
_GONE = "SELECT memory FROM gone WHERE space = ? AND change > ?"
_ORDER = f"SELECT m.position, m.no FROM memory m WHERE {SEEN} AND m.kind = 'turn' AND m.position IS NOT NULL"  # noqa: S608
_BEFORE = f"""SELECT m.position, m.no FROM memory m WHERE {SEEN} AND m.kind = 'turn'
    AND m.position IS NOT NULL AND (m.position, m.no) < (:position, :no)
    ORDER BY m.position DESC, m.no DESC LIMIT 1"""  # noqa: S608


class ScopeView:
    """What one scope sees, ready to be searched. Take `lock` around what changes or searches it.

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
    """

    def __init__(self, scope: Scope, *, full_dim: int, dim: int, vector_format: VectorFormat) -> None:
        self.scope = scope
        self.lock = threading.RLock()
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
        self._speaker_codes: dict[SqlText | None, int] = {None: 0}
        self._witness_codes: dict[str | None, int] = {None: 0}
        self._known: set[int] = set()
        self._seen = 0

    @property
    def nbytes(self) -> int:
        """Bytes held, about."""
        return self.index.nbytes

    def catch_up(self, connection: sqlite3.Connection) -> bool:
        """Takes in what was written since the last time, by this process or another.

        Args:
            connection: Inside a read; the same state must serve what follows.

        Returns:
            Whether anything had changed.
        """
        last = int(read_setting(connection, "change") or 0)
        if last == self._seen:
            return False
        view = view_of(connection, self.scope)
        if view != self.view:  # a space, a fork or what it hides is new
            self._reset(view)
        else:
            self._drop_changed(connection)
        for segment in view.segments:
            self._load(connection, segment)
        self.superseders = view.superseders(connection)
        self._seen = last
        self.index.warm_up()
        return True

    def _drop_changed(self, connection: sqlite3.Connection) -> None:
        """Takes out what was deleted or is no longer seen."""
        for segment in self.view.segments:
            gone = [no for (no,) in connection.execute(_GONE, (segment.space, self._seen))]
            changed = [no for (no,) in connection.execute(_CHANGED, (segment.space, self._seen))]
            if len(self._known):
                values = segment.values | {"since": self._seen}
                seen = {row[0] for row in connection.execute(_SEEN_SINCE, values)} if changed else set()
                gone += [no for no in changed if no not in seen]
            doomed = self._known.intersection(gone)
            self.damaged.difference_update(gone)
            if doomed:
                self._known -= doomed
                self.index.remove(np.fromiter(doomed, np.int64, len(doomed)))

    def _load(self, connection: sqlite3.Connection, segment: Segment) -> None:
        values = segment.values | {"since": self._seen}
        (count,) = connection.execute(_COUNT_SINCE, values).fetchone()
        if not count:
            return
        previous = _Previous(connection, self.view, at_once=count > _LOOKED_UP_SINGLY)
        vectors = np.empty((count, self._full_dim), dtype=np.float32)
        contexts = np.empty_like(vectors)
        parts: list[_Part] = []
        start = 0
        cursor = connection.execute(_LOAD, values)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            sound = [row for row in rows if self._is_sound(row)]
            end = start + len(sound)
            vectors[start:end] = self._format.unpack([row[12] for row in sound], self._full_dim)
            contexts[start:end] = self._format.unpack([row[13] for row in sound], self._full_dim)
            parts.append(self._part(sound, previous))
            start = end
        whole = start == count  # a slice would be copied once more by the index
        self._take(
            Entries(
                ids=np.concatenate([part.ids for part in parts]),
                vectors=vectors if whole else vectors[:start],
                context_vectors=contexts if whole else contexts[:start],
                terms=[terms for part in parts for terms in part.terms],
                previous=np.concatenate([part.previous for part in parts]),
                attributes=np.concatenate([part.attributes for part in parts]),
            )
        )

    def _part(self, rows: Sequence[Any], previous: _Previous) -> _Part:
        return _Part(
            ids=np.array([row[0] for row in rows], dtype=np.int64),
            terms=[np.frombuffer(row[14], dtype="<u4") for row in rows],
            previous=np.array([previous.of(row) for row in rows], dtype=np.int64),
            attributes=np.array([self._attributes(row) for row in rows], dtype=ATTRIBUTES),
        )

    def _take(self, entries: Entries) -> None:
        nos = entries.ids.tolist()
        if self._known.isdisjoint(nos):
            self.index.add(entries)
        else:
            known = np.fromiter((no in self._known for no in nos), np.bool_, len(entries))
            self.index.add(_only(entries, ~known))
            self.index.update(_only(entries, known))
        self._known.update(nos)

    def _is_sound(self, row: Sequence[Any]) -> bool:
        vector, context, terms, checksum = row[12:16]
        sound = (
            len(vector) == len(context) == self._blob_size
            and len(terms) % 4 == 0
            and vector_checksum(vector, context) == checksum
        )
        if sound:
            self.damaged.discard(row[0])
        else:
            self.damaged.add(row[0])
            if row[0] in self._known:
                self._known.discard(row[0])
                self.index.remove(np.array([row[0]], dtype=np.int64))
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

    def _witness_code(self, names: str | None) -> int:
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


class _Previous:
    """Finds the number of the turn before each turn, as a view sees it."""

    def __init__(self, connection: sqlite3.Connection, view: View, *, at_once: bool) -> None:
        self._connection = connection
        self._view = view
        self._all: dict[int, int] | None = None
        if at_once:
            turns = sorted(
                row
                for s in view.segments
                for row in connection.execute(_ORDER, s.values)
                if row[0] is not None
            )
            nos = [no for _, no in turns]
            self._all = dict(zip(nos[1:], nos[:-1], strict=True))

    def of(self, row: Sequence[Any]) -> int:
        """Number of the turn before, or NOWHERE."""
        no, kind, position = row[0], row[1], row[8]
        if kind != Kind.TURN.value or position is None:
            return NOWHERE
        if self._all is not None:
            return self._all.get(no, NOWHERE)
        return max(self._candidates(no, position), default=(0, NOWHERE))[1]

    def _candidates(self, no: int, position: int) -> Iterator[tuple[int, int]]:
        for segment in self._view.segments:
            values = segment.values | {"position": position, "no": no}
            yield from self._connection.execute(_BEFORE, values)


def _only(entries: Entries, mask: NDArray[np.bool_]) -> Entries:
    return Entries(
        ids=entries.ids[mask],
        vectors=entries.vectors[mask],
        context_vectors=entries.context_vectors[mask],
        terms=[terms for terms, keep in zip(entries.terms, mask.tolist(), strict=True) if keep],
        previous=entries.previous[mask],
        attributes=entries.attributes[mask],
    )
