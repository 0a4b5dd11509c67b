"""`ScopeView`: the index of what one scope sees, loaded from the file and kept up with it."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import StorageCorruptError
from romaine.memory.candidates import Entries
from romaine.memory.locks import SharedLock
from romaine.memory.records import Category, Kind, Scope
from romaine.memory.scope_index import ScopeIndex
from romaine.memory.storage import Snapshot
from romaine.memory.stored import IndexRows, Segment, Wanted
from romaine.memory.terms import TermIds
from romaine.memory.token_cache import TokenCache
from romaine.memory.turn_order import NOWHERE, lines_of
from romaine.memory.views import View, view_of

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
        ("position", "i8"),  # NOWHERE outside the story
        ("in_chat", "?"),
        ("created", "i8"),  # microseconds since 1970
        ("valid_from", "i8"),
        ("valid_to", "i8"),  # FOREVER if it has no end
    ]
)

_BEGINNING = -1  # before every version
_KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}
TURN = _KIND_CODES[Kind.TURN]
"""Code of a turn in the attributes."""
_CATEGORY_CODES = {category: code for code, category in enumerate(CATEGORIES)}


Name = TypeVar("Name", bound=Hashable)


class StaleRead(Exception):  # noqa: N818 - not an error: the recall begins anew
    """The index has taken in what was written after this state of the file."""


class ScopeView:
    """What one scope sees, ready to be searched; what its character did not witness is not in it.

    Args:
        scope: Whose view.
        full_dim: Components of a stored vector.
        dim: Components of the funnel's first stage.

    Attributes:
        index: The index; its ids are row ids.
        speakers: Names that attributes refer to.
        witnesses: Sets of characters that attributes refer to; the first is empty and means everybody.
        superseders: Rows of what replaces each superseded one; not all need be seen.
        damaged: Rows whose stored vectors are damaged; they are not in the index.
        times: When each memory in the index was made, ascending, microseconds since 1970, int64 (n,).
        tokens: Vectors of the tokens of those that were looked at lately.
    """

    def __init__(self, scope: Scope, *, full_dim: int, dim: int) -> None:
        self.scope = scope
        self._lock = SharedLock()
        self._full_dim, self._dim = full_dim, dim
        self._reset(View(scope, ()))

    def _reset(self, view: View) -> None:
        self.view = view
        self.index = ScopeIndex(full_dim=self._full_dim, dim=self._dim, attributes_dtype=ATTRIBUTES)
        self.speakers: list[str | None] = [None]
        self.witnesses: list[frozenset[str]] = [frozenset()]
        self.superseders: dict[int, list[int]] = {}
        self.damaged: set[int] = set()
        self.times: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._recency: FloatArray | None = None  # of all rows, until they change
        self.tokens = TokenCache()
        self._speaker_codes: dict[str | None, int] = {None: 0}
        self._witness_codes: dict[frozenset[str], int] = {frozenset(): 0}
        self._known: set[int] = set()
        self._seen = _BEGINNING
        self._marks: frozenset[tuple[int, int]] = frozenset()
        self._bounded: NDArray[np.intp] | None = None
        self._is_ordered = True

    @property
    def bounded(self) -> NDArray[np.intp]:
        """Rows that hold only in some part of the story, intp (n,); of most scopes none."""
        if self._bounded is None:
            starts, ends = (self.index.attributes[name] for name in ("valid_from", "valid_to"))
            self._bounded = np.flatnonzero((starts != NOWHERE) | (ends != FOREVER))
        return self._bounded

    @property
    def nbytes(self) -> int:
        """Bytes held, about."""
        return self.index.nbytes + self.times.nbytes + self.tokens.nbytes

    def recency(self, rows: NDArray[np.intp], known: NDArray[np.bool_] | None = None) -> FloatArray:
        """Shares of what the scope sees that is older, 0 for the oldest to 1 for the newest.

        Args:
            rows: Of which rows, (n,).
            known: Which rows there are for who asks, bool (rows,), None for all.

        Returns:
            float32 (n,).
        """
        created, times = self.index.attributes["created"], self.times
        if known is not None:
            times = np.sort(created[self.index.alive & known])
        elif len(rows) == len(created):  # of all, as in most recalls of a scope that is not large
            if self._recency is None:
                self._recency = _shares_before(times, created)
            return self._recency[rows]
        return _shares_before(times, created[rows])

    @contextmanager
    def at(self, snapshot: Snapshot) -> Iterator[bool]:
        """Takes in what was written since the last time, and lets others only read until the end.

        Args:
            snapshot: What is read; the same must serve what follows.

        Returns:
            Whether anything had changed.

        Raises:
            StaleRead: If another thread has already taken in what was written after that state.
        """
        changed = False
        while True:
            with self._lock.shared():
                if self._is_at(snapshot):
                    yield changed
                    return
            with self._lock.alone():
                if not self._is_at(snapshot):
                    self._catch_up(snapshot)
                    changed = True

    def _is_at(self, snapshot: Snapshot) -> bool:
        """Whether the index is that of a state of the file."""
        last = snapshot.version(self.scope.user)
        if last < self._seen:
            raise StaleRead
        if last > self._seen != _BEGINNING and self._marks_of(snapshot, self.view) == self._marks:
            self._seen = last  # what was written is somebody else's
        return last == self._seen

    def _marks_of(self, snapshot: Snapshot, view: View) -> frozenset[tuple[int, int]]:
        """The last version of each space that is seen or would be seen if it were there."""
        return snapshot.space_versions(self.scope, [segment.space for segment in view.segments])

    def _catch_up(self, snapshot: Snapshot) -> None:
        view = view_of(snapshot, self.scope)
        try:
            if view.continues(self.view):
                self._drop(snapshot, view)
                self.view = view
            else:
                self._reset(view)
            for segment in view.segments:
                self._load(snapshot, segment)
            self._order_turns()
            self.superseders = view.superseders(snapshot)
            created = self.index.attributes["created"][self.index.alive]
            self.times, self._recency = np.sort(created, kind="stable"), None
            self.index.warm_up()
            self._marks = self._marks_of(snapshot, view)
            self._seen = snapshot.version(self.scope.user)
        except BaseException:
            self._reset(View(self.scope, ()))
            raise

    def _drop(self, snapshot: Snapshot, view: View) -> None:
        """Takes out what was deleted or is no longer seen."""
        gone: list[int] = []
        for old, segment in zip(self.view.segments, view.segments, strict=True):
            for root in segment.hidden - old.hidden:
                gone += [row.row_id for row in snapshot.rows(None, Wanted(root=root))]
            gone += snapshot.gone_since(segment, self._seen)
        self.damaged.difference_update(gone)
        self._take_out(self._known.intersection(gone))

    def _take_out(self, doomed: Collection[int]) -> None:
        if not doomed:
            return
        self._bounded, self._is_ordered = None, False
        self._known.difference_update(doomed)
        self.tokens.drop(doomed)
        self.index.remove(np.fromiter(doomed, np.int64, len(doomed)))

    def _load(self, snapshot: Snapshot, segment: Segment) -> None:
        """Takes in what is new in a segment."""
        count = snapshot.count_since(segment, self._seen)
        if not count:
            return
        ids, attributes = np.empty(count, dtype=np.int64), np.empty(count, dtype=ATTRIBUTES)
        vectors = np.empty((count, self._full_dim), dtype=np.float32)
        contexts = np.empty_like(vectors)
        terms: list[TermIds] = []
        for batch in snapshot.index_rows(segment, self._seen, self._full_dim):
            self._note_damage(batch)
            here = slice(len(terms), len(terms) + len(batch.row_ids))
            if here.stop > count:
                raise StorageCorruptError("an index of the memory file is damaged; verify() says which")
            ids[here] = batch.row_ids
            if len(batch.row_ids) == count:  # all at once
                vectors, contexts = batch.vectors, batch.contexts
            else:
                vectors[here], contexts[here] = batch.vectors, batch.contexts
            self._describe(attributes[here], batch, in_chat=segment.in_chat)
            terms += batch.terms
        if not terms:
            return
        end = len(terms)
        entries = Entries(
            ids=ids[:end],
            vectors=vectors if end == count else vectors[:end],  # the index would copy a slice once more
            context_vectors=contexts if end == count else contexts[:end],
            terms=terms,
            previous=np.full(end, NOWHERE),  # until all are here
            attributes=attributes[:end],
        )
        self._take(entries)

    def _order_turns(self) -> None:
        """Lets each turn follow the one before it that was witnessed."""
        if self._is_ordered:
            return
        has, ids = self.index.attributes, self.index.ids
        turns = np.flatnonzero(self.index.alive & (has["kind"] == TURN) & (has["position"] != NOWHERE))
        lines = lines_of(has["position"][turns], ids[turns], has["in_chat"][turns])
        self.index.relink([turns[line] for line in lines])
        self._is_ordered = True

    def _describe(self, attributes: NDArray[Any], rows: IndexRows, *, in_chat: bool = True) -> None:
        """Sets the attributes of rows, a structured array (n,)."""
        columns = {
            "kind": [_KIND_CODES[kind] for kind in rows.kinds],
            "category": [_CATEGORY_CODES[category] for category in rows.categories],
            "speaker": _coded(rows.speakers, self._speaker_codes, self.speakers),
            "witnesses": _coded(rows.known_by, self._witness_codes, self.witnesses),
            "importance": rows.importance,
            "pinned": rows.pinned,
            "cold": rows.cold,
            "position": [NOWHERE if position is None else position for position in rows.positions],
            "in_chat": in_chat,
            "created": rows.created,
            "valid_from": [NOWHERE if position is None else position for position in rows.valid_from],
            "valid_to": [FOREVER if position is None else position for position in rows.valid_to],
        }
        try:
            for name, column in columns.items():
                attributes[name] = column
        except (ValueError, TypeError, OverflowError):
            told = "the memory file holds a number that is none; verify() says where"
            raise StorageCorruptError(told) from None

    def _take(self, entries: Entries) -> None:
        self._bounded, self._is_ordered = None, False
        row_ids = entries.ids.tolist()
        if self._known.isdisjoint(row_ids):
            self.index.add(entries)
        else:
            known = np.fromiter((row_id in self._known for row_id in row_ids), np.bool_, len(entries))
            self.index.add(entries.where(~known))
            self.index.update(entries.where(known))
            self.tokens.drop(row_ids)
        self._known.update(row_ids)

    def _note_damage(self, batch: IndexRows) -> None:
        self.damaged.difference_update(batch.row_ids)
        self.damaged.update(batch.damaged)
        self._take_out(self._known.intersection(batch.damaged))


def _shares_before(times: NDArray[np.int64], created: NDArray[np.int64]) -> FloatArray:
    return (np.searchsorted(times, created) / max(len(times) - 1, 1)).astype(np.float32)


def _coded(names: Sequence[Name], codes: dict[Name, int], known: list[Name]) -> list[int]:
    """The code of each name, which is its place among those known; new ones become known."""
    for name in dict.fromkeys(names):
        if codes.setdefault(name, len(known)) == len(known):
            known.append(name)
    return list(map(codes.__getitem__, names))
