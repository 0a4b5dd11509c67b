"""Writing turns: each once, edits in place, and every turn's context kept true to the turn before it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from romaine.memory.change import Change
from romaine.memory.checks import check_names
from romaine.memory.codec import decode_optional, decode_text, encode_optional, encode_text
from romaine.memory.encoder import Draft, Encoder
from romaine.memory.records import Kind, Memory, Scope, Turn, utc_now
from romaine.memory.rows import to_memory
from romaine.memory.sequence import changed_drafts, next_position, previous_text, put_drafts
from romaine.memory.store import Store, read_setting
from romaine.memory.terms import document_text
from romaine.memory.views import View, view_of


@dataclass(frozen=True, kw_only=True)
class TurnsAdded:
    """What became of turns that were to be added.

    Attributes:
        added: How many are new.
        edited: How many replaced an earlier text.
        unchanged: How many were there already.
        ids: Id of each turn given, in order.
    """

    added: int
    edited: int
    unchanged: int
    ids: tuple[str, ...]


@dataclass
class _Plan:
    new: list[Memory]
    edits: dict[int, Memory]
    ids: list[str]
    unchanged: int
    replaced_in_fork: list[int]
    new_drafts: list[Draft]
    changed_drafts: dict[int, Draft]

    @property
    def drafts(self) -> list[Draft]:
        """All that has to be embedded."""
        return [*self.new_drafts, *self.changed_drafts.values()]


class TurnWriter:
    """Adds turns to one scope.

    Args:
        store: The file.
        scope: Whose turns; their chat is the scope's.
        turns: In the order they were said. Of two with one `source_id` the later counts.
        known_by: Characters who witnessed them; empty for all.
    """

    def __init__(
        self, store: Store, scope: Scope, turns: Iterable[Turn], *, known_by: Collection[str] = ()
    ) -> None:
        self._store = store
        self._scope = scope
        self._known_by = check_names("known_by", known_by)
        self._turns = list(turns)
        self._planned: tuple[object, _Plan] | None = None
        counts = Encoder(store.embedder).token_counts([turn.text for turn in self._turns])
        now = utc_now()
        # made once, so that planning again gives the same ids
        self._memories = [
            self._memory(turn, count, now) for turn, count in zip(self._turns, counts, strict=True)
        ]

    def write(self) -> TurnsAdded:
        """Adds them in one transaction."""
        if not self._turns:
            return TurnsAdded(added=0, edited=0, unchanged=0, ids=())
        return self._store.write(lambda connection: self._current_plan(connection).drafts, self._apply)

    def _current_plan(self, connection: sqlite3.Connection) -> _Plan:
        """The plan for what the file holds, made again only if another write came between."""
        state = read_setting(connection, "change")
        if self._planned is None or self._planned[0] != state:
            self._planned = state, self._plan(connection)
        return self._planned[1]

    def _memory(self, turn: Turn, token_count: int, now: Any) -> Memory:
        return Memory(
            scope=self._scope,
            kind=Kind.TURN,
            text=turn.text,
            speaker=turn.speaker,
            role=turn.role,
            created_at=turn.at or now,
            source_id=turn.source_id,
            parent_id=turn.parent_id,
            known_by=self._known_by,
            token_count=token_count,
            metadata=turn.metadata or {},
        )

    def _apply(self, change: Change, encoder: Encoder) -> TurnsAdded:
        assert self._planned is not None  # made inside this transaction
        plan = self._planned[1]
        if plan.new:
            change.insert(plan.new, encoder.embedded(plan.new_drafts))
        for no, memory in plan.edits.items():
            change.update(no, memory, keep_for_forks=True)
        change.hide(plan.replaced_in_fork, self._scope)
        put_drafts(change, encoder, plan.changed_drafts)
        return TurnsAdded(
            added=len(plan.new), edited=len(plan.edits), unchanged=plan.unchanged, ids=tuple(plan.ids)
        )

    def _plan(self, connection: sqlite3.Connection) -> _Plan:
        view = view_of(connection, self._scope)
        plan = _Plan(
            new=[], edits={}, ids=[], unchanged=0, replaced_in_fork=[], new_drafts=[], changed_drafts={}
        )
        stored = self._stored(connection, view)
        position = next_position(connection, self._scope, view)
        fresh: dict[str, int] = {}
        for turn, memory in zip(self._turns, self._memories, strict=True):
            row = stored.get(turn.source_id or "")
            if turn.source_id in fresh:  # given twice: the later text at the earlier place
                index = fresh[turn.source_id]
                first = plan.new[index]
                plan.new[index] = memory = replace(memory, id=first.id, position=first.position)
            elif row is not None and _is_same(turn, row):
                plan.unchanged += 1
                memory = to_memory(row)
            elif row is not None and decode_optional(row[4]) == self._scope.chat:
                memory = _edited(to_memory(row), turn, memory.token_count)
                plan.edits[row[0]] = memory
            else:
                if row is None:
                    memory = replace(memory, position=position)
                    position += 1
                else:  # a parent's turn, edited in this fork only
                    memory = replace(memory, position=row[9])
                    plan.replaced_in_fork.append(row[0])
                if turn.source_id is not None:
                    fresh[turn.source_id] = len(plan.new)
                plan.new.append(memory)
            plan.ids.append(memory.id)
        plan.new_drafts = self._new_drafts(connection, plan)
        plan.changed_drafts = changed_drafts(connection, plan.edits)
        return plan

    def _stored(self, connection: sqlite3.Connection, view: View) -> dict[str, Any]:
        """Rows of the turns with these source ids, the fork's own before its parents'."""
        character = encode_optional(self._scope.character)
        in_chat = self._scope.chat is not None
        found: dict[str, Any] = {}
        for source in {turn.source_id for turn in self._turns} - {None}:
            for row in view.rows_of_source(connection, encode_text(str(source))):
                if row[5] == "turn" and row[3] == character and (row[4] is not None) == in_chat:
                    found[str(source)] = row
        return found

    def _new_drafts(self, connection: sqlite3.Connection, plan: _Plan) -> list[Draft]:
        drafts: list[Draft] = []
        before: Memory | None = None
        for memory in plan.new:
            if before is not None and before.position == (memory.position or 0) - 1:
                drafts.append(Draft(memory, document_text(before.text, before.speaker)))
            else:
                drafts.append(Draft(memory, previous_text(connection, memory, edits=plan.edits)))
            before = memory
        return drafts


def _is_same(turn: Turn, row: Any) -> bool:
    return (
        decode_text(row[6]) == turn.text
        and decode_optional(row[7]) == turn.speaker
        and row[8] == turn.role.value
        and (turn.parent_id is None or decode_optional(row[12]) == turn.parent_id)
        and (turn.metadata is None or to_memory(row).metadata == turn.metadata)
    )


def _edited(old: Memory, turn: Turn, token_count: int) -> Memory:
    return replace(
        old,
        text=turn.text,
        speaker=turn.speaker,
        role=turn.role,
        parent_id=turn.parent_id or old.parent_id,
        created_at=turn.at or old.created_at,
        token_count=token_count,
        metadata=old.metadata if turn.metadata is None else turn.metadata,
    )
