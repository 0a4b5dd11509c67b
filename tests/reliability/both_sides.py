"""Writes to a memory and to the model alike, and compares what each returns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from romaine.embedder import Embedder
from romaine.memory import Kind, Memory, RoleplayMemory, Scope, Turn
from romaine.memory.records import utc_now

from .checks import ALL, Checker, Mismatch
from .drawing import Drawing
from .oracle import edited, knows


class BothSides(Drawing):
    """A memory and the model of it."""

    memory: RoleplayMemory
    embedder: Embedder
    checker: Checker
    log: list[str]

    def _add_turns(self, scope: Scope, turns: Sequence[Turn], *, known_by: Sequence[str]) -> None:
        told = [(turn.source_id, turn.text) for turn in turns]
        self._say(f"add_turns({brief(scope)}, {told}, known_by={list(known_by)})")
        result = self.memory.add_turns(scope, turns, known_by=known_by)
        new = 0
        for turn, memory_id in zip(turns, result.ids, strict=True):
            assert turn.source_id is not None
            old = self.model.turn_of_source(scope, turn.source_id)
            tokens = self._tokens(turn.text)
            if old is not None:
                self._equal(f"id of {turn.source_id}", memory_id, old.id)
                new_memory = edited(old, turn, tokens)
                if new_memory != old:
                    self.model.change(scope, old.id, lambda m, t=turn, n=tokens: edited(m, t, n))
                continue
            new += 1
            position = self._placed(scope, memory_id, self.model.next_positions(scope))
            self.model.add(
                Memory(
                    scope=scope, kind=Kind.TURN, text=turn.text, speaker=turn.speaker, role=turn.role,
                    id=memory_id, position=position, created_at=turn.at or utc_now(),
                    source_id=turn.source_id, parent_id=turn.parent_id, known_by=frozenset(known_by),
                    token_count=tokens, metadata=turn.metadata or {},
                )
            )  # fmt: skip
        self._equal("turns added", result.added, new)

    def _add_note(self, scope: Scope, kind: Kind, text: str, options: dict[str, Any]) -> None:
        self._say(f"add_{kind.value}({brief(scope)}, {text!r}, {options})")
        result = getattr(self.memory, f"add_{kind.value}")(scope, text, **options)
        if not result.stored:
            twin = next((m for m in self._seen(scope) if m.id == result.twin_id), None)
            if twin is None or twin.text != text:
                raise Mismatch(f"{text!r} was rejected ({result.reason}) for {result.twin_id}: {twin}")
            return
        given = {k: v for k, v in options.items() if k not in ("supersedes", "at")}
        memory = result.memory
        allowed = self._note_positions(scope, kind, options.get("parent_id"))
        expected = Memory(
            scope=scope, kind=kind, text=text, id=memory.id, created_at=options.get("at", memory.created_at),
            token_count=memory.token_count, position=memory.position, **given,
        )  # fmt: skip
        if memory.position not in allowed:
            raise Mismatch(f"a {kind.value} of {scope} stands at {memory.position}, allowed are {allowed}")
        self._equal("note", memory, expected)
        self.model.add(replace(expected, token_count=self._tokens(text)))
        pairs = self.model.corrections.setdefault(scope.user, [])
        pairs += [(old, memory.id) for old in options.get("supersedes", ())]

    def _note_positions(self, scope: Scope, kind: Kind, parent_id: str | None) -> set[int | None]:
        if scope.chat is None or kind is Kind.LORE:
            return {None}
        told = [m for m in self._seen(scope) if m.scope.chat is not None]
        parents = [
            e.memory
            for e in self.model.entries(scope, witnessed=False)
            if parent_id in (e.memory.source_id, e.memory.id)
            and parent_id is not None
            and e.memory.scope.chat is not None
        ]
        found: set[int | None] = {m.position for m in parents if m.position is not None}
        turns = [m for m in parents if m.kind is Kind.TURN and m.position is not None]
        if not any(knows(scope.character, m) for m in turns):
            found.add(max((m.position for m in told if m.kind is Kind.TURN), default=None))
        return found

    def _placed(self, scope: Scope, memory_id: str, allowed: Collection[int]) -> int | None:
        """Where a new turn stands, which the model may leave open."""
        position = self.memory.get(scope, memory_id).position
        if position not in allowed and scope.chat is not None:
            raise Mismatch(f"a new turn of {scope} stands at {position}, allowed are {allowed}")
        return position

    def _changed(
        self, scope: Scope, memory_id: str, returned: Memory, edit: Callable[[Memory], Memory]
    ) -> None:
        expected = self.model.change(scope, memory_id, edit)
        self._equal("what was changed", replace(returned, superseded_by=None), expected)

    def _equal(self, what: str, found: object, expected: object) -> None:
        if found != expected:
            raise Mismatch(f"{what}: {found}, true is {expected}")

    def _import(self, scope: Scope, target: Scope, lines: list[Any], stored: list[Memory]) -> None:
        new_ids: dict[str, str] = {}
        own = [m for m in stored if m.scope == target]
        by_id = {m.id: m for m in own}
        kept_ids = {line["id"] for line in lines}.intersection(by_id)
        renamed: defaultdict[object, list[Memory]] = defaultdict(list)
        for memory in own:
            if memory.id not in kept_ids:
                renamed[_content(memory)].append(memory)
        seen = {m.id: m for m in self._seen(scope)}
        for line in lines:
            old = replace(seen[line["id"]], superseded_by=line.get("superseded_by"))
            # a scope that sees an import and what was imported gives the same twice
            same = [by_id[old.id]] if old.id in kept_ids else renamed[_content(old)]
            if not same:
                raise Mismatch(f"import into {target} lost {old}")
            if old.id not in kept_ids and (target.user, old.id) not in self.model.rooted:
                raise Mismatch(f"import renamed {old.id}, which {target.user} had not")
            new_ids[old.id] = same.pop().id
            self.model.add(replace(old, id=new_ids[old.id], scope=target, superseded_by=None))
        for line in lines:
            newer = line.get("superseded_by")
            if newer in new_ids:
                pairs = self.model.corrections.setdefault(target.user, [])
                pairs.append((new_ids[line["id"]], new_ids[newer]))

    def _scores(self, scope: Scope) -> dict[str, float]:
        self.checker.queries += 1
        hits = self.memory.recall(["what did you say", "where is the key"], scope, k=ALL)
        return {hit.memory.id: hit.score for hit in hits}

    def _say(self, line: str) -> None:
        self.log.append(f"{self._step}: {line}")


def _content(memory: Memory) -> str:
    """All of a memory but what an import changes."""
    kept = {**vars(memory), "known_by": sorted(memory.known_by), "superseded_by": bool(memory.superseded_by)}
    return repr({name: kept[name] for name in kept if name not in ("id", "scope")})


def brief(scope: Scope) -> str:
    return f"{scope.user}/{scope.character or '*'}/{scope.chat or '-'}"
