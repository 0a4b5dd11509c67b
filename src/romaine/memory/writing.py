"""The writing half of `RoleplayMemory`: every method is one transaction, durable when it returns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from romaine.errors import OptionError
from romaine.memory import edits
from romaine.memory import lifecycle as fading
from romaine.memory.edits import Forgotten
from romaine.memory.lifecycle import DecayResult, Lifecycle
from romaine.memory.notes import NoteAdded, NoteWriter
from romaine.memory.records import Category, Hit, Kind, Memory, Scope, Turn, check_scope, utc_now
from romaine.memory.restoring import restore
from romaine.memory.store import Store
from romaine.memory.turns import TurnsAdded, TurnWriter

_KEPT = object()
"""Stands for a field that `update` leaves as it is."""


class MemoryWriting:
    """What may be written to a memory."""

    _store: Store
    lifecycle: Lifecycle

    def add_turns(self, scope: Scope, turns: Iterable[Turn], *, known_by: Collection[str] = ()) -> TurnsAdded:
        """Adds what was said, in order, as one write.

        A turn with a `source_id` that the scope has is not added again; if its text changed, the stored one
        is replaced with its vectors. Turns without one are always added: the same words may be said twice.

        Args:
            scope: Whose memory it becomes.
            turns: In the order they were said.
            known_by: Characters who witnessed them; empty for all in scope.
        """
        return TurnWriter(self._store, check_scope(scope), _turns(turns), known_by=known_by).write()

    def add_fact(
        self,
        scope: Scope,
        text: str,
        *,
        category: Category | str | None = None,
        importance: float = 1.0,
        speaker: str | None = None,
        source_id: str | None = None,
        parent_id: str | None = None,
        known_by: Collection[str] = (),
        supersedes: str | Sequence[str] = (),
        valid_from: int | None = None,
        valid_to: int | None = None,
        pinned: bool = False,
        at: datetime | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> NoteAdded:
        """Adds a fact, unless the scope has it already.

        Args:
            scope: Whose memory it becomes.
            text: The fact.
            category: What it is about.
            importance: 0 to 1.
            speaker: Whose words it is, or whom it is about.
            source_id: Where in a file it stands; a later text of the same source replaces it.
            parent_id: `source_id` or id of what it was drawn from; retracting that retracts the fact.
            known_by: Characters who know it; empty for all in scope.
            supersedes: Id or ids of what it corrects; those stay, and are left out of recall from now on.
            valid_from: Story position from which it holds.
            valid_to: Story position from which it no longer holds.
            pinned: Never cold, never trimmed.
            at: When it became known; None for now.
            metadata: Anything JSON can hold.

        Returns:
            The fact as stored, or as rejected with the reason and its twin's id.
        """
        note = Memory(
            scope=check_scope(scope),
            kind=Kind.FACT,
            text=text,
            category=category,  # type: ignore[arg-type]  # a Memory takes the name as well
            importance=importance,
            speaker=speaker,
            source_id=source_id,
            parent_id=parent_id,
            known_by=known_by,  # type: ignore[arg-type]
            valid_from=valid_from,
            valid_to=valid_to,
            pinned=pinned,
            created_at=at or utc_now(),
            metadata=metadata or {},
        )
        return self._add_note(note, supersedes)

    def add_lore(
        self,
        scope: Scope,
        text: str,
        *,
        category: Category | str | None = None,
        importance: float = 1.0,
        source_id: str | None = None,
        known_by: Collection[str] = (),
        supersedes: str | Sequence[str] = (),
        pinned: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> NoteAdded:
        """Adds how the world is, unless the scope has it already. As `add_fact`; lore does not fade."""
        note = Memory(
            scope=check_scope(scope),
            kind=Kind.LORE,
            text=text,
            category=category,  # type: ignore[arg-type]
            importance=importance,
            source_id=source_id,
            known_by=known_by,  # type: ignore[arg-type]
            pinned=pinned,
            metadata=metadata or {},
        )
        return self._add_note(note, supersedes)

    def add_summary(
        self,
        scope: Scope,
        text: str,
        *,
        importance: float = 1.0,
        source_id: str | None = None,
        parent_id: str | None = None,
        known_by: Collection[str] = (),
        supersedes: str | Sequence[str] = (),
        pinned: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> NoteAdded:
        """Adds what a stretch of the chat came to, unless the scope has it already. As `add_fact`."""
        note = Memory(
            scope=check_scope(scope),
            kind=Kind.SUMMARY,
            text=text,
            importance=importance,
            source_id=source_id,
            parent_id=parent_id,
            known_by=known_by,  # type: ignore[arg-type]
            pinned=pinned,
            metadata=metadata or {},
        )
        return self._add_note(note, supersedes)

    def add_notes(self, notes: Iterable[Memory], *, keep_twins: bool = False) -> list[NoteAdded]:
        """Adds facts, lore and summaries, each with its own scope, as one write. One result for each.

        Args:
            notes: What is to be added.
            keep_twins: Store what the scope has already in the same words or meaning, too, so that each
                `source_id` has a note of its own; one that is there gets the new text and metadata.
        """
        return NoteWriter(self._store, list(notes), keep_twins=keep_twins).write()

    def _add_note(self, note: Memory, supersedes: str | Sequence[str]) -> NoteAdded:
        old = [supersedes] if isinstance(supersedes, str) else list(supersedes)
        (added,) = NoteWriter(self._store, [note], supersedes=old).write()
        return added

    # --- changing what is there ----------------------------------------------------------------------------

    def retract(self, scope: Scope, source_ids: Iterable[str]) -> int:
        """Takes discarded messages out, with everything that was made from them.

        Chats that were forked off before keep them; in a fork, what it shares with its parent goes from the
        fork only.

        Args:
            scope: The chat.
            source_ids: `source_id` of each message.

        Returns:
            How many memories went.
        """
        return edits.retract(self._store, check_scope(scope), source_ids)

    def branch(self, scope: Scope, *, at: int, to_chat: str) -> Scope:
        """Forks a chat: the fork sees it up to position `at`, as it is now, and copies nothing.

        Args:
            scope: The chat to fork from.
            at: Position of the last turn they share.
            to_chat: Name of the fork; nothing may be there yet.

        Returns:
            The fork's scope.
        """
        return edits.branch(self._store, check_scope(scope), at=at, to_chat=to_chat)

    def forget(self, scope: Scope, ids: str | Iterable[str], *, derived: bool = True) -> Forgotten:
        """Deletes memories for good, from the file and its log as well, and from all forks.

        In a fork, what it inherited goes from the fork only; its parent keeps it.

        Args:
            scope: Who asks.
            ids: Id or ids of what is to go.
            derived: Whether what was made from it goes along.

        Returns:
            How many memories went, and whether the log still holds their text, because another process reads.

        Raises:
            MemoryNotFoundError: If the scope sees no memory of one of the ids; nothing is deleted then.
        """
        wanted = [ids] if isinstance(ids, str) else ids
        return edits.forget(self._store, check_scope(scope), wanted, derived=derived)

    def restore(
        self, scope: Scope, memories: Iterable[Memory], *, superseded: Mapping[str, str] | None = None
    ) -> int:
        """Puts memories back as they were before `update`, `pin`, `retract` or `forget`: undoes these.

        Each has its id, place, importance and pin again. What was forgotten comes back in its own chat, not
        in forks that were made of it before.

        Args:
            scope: Who changed them.
            memories: As `get`, `list` or `derived` gave them before.
            superseded: Ids of memories that one of these replaced, each with that one's id.

        Returns:
            How many were not as they are now.

        Raises:
            OptionError: If one of them is not of the scope.
        """
        return restore(self._store, check_scope(scope), memories, superseded=superseded or {})

    def pin(self, scope: Scope, memory_id: str) -> Memory:
        """Keeps a memory warm whatever happens."""
        return edits.update(self._store, check_scope(scope), memory_id, _pinned)

    def unpin(self, scope: Scope, memory_id: str) -> Memory:
        """Lets a memory fade again."""
        return edits.update(self._store, check_scope(scope), memory_id, lambda m: replace(m, pinned=False))

    def update(
        self,
        scope: Scope,
        memory_id: str,
        *,
        text: str | None = None,
        importance: float | None = None,
        category: Category | str | object | None = _KEPT,
        known_by: Collection[str] | None = None,
        valid_from: int | object | None = _KEPT,
        valid_to: int | object | None = _KEPT,
        metadata: Mapping[str, Any] | None = None,
    ) -> Memory:
        """Changes fields of a memory; those not given stay. A new text is embedded again.

        Raises:
            MemoryNotFoundError: If the scope sees no memory of this id.
        """
        given = {"text": text, "importance": importance, "known_by": known_by, "metadata": metadata}
        fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        clearable = {"category": category, "valid_from": valid_from, "valid_to": valid_to}
        fields |= {name: value for name, value in clearable.items() if value is not _KEPT}
        return edits.update(self._store, check_scope(scope), memory_id, lambda m: replace(m, **fields))

    # --- fading --------------------------------------------------------------------------------------------

    def mark_used(self, scope: Scope, hits: Iterable[Hit | Memory]) -> int:
        """Notes that memories were shown to a model: they fade slower, and cold ones come back.

        Args:
            scope: Who recalled them; what it does not see is left out.
            hits: What `recall` returned.

        Returns:
            How many of them are still there.
        """
        return fading.mark_used(self._store, check_scope(scope), hits, self.lifecycle)

    def decay(self, scope: Scope) -> DecayResult:
        """Lets the facts and summaries of exactly this scope fade by one cycle."""
        return fading.decay_scope(self._store, check_scope(scope), self.lifecycle)


def _pinned(memory: Memory) -> Memory:
    return replace(memory, pinned=True, cold=False)


def _turns(turns: Iterable[Turn]) -> list[Turn]:
    given = list(turns)
    for index, turn in enumerate(given):
        if not isinstance(turn, Turn):
            raise OptionError(f"turns[{index}] is {type(turn).__name__}; every one must be a Turn")
    return given
