"""Random writes to a memory on a file and to the model, step by step; each step has a seed of its own.

Steps can be left out without changing what the others draw, which is how a failing play is made short.
"""

from __future__ import annotations

import inspect
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from romaine.embedder import Embedder
from romaine.errors import MemoryNotFoundError
from romaine.memory import Kind, Lifecycle, Memory, RoleplayMemory, Scope, Turn
from romaine.memory.records import utc_now

from .checks import ALL, Checker, Mismatch
from .drawing import START, WORDS, Drawing
from .oracle import Model, edited, knows
from .vectors import stale_vectors

LIFECYCLE = Lifecycle(hot_tokens=120, max_entries=7, decay=0.2)
OPERATIONS = {
    "turns": 9, "again": 6, "note": 8, "twin": 1, "update": 7, "pin": 2, "retract": 2, "forget": 3, "use": 3,
    "decay": 2, "branch": 4, "exchange": 1, "reopen": 1, "unknown": 1,
}  # fmt: skip
"""Operations and how often each is drawn."""


class Play(Drawing):
    """One memory, the model of it, and what is done to both.

    Args:
        folder: Where the file stands, empty.
        seed: Of everything that is drawn.
        embedder: The memory's.
        operations: What may be drawn, and how often.
    """

    def __init__(
        self, folder: Path, seed: int, embedder: Embedder, operations: dict[str, int] = OPERATIONS
    ) -> None:
        self.folder, self.seed, self.embedder = folder, seed, embedder
        self.path = folder / "memories.db"
        self.model = Model()
        self.checker = Checker(self.model, WORDS, folder)
        self.log: list[str] = []
        self.memory = self._open()
        self._operations = operations
        self._step = 0

    def _open(self) -> RoleplayMemory:
        return RoleplayMemory(self.path, embedder=self.embedder, lifecycle=LIFECYCLE)

    def step(self, number: int) -> None:
        """Does one operation and asks about what it touched, and about something else."""
        chance = random.Random(f"{self.seed}/{number}")
        self._step = number
        (name,) = chance.choices(list(self._operations), list(self._operations.values()))
        scope = self._scope(chance)
        operation: Callable[[random.Random, Scope], None] = getattr(self, f"_{name}")
        operation(chance, scope)
        self.checker.check_list(self.memory, scope)
        self.checker.check_recall(self.memory, scope, chance)
        for _ in range(3):
            other = chance.choice(self._scopes(chance.choice([scope.user, *WORDS])))
            self.checker.check_all(self.memory, other, chance)

    def check_everything(self) -> None:
        """Asks everything of every scope, and whether the file is sound."""
        chance = random.Random(f"{self.seed}/all")
        for user in WORDS:
            for scope in self._scopes(user):
                self.checker.check_all(self.memory, scope, chance)
        health = self.memory.verify()
        if not health.is_sound:
            raise Mismatch(f"verify() finds {health}")

    # --- operations ----------------------------------------------------------------------------------------

    def _turns(self, chance: random.Random, scope: Scope) -> None:
        count = chance.randint(1, 4)
        turns = [self._turn(chance, scope, f"s{self._step}-{n}") for n in range(count)]
        self._add_turns(scope, turns, known_by=self._witnesses(chance, scope))

    def _again(self, chance: random.Random, scope: Scope) -> None:
        """Turns that are there, edited and not, among new ones; also twice in one call."""
        seen = [m for m in self._seen(scope) if m.kind is Kind.TURN and m.source_id and self._has(scope, m)]
        if not seen:
            return
        turns = []
        for memory in chance.sample(seen, min(len(seen), chance.randint(1, 3))):
            if chance.random() < 0.3:
                assert memory.speaker is not None
                assert memory.role is not None
                turns.append(
                    Turn(memory.text, speaker=memory.speaker, role=memory.role, source_id=memory.source_id)
                )
            else:
                turns.append(self._turn(chance, scope, memory.source_id))
        if chance.random() < 0.3:
            turns.insert(chance.randint(0, len(turns)), self._turn(chance, scope, f"s{self._step}"))
        if chance.random() < 0.15:
            turns.append(self._turn(chance, scope, turns[0].source_id))
        self._add_turns(scope, turns, known_by=())

    def _note(self, chance: random.Random, scope: Scope) -> None:
        seen = self._seen(scope)
        kind = chance.choice([Kind.FACT, Kind.FACT, Kind.LORE, Kind.SUMMARY])
        options: dict[str, Any] = {
            "importance": round(chance.random(), 6),
            "known_by": self._witnesses(chance, scope),
            "pinned": chance.random() < 0.1,
            "metadata": self._metadata(chance, scope),
        }
        if seen and chance.random() < 0.35:
            options["supersedes"] = [m.id for m in chance.sample(seen, min(len(seen), chance.randint(1, 2)))]
        if kind is not Kind.LORE and seen and chance.random() < 0.4:
            parent = chance.choice(seen)
            options["parent_id"] = chance.choice([parent.source_id or parent.id, parent.id])
        if kind is Kind.FACT:
            options["at"] = START + timedelta(seconds=self._step)
            options["speaker"] = chance.choice([None, "Ana", "Mira"])
            options["category"] = chance.choice([None, "plot_event", "preference"])
            options |= self._validity(chance)
        self._add_note(scope, kind, self._text(chance, scope), options)

    def _twin(self, chance: random.Random, scope: Scope) -> None:
        """A fact in words that the memory may have, whether the scope sees them or not."""
        chat_facts = [
            e.memory for e in self.model.entries(scope, witnessed=False) if e.memory.kind is Kind.FACT
        ]
        if chat_facts:
            one = chance.choice(chat_facts)
            self._say(f"twin of {one.id[-4:]}")
            self._add_note(scope, Kind.FACT, one.text, {"at": START + timedelta(seconds=self._step)})

    def _update(self, chance: random.Random, scope: Scope) -> None:
        seen = self._seen(scope)
        if not seen:
            return
        memory = chance.choice(seen)
        every: dict[str, Callable[[], Any]] = {
            "text": lambda: self._text(chance, scope),
            "importance": lambda: round(chance.random(), 6),
            "category": lambda: chance.choice([None, "relationship", "other"]),
            "known_by": lambda: self._witnesses(chance, scope, memory.scope.character),
            "metadata": lambda: self._metadata(chance, scope),
        }
        fields = {name: every[name]() for name in chance.sample(sorted(every), chance.randint(1, 2))}
        if chance.random() < 0.2:
            fields |= self._validity(chance)
        self._say(f"update({_brief(scope)}, {memory.id[-4:]}, {fields})")
        returned = self.memory.update(scope, memory.id, **fields)
        values = dict(fields)
        if "text" in values:
            values["token_count"] = self._tokens(values["text"])
        self._changed(scope, memory.id, returned, lambda old: replace(old, **values))

    def _pin(self, chance: random.Random, scope: Scope) -> None:
        seen = self._seen(scope)
        if not seen:
            return
        memory, pinned = chance.choice(seen), chance.random() < 0.6
        self._say(f"{'pin' if pinned else 'unpin'}({_brief(scope)}, {memory.id[-4:]})")
        returned = (self.memory.pin if pinned else self.memory.unpin)(scope, memory.id)
        self._changed(
            scope,
            memory.id,
            returned,
            lambda old: replace(old, pinned=pinned, cold=old.cold and not pinned),
        )

    def _retract(self, chance: random.Random, scope: Scope) -> None:
        sources = [m.source_id for m in self._seen(scope, witnessed=False) if m.source_id]
        if not sources:
            return
        chosen = chance.sample(sources, min(len(sources), chance.randint(1, 2)))
        self._say(f"retract({_brief(scope)}, {chosen})")
        self._equal("retract", self.memory.retract(scope, chosen), self.model.retract(scope, chosen))

    def _forget(self, chance: random.Random, scope: Scope) -> None:
        seen = self._seen(scope)
        if not seen:
            return
        ids = [m.id for m in chance.sample(seen, min(len(seen), chance.choice([1, 1, 2])))]
        derived = chance.random() < 0.6
        self._say(f"forget({_brief(scope)}, {[i[-4:] for i in ids]}, derived={derived})")
        copies = self._copies_of_copies(scope)
        forgotten = self.memory.forget(scope, ids, derived=derived)
        gone = self.model.forget(scope, ids, derived=derived)
        self._equal("forget", getattr(forgotten, "memories", forgotten), len(gone))
        for other, memory_id in copies:  # whether a copy of a copy goes along is left open
            if memory_id in gone and self.model.find(other, memory_id) is not None:
                try:
                    self.memory.get(other, memory_id)
                except MemoryNotFoundError:
                    self.model.forget(other, [memory_id], derived=False)

    def _copies_of_copies(self, scope: Scope) -> list[tuple[Scope, str]]:
        own = {(scope.user, scope.chat, scope.character), (scope.user, scope.chat, None)}
        return [
            (Scope(user=fork[0], chat=fork[1], character=fork[2]), e.memory.id)
            for fork, entries in self.model.shared.items()
            for e in entries
            if own.intersection(e.homes[:-1]) and len(e.homes) > 2
        ]

    def _use(self, chance: random.Random, scope: Scope) -> None:
        """Marks what was recalled, and something that another scope sees."""
        hits: list[Any] = list(self.memory.recall("where is the key", scope, k=chance.randint(1, 3)))
        other = self._seen(chance.choice(self._scopes(chance.choice(list(WORDS)))))
        if other and chance.random() < 0.4:
            hits.append(chance.choice(other))
        ids = [getattr(hit, "memory", hit).id for hit in hits]
        self._say(f"mark_used({_brief(scope)}, {[i[-4:] for i in ids]})")
        start = utc_now()
        if "scope" in inspect.signature(self.memory.mark_used).parameters:
            count = self.memory.mark_used(scope, hits)
        else:
            count = self.memory.mark_used(hits)
        end = utc_now()
        self._equal("mark_used", count, self.model.mark_used(scope, ids, LIFECYCLE, start))
        for memory_id in ids:
            if self.model.find(scope, memory_id) is not None:
                at = self.memory.get(scope, memory_id).last_used_at
                if at is None or not start <= at <= end:
                    raise Mismatch(f"{memory_id} was used at {at}, not between {start} and {end}")
                self.model.change(scope, memory_id, lambda m, at=at: replace(m, last_used_at=at))

    def _decay(self, chance: random.Random, scope: Scope) -> None:
        self._say(f"decay({_brief(scope)})")
        result = self.memory.decay(scope)
        expected = self.model.decay(scope, LIFECYCLE)
        self._equal("decay", (result.decayed, result.cooled, result.trimmed), expected)

    def _branch(self, chance: random.Random, scope: Scope) -> None:
        own = [m for m in self._seen(scope) if m.scope.chat is not None]
        forks = {fork[1] for fork in self.model.shared if fork[0] == scope.user}
        if scope.chat is None or not own or len(forks) >= 5:
            return
        name = chance.choice(sorted(forks)) if forks and chance.random() < 0.2 else f"f{len(forks)}"
        told_apart = any(
            e.memory.scope.character is not None for e in self._whole_chat(scope.user, scope.chat)
        )
        if self.model.is_taken(scope, name) or (scope.character is None and told_apart):
            return  # what a fork for all shows of one character's own past is left open
        at = chance.randint(0, max([m.position or 0 for m in own]))
        self._say(f"branch({_brief(scope)}, at={at}, to_chat={name!r})")
        fork = self.memory.branch(scope, at=at, to_chat=name)
        self._equal("branch", fork, replace(scope, chat=name))
        self.model.branch(scope, at, name)

    def _exchange(self, chance: random.Random, scope: Scope) -> None:
        """Exports a scope and imports it where nothing is yet."""
        if len({room for room in self.model.said if str(room[1]).startswith("i")}) >= 3:
            return
        target = Scope(user=chance.choice(list(WORDS)), character=scope.character, chat=f"i{self._step}")
        self._say(f"exchange({_brief(scope)} -> {_brief(target)})")
        path = self.folder / "exchanged.jsonl"
        count = self.memory.export_jsonl(path, scope)
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        self._equal("import", self.memory.import_jsonl(path, scope=target), count)
        # texts of another user must not look like a leak, so the model takes what is told of the lines
        stored = [m for m in self.memory.list(target) if m.scope == target]
        self._import(scope, target, lines, stored)

    def _import(self, scope: Scope, target: Scope, lines: list[Any], stored: list[Memory]) -> None:
        new_ids: dict[str, str] = {}
        by_text = {(m.text, m.kind, m.speaker, m.position): m for m in stored}
        seen = {m.id: m for m in self._seen(scope)}
        for line in lines:
            old = seen[line["id"]]
            new = by_text.get((old.text, old.kind, old.speaker, old.position))
            if new is None:
                raise Mismatch(f"import into {target} lost {old}")
            held = (target.user, old.id) in self.model.rooted
            if not held and new.id != old.id:
                raise Mismatch(f"import renamed {old.id}, which {target.user} had not")
            new_ids[old.id] = new.id
            self.model.add(replace(old, id=new.id, scope=target, superseded_by=None))
        for line in lines:
            newer = line.get("superseded_by")
            if newer in new_ids:
                pairs = self.model.corrections.setdefault(target.user, [])
                pairs.append((new_ids[line["id"]], new_ids[newer]))

    def _reopen(self, chance: random.Random, scope: Scope) -> None:
        """Closes the file; what is found and how well must not change."""
        self._say("close and open")
        scopes = [scope, *(chance.choice(self._scopes(user)) for user in WORDS)]
        before = [self._scores(s) for s in scopes]
        self.memory.close()
        self.memory = self._open()
        for s, old in zip(scopes, before, strict=True):
            new = self._scores(s)
            if new.keys() != old.keys() or any(abs(new[i] - old[i]) > 1e-6 for i in old):
                raise Mismatch(f"recall({s}) differs once the file is opened anew: {old}, {new}")

    def _scores(self, scope: Scope) -> dict[str, float]:
        self.checker.queries += 1
        hits = self.memory.recall(["what did you say", "where is the key"], scope, k=ALL)
        return {hit.memory.id: hit.score for hit in hits}

    def _unknown(self, chance: random.Random, scope: Scope) -> None:
        """Writes to what the scope does not see: an error of ours that tells nothing, and no change."""
        hidden = [pair for pair in sorted(self.model.rooted) if self.model.find(scope, pair[1]) is None]
        if not hidden:
            return
        memory_id = chance.choice(hidden)[1]
        self._say(f"touches unseen {memory_id[-4:]} from {_brief(scope)}")
        for action in (
            lambda: self.memory.update(scope, memory_id, importance=0.5),
            lambda: self.memory.forget(scope, memory_id),
            lambda: self.memory.pin(scope, memory_id),
            lambda: self.memory.add_fact(scope, self._text(chance, scope), supersedes=memory_id),
        ):
            try:
                action()
            except MemoryNotFoundError:
                continue
            raise Mismatch(f"{scope} changed {memory_id}, which it does not see")

    # --- both sides ----------------------------------------------------------------------------------------

    def _add_turns(self, scope: Scope, turns: Sequence[Turn], *, known_by: Sequence[str]) -> None:
        told = [(turn.source_id, turn.text) for turn in turns]
        self._say(f"add_turns({_brief(scope)}, {told}, known_by={list(known_by)})")
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
        self._say(f"add_{kind.value}({_brief(scope)}, {text!r}, {options})")
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
            if parent_id in (e.memory.source_id, e.memory.id) and parent_id is not None
        ]
        found: set[int | None] = {m.position for m in parents if m.position is not None}
        if not any(knows(scope.character, m) and m.position is not None for m in parents):
            found.add(max((m.position for m in told if m.kind is Kind.TURN), default=None))
        return found

    def _placed(self, scope: Scope, memory_id: str, allowed: set[int]) -> int | None:
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

    def _say(self, line: str) -> None:
        self.log.append(f"{self._step}: {line}")


def _brief(scope: Scope) -> str:
    return f"{scope.user}/{scope.character or '*'}/{scope.chat or '-'}"


# --- whole plays ---


def play(seed: int, steps: Sequence[int], embedder: Embedder) -> tuple[str | None, Play]:
    """Plays steps; returns what went wrong, or None."""
    with tempfile.TemporaryDirectory() as folder:
        game = Play(Path(folder), seed, embedder)
        try:
            for number in steps:
                game.step(number)
            game.check_everything()
            game.memory.close()
            stale = stale_vectors(game.path, embedder, Path(folder))
        except Exception as error:  # whatever is raised is what a play is to find
            return f"{type(error).__name__}: {error}", game
        finally:
            game.memory.close()
        return ("; ".join(stale[:3]) or None), game


def shortest(seed: int, steps: Sequence[int], embedder: Embedder) -> tuple[str, list[str]]:
    """Leaves out steps as long as something goes wrong; returns what, and what was done."""
    kept = list(steps)
    problem, game = play(seed, kept, embedder)
    assert problem is not None
    size = len(kept) // 2
    while size:
        start = 0
        while start < len(kept):
            fewer = kept[:start] + kept[start + size :]
            still, shorter = play(seed, fewer, embedder)
            if still is None:
                start += size
            else:
                kept, problem, game = fewer, still, shorter
        size //= 2
    return problem, game.log
