"""Writing facts, lore and summaries: each thing once, and corrections in place of what they correct."""

from __future__ import annotations

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
from romaine.memory.encoder import Draft, Encoder, duplicate_threshold
from romaine.memory.language import Analyzer
from romaine.memory.records import Kind, Memory
from romaine.memory.row_writer import terms_of
from romaine.memory.sequence import last_position
from romaine.memory.storage import Snapshot
from romaine.memory.store import Store, find
from romaine.memory.stored import StoredMemory, Wanted
from romaine.memory.terms import document_text
from romaine.memory.views import View, view_of

WORD_OVERLAP = 0.9
"""Share of words two notes have in common (Jaccard) from which they count as the same."""


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
        users = {note.scope.user for note in self._notes}
        return self._store.write(apply, *users, hint=lambda _: [_draft(note) for note in self._notes])

    def _apply(self, change: Change) -> list[NoteAdded]:
        results: list[NoteAdded] = []
        known: dict[object, list[_Known]] = {}
        superseded_now: set[int] = set()
        snapshot = change.transaction
        change.encoder.prepare_inside([_draft(note) for note in self._notes])
        for index, note in enumerate(self._notes):
            view = view_of(snapshot, note.scope)
            old = self._superseded_rows(snapshot, view) if index == 0 else []
            superseded_now.update(row.row_id for row in old)
            placed = _placed(snapshot, view, note)
            vector = change.encoder.embedded([_draft(note)]).vectors[0]
            key = (note.scope, note.kind)
            if key not in known:
                known[key] = _known_notes(snapshot, view, note.kind, self._store)
            edited = _of_same_source(placed, known[key])
            if edited is not None and edited.plain != normalised(note.text):
                row = _edit(change, view, edited.row, placed)
                known[key][known[key].index(edited)] = _as_known(row, vector, self._store.analyzer)
                results.append(NoteAdded(memory=row.memory, stored=True))
                continue
            twins = [
                k
                for k in known[key]
                if k.row.row_id not in superseded_now and _same_witnesses(k.row.memory, note)
            ]
            rejected = self._twin(placed, vector, twins)
            if rejected is not None:
                results.append(rejected)
                continue
            row = _insert(change, placed)
            change.supersede(old, row)
            known[key].append(_as_known(row, vector, self._store.analyzer))
            results.append(NoteAdded(memory=placed, stored=True))
        return results

    def _apply_each(self, change: Change) -> list[NoteAdded]:
        """Stores every note, in place of the one of its source if there is one."""
        results: list[NoteAdded] = []
        for note in self._notes:
            view = view_of(change.transaction, note.scope)
            placed = _placed(change.transaction, view, note)
            old = _stored_of_source(change.transaction, view, note)
            row = _insert(change, placed) if old is None else _edit(change, view, old, placed)
            results.append(NoteAdded(memory=row.memory, stored=True))
        return results

    def _superseded_rows(self, snapshot: Snapshot, view: View) -> list[StoredMemory]:
        return [find(snapshot, view, id_) for id_ in self._supersedes]

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
    space = change.transaction.space(note.scope.user, note.scope.chat)
    if space and any(r.space == space.row_id for r in change.transaction.rows(None, Wanted(id=note.id))):
        raise OptionError(f"id={note.id!r} is that of a memory that is there; leave it out to get a new one")
    (row,) = change.insert([note])
    return row


def _placed(snapshot: Snapshot, view: View, note: Memory) -> Memory:
    """A note with its position: that of the turn it was drawn from, or of the latest in its chat."""
    if note.position is not None or note.scope.chat is None or note.kind is Kind.LORE:
        return note
    if note.parent_id is not None:
        positions = [row.position for row in _parents(snapshot, view, note.parent_id) if row.in_chat]
        if positions and positions[-1] is not None:
            return replace(note, position=positions[-1])
    return replace(note, position=last_position(snapshot, view))


def _parents(snapshot: Snapshot, view: View, parent_id: str) -> list[StoredMemory]:
    """What a note was drawn from, named by its `source_id` or its id."""
    rows = list(view.rows_witnessed_or_not(snapshot, Wanted(source_id=parent_id)))
    with suppress(OptionError):  # no id
        check_id(parent_id)
        row = view.row_of_id(snapshot, parent_id)
        rows += [] if row is None else [row]
    return rows


def _known_notes(snapshot: Snapshot, view: View, kind: Kind, store: Store) -> list[_Known]:
    """Notes of a kind that a view sees, that nothing it sees supersedes and that still hold."""
    superseded = view.superseded(snapshot)
    now = last_position(snapshot, view)
    rows: list[StoredMemory] = []
    for row in view.rows_witnessed_or_not(snapshot, Wanted(kinds=frozenset({kind}))):
        end = row.memory.valid_to
        is_over = end is not None and now is not None and end <= now
        if row.row_id not in superseded and not is_over:
            rows.append(row)
    dim = store.embedder.full_dim
    vectors = snapshot.vectors([row.row_id for row in rows], dim)
    damaged = np.zeros(dim, dtype=np.float32)  # verify() reports it
    return [_as_known(row, vectors.get(row.row_id, damaged), store.analyzer) for row in rows]


def _as_known(row: StoredMemory, vector: FloatArray, analyzer: Analyzer) -> _Known:
    return _Known(row, normalised(row.memory.text), _words(row.memory, analyzer), vector)


def _words(memory: Memory, analyzer: Analyzer) -> frozenset[int]:
    return frozenset(terms_of(memory, analyzer).tolist())


def _same_witnesses(known: Memory, note: Memory) -> bool:
    """Whether all who would know the note know the other one."""
    return not known.known_by or (bool(note.known_by) and note.known_by <= known.known_by)


def _of_same_source(note: Memory, known: Sequence[_Known]) -> _Known | None:
    """The note that an earlier import of the same file made of the same entry, or None."""
    if note.source_id is None:
        return None
    same = (k for k in known if k.row.memory.source_id == note.source_id and _is_in_place_of(note, k.row))
    return next(same, None)


def _stored_of_source(snapshot: Snapshot, view: View, note: Memory) -> StoredMemory | None:
    """The scope's note of the same kind and source, or None."""
    if note.source_id is None:
        return None
    wanted = Wanted(kinds=frozenset({note.kind}), source_id=note.source_id)
    rows = view.rows_witnessed_or_not(snapshot, wanted)
    return next((row for row in rows if _is_in_place_of(note, row)), None)


def _is_in_place_of(note: Memory, row: StoredMemory) -> bool:
    """Whether a row is of the note's own scope, or what a fork has inherited of it."""
    return row.scope.character == note.scope.character and row.in_chat == (note.scope.chat is not None)


def _edit(change: Change, view: View, row: StoredMemory, note: Memory) -> StoredMemory:
    memory = replace(row.memory, text=note.text, metadata=note.metadata, token_count=note.token_count)
    return change.replace(view, row, memory)


def _rejected(note: Memory, reason: str, twin: _Known) -> NoteAdded:
    return NoteAdded(memory=note, stored=False, reason=reason, twin_id=twin.row.memory.id)
