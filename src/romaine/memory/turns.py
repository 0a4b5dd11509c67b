"""Writing turns: each once, edits in place, and every turn's context kept true to the turn before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from romaine.memory.change import Change
from romaine.memory.checks import check_names
from romaine.memory.encoder import Draft, Encoder
from romaine.memory.records import Kind, Memory, Scope, Turn, utc_now
from romaine.memory.sequence import next_position, previous_turn, spoken
from romaine.memory.storage import Snapshot
from romaine.memory.store import Store
from romaine.memory.stored import TURNS, StoredMemory, Wanted
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
    edits: list[tuple[StoredMemory, Memory]]
    ids: list[str]
    unchanged: int


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
        self._planned: tuple[int, _Plan] | None = None
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
        return self._store.write(self._apply, self._scope.user, hint=self._drafts)

    def _memory(self, turn: Turn, token_count: int, now: datetime) -> Memory:
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

    def _apply(self, change: Change) -> TurnsAdded:
        view = view_of(change.transaction, self._scope)
        before = change.transaction.next_version(self._scope.user) - 1
        plan = self._plan(change.transaction, view, version=before)
        if plan.new:
            change.insert(plan.new)
        for row, memory in plan.edits:
            change.replace(view, row, memory)
        return TurnsAdded(
            added=len(plan.new), edited=len(plan.edits), unchanged=plan.unchanged, ids=tuple(plan.ids)
        )

    def _plan(self, snapshot: Snapshot, view: View, *, version: int) -> _Plan:
        """The plan for what is there at a version, made again only if another write came between."""
        if self._planned is None or self._planned[0] != version:
            self._planned = version, self._planned_anew(snapshot, view)
        return self._planned[1]

    def _planned_anew(self, snapshot: Snapshot, view: View) -> _Plan:
        plan = _Plan(new=[], edits=[], ids=[], unchanged=0)
        stored = self._stored(snapshot, view)
        position = next_position(view)
        given: dict[str, int] = {}
        edited: dict[int, int] = {}
        for turn, memory in zip(self._turns, self._memories, strict=True):
            row = stored.get(turn.source_id or "")
            if turn.source_id in given:  # given twice: the later text at the earlier place
                index = given[turn.source_id]
                first = plan.new[index]
                plan.new[index] = memory = replace(memory, id=first.id, position=first.position)
            elif row is None:
                memory = memory.with_checked(position=position)
                position += 1
                if turn.source_id is not None:
                    given[turn.source_id] = len(plan.new)
                plan.new.append(memory)
            elif row.row_id in edited:
                index = edited[row.row_id]
                memory = _edited(plan.edits[index][1], turn, memory.token_count)
                plan.edits[index] = row, memory
            elif _is_same(turn, row.memory):
                plan.unchanged += 1
                memory = row.memory
            else:
                memory = _edited(row.memory, turn, memory.token_count)
                edited[row.row_id] = len(plan.edits)
                plan.edits.append((row, memory))
            plan.ids.append(memory.id)
        return plan

    def _stored(self, snapshot: Snapshot, view: View) -> dict[str, StoredMemory]:
        """The turns with these source ids, a fork's own before its parents'."""
        character, in_chat = self._scope.character, self._scope.chat is not None
        found: dict[str, StoredMemory] = {}
        for source in {turn.source_id for turn in self._turns if turn.source_id is not None}:
            for row in view.rows_witnessed_or_not(snapshot, Wanted(kinds=TURNS, source_id=source)):
                if row.in_chat == in_chat and row.scope.character == character:
                    found[source] = row
        return found

    def _drafts(self, snapshot: Snapshot) -> list[Draft]:
        """What will have to be embedded, but for the turns that follow an edited one."""
        view = view_of(snapshot, self._scope)
        plan = self._plan(snapshot, view, version=snapshot.version(self._scope.user))
        drafts = [Draft(document_text(memory.text, memory.speaker)) for _, memory in plan.edits]
        before: str | None = None
        for memory in plan.new:
            text = document_text(memory.text, memory.speaker)
            if before is None:
                row = StoredMemory(0, 0, 0, 0, None, memory)
                previous = previous_turn(snapshot, view, row)
                before = None if previous is None else spoken(previous)
            drafts.append(Draft(text, before))
            before = text
        return drafts


def _is_same(turn: Turn, stored: Memory) -> bool:
    return (
        (stored.text, stored.speaker, stored.role) == (turn.text, turn.speaker, turn.role)
        and turn.parent_id in (None, stored.parent_id)
        and (turn.metadata is None or stored.metadata == turn.metadata)
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
