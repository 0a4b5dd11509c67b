"""Writing facts, lore and summaries: each thing once, and corrections in place of what they correct."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.memory.change import Change, Embedded
from romaine.memory.codec import VectorFormat, encode_optional, encode_text
from romaine.memory.encoder import Draft, Encoder, duplicate_threshold
from romaine.memory.records import Kind, Memory
from romaine.memory.rows import COLUMNS, to_memory
from romaine.memory.sequence import last_position
from romaine.memory.store import Store
from romaine.memory.terms import document_text, term_ids
from romaine.memory.views import SEEN, View, view_of

WORD_OVERLAP = 0.9
"""Share of words two notes have in common (Jaccard) from which they count as the same."""

_NOTES = f"""SELECT {COLUMNS}, v.vector, v.context, v.checksum FROM memory m JOIN space s ON s.no = m.space
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

    no: int
    memory: Memory
    plain: str
    words: frozenset[int]
    vector: FloatArray


def normalised(text: str) -> str:
    """Returns a text without what does not change what it says: case, character forms, space, end marks."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"\s+", " ", folded).strip(" \t\n.!")


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
        return self._store.write(lambda _: [Draft(note) for note in self._notes], apply)

    def _apply(self, change: Change, encoder: Encoder) -> list[NoteAdded]:
        results: list[NoteAdded] = []
        known: dict[object, list[_Known]] = {}
        superseded_now: set[int] = set()
        for index, note in enumerate(self._notes):
            connection = change.connection
            view = view_of(connection, note.scope)
            old = self._superseded_nos(connection, view) if index == 0 else []
            superseded_now.update(old)
            placed = _placed(connection, view, note)
            embedded = encoder.embedded([Draft(placed)])
            key = (note.scope, note.kind)
            if key not in known:
                known[key] = _known_notes(connection, view, note.kind, self._store)
            twins = [k for k in known[key] if k.no not in superseded_now and _same_witnesses(k.memory, note)]
            edited = _of_same_source(placed, known[key])
            if edited is not None and edited.plain != normalised(note.text):
                results.append(_edit(change, edited.no, edited.memory, placed, embedded))
                known[key].remove(edited)
                known[key].append(_as_known(edited.no, results[-1].memory, embedded.vectors[0]))
                continue
            rejected = self._twin(placed, embedded.vectors[0], twins)
            if rejected is not None:
                results.append(rejected)
                continue
            (no,) = change.insert([placed], embedded)
            change.supersede(old, no)
            known[key].append(_as_known(no, placed, embedded.vectors[0]))
            results.append(NoteAdded(memory=placed, stored=True))
        return results

    def _apply_each(self, change: Change, encoder: Encoder) -> list[NoteAdded]:
        """Stores every note, in place of the one of its source if there is one."""
        results: list[NoteAdded] = []
        for note in self._notes:
            view = view_of(change.connection, note.scope)
            placed = _placed(change.connection, view, note)
            embedded = encoder.embedded([Draft(placed)])
            old = _stored_of_source(change.connection, view, note)
            if old is not None:
                results.append(_edit(change, *old, placed, embedded))
            else:
                change.insert([placed], embedded)
                results.append(NoteAdded(memory=placed, stored=True))
        return results

    def _superseded_nos(self, connection: sqlite3.Connection, view: View) -> list[int]:
        return [self._store.find(connection, view, id_)[0] for id_ in self._supersedes]

    def _twin(self, note: Memory, vector: FloatArray, known: Sequence[_Known]) -> NoteAdded | None:
        """Why a note need not be stored, or None."""
        if not known:
            return None
        plain, words = normalised(note.text), _words(note)
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


def _placed(connection: sqlite3.Connection, view: View, note: Memory) -> Memory:
    """A note with its position: that of the turn it was drawn from, or of the latest in its chat."""
    if note.position is not None or note.scope.chat is None or note.kind is Kind.LORE:
        return note
    if note.parent_id is not None:
        parents = view.rows_of_source(connection, encode_optional(note.parent_id) or "")
        positions = [row[9] for row in parents if row[9] is not None]
        if positions:
            return replace(note, position=positions[-1])
    return replace(note, position=last_position(connection, view))


def _known_notes(connection: sqlite3.Connection, view: View, kind: Kind, store: Store) -> list[_Known]:
    """Notes of a kind that a view sees and nothing it sees supersedes."""
    superseded = view.superseded(connection)
    dim, vector_format = store.embedder.full_dim, store.vector_format
    known: list[_Known] = []
    for segment in view.segments:
        for row in connection.execute(_NOTES, segment.values | {"kind": kind.value}):
            if row[0] in superseded or row[21] is not None:  # no longer valid
                continue
            known.append(_as_known(row[0], to_memory(row), _vector_of(row[24], vector_format, dim)))
    return known


def _vector_of(blob: bytes, vector_format: VectorFormat, dim: int) -> FloatArray:
    if len(blob) != dim * vector_format.dtype.itemsize:  # damaged; verify() reports it
        return np.zeros(dim, dtype=np.float32)
    vector: FloatArray = vector_format.unpack([blob], dim)[0]
    return np.asarray(np.nan_to_num(vector), dtype=np.float32)


def _as_known(no: int, memory: Memory, vector: FloatArray) -> _Known:
    return _Known(no, memory, normalised(memory.text), _words(memory), vector)


def _words(memory: Memory) -> frozenset[int]:
    return frozenset(term_ids(document_text(memory.text, memory.speaker)).tolist())


def _same_witnesses(known: Memory, note: Memory) -> bool:
    """Whether all who would know the note know the other one."""
    return not known.known_by or (bool(note.known_by) and note.known_by <= known.known_by)


def _of_same_source(note: Memory, known: Sequence[_Known]) -> _Known | None:
    """The note that an earlier import of the same file made of the same entry, or None."""
    if note.source_id is None:
        return None
    same = (k for k in known if k.memory.source_id == note.source_id and k.memory.scope == note.scope)
    return next(same, None)


def _stored_of_source(connection: sqlite3.Connection, view: View, note: Memory) -> tuple[int, Memory] | None:
    """Number and record of the scope's note of the same kind and source, or None."""
    if note.source_id is None:
        return None
    for row in view.rows_of_source(connection, encode_text(note.source_id)):
        memory = to_memory(row)
        if memory.kind is note.kind and memory.scope == note.scope:
            return row[0], memory
    return None


def _edit(change: Change, no: int, old: Memory, note: Memory, embedded: Embedded) -> NoteAdded:
    memory = replace(old, text=note.text, metadata=note.metadata, token_count=note.token_count)
    change.update(no, memory, keep_for_forks=True)
    change.put_vectors([no], [memory], embedded)
    return NoteAdded(memory=memory, stored=True)


def _rejected(note: Memory, reason: str, twin: _Known) -> NoteAdded:
    return NoteAdded(memory=note, stored=False, reason=reason, twin_id=twin.memory.id)
