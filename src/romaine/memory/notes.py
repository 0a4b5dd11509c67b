"""Writing facts, lore and summaries: each thing once, and corrections in place of what they correct."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.memory.change import Change
from romaine.memory.checks import check_id, check_position
from romaine.memory.codec import encode_id, encode_optional, encode_text
from romaine.memory.encoder import Draft, Encoder, duplicate_threshold
from romaine.memory.language import Analyzer
from romaine.memory.records import Kind, Memory
from romaine.memory.rows import COLUMNS, StoredMemory
from romaine.memory.sequence import last_position
from romaine.memory.store import Store
from romaine.memory.terms import document_text, term_ids
from romaine.memory.views import SEEN, View, space_of, view_of

WORD_OVERLAP = 0.9
"""Share of words two notes have in common (Jaccard) from which they count as the same."""

_NOTES = f"""SELECT {COLUMNS}, v.vector FROM memory m JOIN space s ON s.no = m.space
    JOIN vector v ON v.no = m.no WHERE {SEEN} AND m.kind <> 'turn' AND m.kind = :kind"""  # noqa: S608


@dataclass(frozen=True, kw_only=True)
class NoteAdded:
    """What became of a note that was to be added.

    Attributes:
        memory: The note, as stored or as rejected.
        stored: Whether it is in the memory now.
        reason: Why it was rejected: "same text", "same words" or "same meaning"; None if it was not.
        twin_id: Id of the note that is there already, or None.
    """

    memory: Memory
    stored: bool
    reason: str | None = None
    twin_id: str | None = None


@dataclass(frozen=True, eq=False)
class _Known:
    """A note that is there, with what it is compared by."""

    row: StoredMemory
    memory: Memory
    plain: str
    words: frozenset[int]
    vector: FloatArray


def normalised(text: str) -> str:
    """Returns a text without what does not change what it says: case, character forms, space, end marks."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.split()).strip(" .!")


class NoteWriter:
    """Adds facts, lore and summaries.

    Args:
        store: The file.
        notes: What is to be added; each with its own scope.
        supersedes: Ids of what the first note replaces.
        keep_twins: Whether only a note of the same source counts as the same.
    """

    def __init__(
        self,
        store: Store,
        notes: Sequence[Memory],
        *,
        supersedes: Sequence[str] = (),
        keep_twins: bool = False,
    ) -> None:
        for note in notes:
            if note.kind is Kind.TURN:
                raise OptionError("kind='turn' is not a note; use add_turns for what was said")
            check_position("position", note.position, optional=True)
        counts = Encoder(store.embedder).token_counts([note.text for note in notes])
        self._store = store
        self._notes = [replace(n, token_count=c) for n, c in zip(notes, counts, strict=True)]
        self._supersedes = tuple(supersedes)
        self._keep_twins = keep_twins
        self._threshold = duplicate_threshold(store.embedder)

    def write(self) -> list[NoteAdded]:
        """Adds them in one transaction; one result for each, in order."""
        if not self._notes:
            return []
        apply = self._apply_each if self._keep_twins else self._apply
        return self._store.write(apply, hint=lambda _: [_draft(note) for note in self._notes])

    def _apply(self, change: Change) -> list[NoteAdded]:
        results: list[NoteAdded] = []
        known: dict[object, list[_Known]] = {}
        superseded_now: set[int] = set()
        connection = change.connection
        change.encoder.prepare_inside([_draft(note) for note in self._notes])
        for index, note in enumerate(self._notes):
            view = view_of(connection, note.scope)
            old = self._superseded_rows(connection, view) if index == 0 else []
            superseded_now.update(row.no for row in old)
            placed = _placed(connection, view, note)
            vector = change.encoder.embedded([_draft(note)]).vectors[0]
            key = (note.scope, note.kind)
            if key not in known:
                known[key] = _known_notes(connection, view, note.kind, self._store)
            edited = _of_same_source(placed, known[key])
            if edited is not None and edited.plain != normalised(note.text):
                row = _edit(change, view, edited.row, placed)
                known[key][known[key].index(edited)] = _as_known(
                    row, row.memory(), vector, self._store.analyzer
                )
                results.append(NoteAdded(memory=row.memory(), stored=True))
                continue
            twins = [
                k for k in known[key] if k.row.no not in superseded_now and _same_witnesses(k.memory, note)
            ]
            rejected = self._twin(placed, vector, twins)
            if rejected is not None:
                results.append(rejected)
                continue
            row = _insert(change, placed)
            change.supersede(old, row)
            known[key].append(_as_known(row, placed, vector, self._store.analyzer))
            results.append(NoteAdded(memory=placed, stored=True))
        return results

    def _apply_each(self, change: Change) -> list[NoteAdded]:
        """Stores every note, in place of the one of its source if there is one."""
        results: list[NoteAdded] = []
        for note in self._notes:
            view = view_of(change.connection, note.scope)
            placed = _placed(change.connection, view, note)
            old = _stored_of_source(change.connection, view, note)
            row = _insert(change, placed) if old is None else _edit(change, view, old, placed)
            results.append(NoteAdded(memory=row.memory(), stored=True))
        return results

    def _superseded_rows(self, connection: sqlite3.Connection, view: View) -> list[StoredMemory]:
        return [self._store.find(connection, view, id_) for id_ in self._supersedes]

    def _twin(self, note: Memory, vector: FloatArray, known: Sequence[_Known]) -> NoteAdded | None:
        """Why a note need not be stored, or None."""
        if not known:
            return None
        plain, words = normalised(note.text), _words(note, self._store.analyzer)
        cosines: NDArray[np.float32] = np.stack([k.vector for k in known]) @ vector
        for other in known:
            if other.plain == plain:
                return _rejected(note, "same text", other)
        for other in known:
            if words and len(words & other.words) >= WORD_OVERLAP * len(words | other.words):
                return _rejected(note, "same words", other)
        nearest = int(cosines.argmax())
        if cosines[nearest] >= self._threshold:
            return _rejected(note, "same meaning", known[nearest])
        return None


def _draft(note: Memory) -> Draft:
    return Draft(document_text(note.text, note.speaker))


def _insert(change: Change, note: Memory) -> StoredMemory:
    """Stores a note.

    Raises:
        OptionError: If its id is taken.
    """
    taken = change.connection.execute(
        "SELECT 1 FROM memory WHERE id = ? AND space = ?",
        (encode_id(note.id), space_of(change.connection, note.scope.user, note.scope.chat)),
    ).fetchone()
    if taken:
        raise OptionError(f"id={note.id!r} is that of a memory that is there; leave it out to get a new one")
    (row,) = change.insert([note])
    return row


def _placed(connection: sqlite3.Connection, view: View, note: Memory) -> Memory:
    """A note with its position: that of the turn it was drawn from, or of the latest in its chat."""
    if note.position is not None or note.scope.chat is None or note.kind is Kind.LORE:
        return note
    if note.parent_id is not None:
        positions = [row.position for row in _parents(connection, view, note.parent_id) if row.in_chat]
        if positions and positions[-1] is not None:
            return replace(note, position=positions[-1])
    return replace(note, position=last_position(connection, view))


def _parents(connection: sqlite3.Connection, view: View, parent_id: str) -> list[StoredMemory]:
    """What a note was drawn from, named by its `source_id` or its id."""
    rows = view.rows_of_source(connection, encode_text(parent_id))
    with suppress(OptionError):  # no id
        check_id(parent_id)
        row = view.row_of_id(connection, encode_id(parent_id))
        rows += [] if row is None else [row]
    return rows


def _known_notes(connection: sqlite3.Connection, view: View, kind: Kind, store: Store) -> list[_Known]:
    """Notes of a kind that a view sees, that nothing it sees supersedes and that still hold."""
    superseded = view.superseded(connection)
    now = last_position(connection, view)
    known: list[_Known] = []
    for segment in view.segments:
        for values in connection.execute(_NOTES, segment.values | {"kind": kind.value}):
            row = StoredMemory._make(values[:-1])
            is_over = row.valid_to is not None and now is not None and row.valid_to <= now
            if row.no not in superseded and not is_over:
                known.append(_as_known(row, row.memory(), _vector_of(values[-1], store), store.analyzer))
    return known


def _vector_of(blob: bytes, store: Store) -> FloatArray:
    dim = store.embedder.full_dim
    if len(blob) != dim * store.vector_format.dtype.itemsize:  # damaged; verify() reports it
        return np.zeros(dim, dtype=np.float32)
    vector: FloatArray = store.vector_format.unpack([blob], dim)[0]
    return np.asarray(np.nan_to_num(vector), dtype=np.float32)


def _as_known(row: StoredMemory, memory: Memory, vector: FloatArray, analyzer: Analyzer) -> _Known:
    return _Known(row, memory, normalised(memory.text), _words(memory, analyzer), vector)


def _words(memory: Memory, analyzer: Analyzer) -> frozenset[int]:
    return frozenset(term_ids(document_text(memory.text, memory.speaker), analyzer).tolist())


def _same_witnesses(known: Memory, note: Memory) -> bool:
    """Whether all who would know the note know the other one."""
    return not known.known_by or (bool(note.known_by) and note.known_by <= known.known_by)


def _of_same_source(note: Memory, known: Sequence[_Known]) -> _Known | None:
    """The note that an earlier import of the same file made of the same entry, or None."""
    if note.source_id is None:
        return None
    same = (k for k in known if k.memory.source_id == note.source_id and _is_in_place_of(note, k.row))
    return next(same, None)


def _stored_of_source(connection: sqlite3.Connection, view: View, note: Memory) -> StoredMemory | None:
    """The scope's note of the same kind and source, or None."""
    if note.source_id is None:
        return None
    rows = view.rows_of_source(connection, encode_text(note.source_id))
    same = (row for row in rows if row.kind == note.kind.value and _is_in_place_of(note, row))
    return next(same, None)


def _is_in_place_of(note: Memory, row: StoredMemory) -> bool:
    """Whether a row is of the note's own scope, or what a fork has inherited of it."""
    same_character = row.character == encode_optional(note.scope.character)
    return same_character and row.in_chat == (note.scope.chat is not None)


def _edit(change: Change, view: View, row: StoredMemory, note: Memory) -> StoredMemory:
    memory = replace(row.memory(), text=note.text, metadata=note.metadata, token_count=note.token_count)
    return change.replace(view, row, memory)


def _rejected(note: Memory, reason: str, twin: _Known) -> NoteAdded:
    return NoteAdded(memory=note, stored=False, reason=reason, twin_id=twin.memory.id)
