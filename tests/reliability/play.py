"""Random writes to a memory on a file and to the model, step by step; each step has a seed of its own.

Steps can be left out without changing what the others draw, which is how a failing play is made short.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from romaine.embedder import Embedder
from romaine.errors import MemoryNotFoundError
from romaine.memory import Kind, Lifecycle, RoleplayMemory, Scope, Turn
from romaine.memory.records import utc_now

from .both_sides import BothSides, brief
from .checks import Checker, Mismatch
from .drawing import START, WORDS
from .oracle import Model

LIFECYCLE = Lifecycle(hot_tokens=120, max_entries=7, decay=0.2)
OPERATIONS = {
    "turns": 9, "again": 6, "note": 8, "twin": 1, "update": 7, "pin": 2, "retract": 2, "forget": 3, "use": 3,
    "decay": 2, "branch": 4, "exchange": 1, "reopen": 1, "unknown": 1,
}  # fmt: skip
"""Operations and how often each is drawn."""


class Play(BothSides):
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

    def clear(self) -> None:
        """Takes away what stands elsewhere than in the folder."""

    def step(self, number: int) -> None:
        """Does one operation and asks about what it touched, and about something else."""
        chance = random.Random(f"{self.seed}/{number}")
        self._step = number
        (name,) = chance.choices(list(self._operations), list(self._operations.values()))
        scope = self._scope(chance)
        operation: Callable[[random.Random, Scope], None] = getattr(self, f"_{name}")
        operation(chance, scope)
        self._ask(chance, scope)

    def _ask(self, chance: random.Random, scope: Scope) -> None:
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
        if chance.random() < 0.2:  # the same message twice, in the end perhaps as it was: the later counts
            turns.append(self._later(chance, scope, turns[0]))
        if chance.random() < 0.3:
            turns.insert(chance.randint(0, len(turns)), self._turn(chance, scope, f"s{self._step}"))
        gone = sorted(self._sources(scope.user) - {m.source_id for m in self._seen(scope, witnessed=False)})
        if gone and chance.random() < 0.3:
            turns.append(self._turn(chance, scope, chance.choice(gone)))
        self._add_turns(scope, turns, known_by=())

    def _later(self, chance: random.Random, scope: Scope, first: Turn) -> Turn:
        assert first.source_id is not None
        stored = self.model.turn_of_source(scope, first.source_id)
        assert stored is not None
        assert stored.speaker is not None
        assert stored.role is not None
        return Turn(
            chance.choice([stored.text, self._text(chance, scope)]),
            speaker=stored.speaker,
            role=stored.role,
            at=stored.created_at,
            source_id=first.source_id,
            parent_id=first.parent_id or stored.parent_id,
            metadata=stored.metadata,
        )

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
        self._say(f"update({brief(scope)}, {memory.id[-4:]}, {fields})")
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
        self._say(f"{'pin' if pinned else 'unpin'}({brief(scope)}, {memory.id[-4:]})")
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
        self._say(f"retract({brief(scope)}, {chosen})")
        self._equal("retract", self.memory.retract(scope, chosen), self.model.retract(scope, chosen))

    def _forget(self, chance: random.Random, scope: Scope) -> None:
        seen = self._seen(scope)
        if not seen:
            return
        ids = [m.id for m in chance.sample(seen, min(len(seen), chance.choice([1, 1, 2])))]
        derived = chance.random() < 0.6
        self._say(f"forget({brief(scope)}, {[i[-4:] for i in ids]}, derived={derived})")
        copies = self._copies_of_copies(scope)
        known = self.model.texts()
        forgotten = self.memory.forget(scope, ids, derived=derived)
        gone = self.model.forget(scope, ids, derived=derived)
        self._equal("forget", (forgotten.memories, forgotten.pending), (len(gone), False))
        for other, memory_id in copies:  # whether a copy of a copy goes along is left open
            if memory_id in gone and self.model.find(other, memory_id) is not None:
                try:
                    self.memory.get(other, memory_id)
                except MemoryNotFoundError:
                    self.model.forget(other, [memory_id], derived=False)
        self._erased(known - self.model.texts())

    def _erased(self, texts: set[str]) -> None:
        """What nobody may see any more must not stand in the file or its log either."""
        data = b"".join(part.read_bytes() for part in self.folder.glob(f"{self.path.name}*"))
        left = [text for text in texts if text.encode() in data]
        if left:
            raise Mismatch(f"forgotten, and still in the file: {left}")

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
        self._say(f"mark_used({brief(scope)}, {[i[-4:] for i in ids]})")
        start = utc_now()
        count = self.memory.mark_used(scope, hits)
        end = utc_now()
        self._equal("mark_used", count, self.model.mark_used(scope, ids, LIFECYCLE, start))
        for memory_id in ids:
            if self.model.find(scope, memory_id) is not None:
                at = self.memory.get(scope, memory_id).last_used_at
                if at is None or not start <= at <= end:
                    raise Mismatch(f"{memory_id} was used at {at}, not between {start} and {end}")
                self.model.change(scope, memory_id, lambda m, at=at: replace(m, last_used_at=at))

    def _decay(self, chance: random.Random, scope: Scope) -> None:
        self._say(f"decay({brief(scope)})")
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
        ) or any(fork[:2] == (scope.user, scope.chat) and fork[2] is not None for fork in self.model.shared)
        if self.model.is_taken(scope, name) or (scope.character is None and told_apart):
            return  # what a fork for all shows of one character's own past is left open
        at = chance.randint(0, max([m.position or 0 for m in own]))
        self._say(f"branch({brief(scope)}, at={at}, to_chat={name!r})")
        fork = self.memory.branch(scope, at=at, to_chat=name)
        self._equal("branch", fork, replace(scope, chat=name))
        self.model.branch(scope, at, name)

    def _exchange(self, chance: random.Random, scope: Scope) -> None:
        """Exports a scope and imports it where nothing is yet."""
        rooms = {str(chat) for _, chat in self.model.said if str(chat).startswith("i")}
        # what sees an import and its source has two turns of one message: which an edit means is left open
        if len(rooms) >= 3 or scope.chat in rooms:
            return
        target = Scope(user=chance.choice(list(WORDS)), character=scope.character, chat=f"i{self._step}")
        self._say(f"exchange({brief(scope)} -> {brief(target)})")
        path = self.folder / "exchanged.jsonl"
        count = self.memory.export_jsonl(path, scope)
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        self._equal("import", self.memory.import_jsonl(path, scope=target), count)
        # texts of another user must not look like a leak, so the model takes what is told of the lines
        stored = [m for m in self.memory.list(target) if m.scope == target]
        self._import(scope, target, lines, stored)

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

    def _unknown(self, chance: random.Random, scope: Scope) -> None:
        """Writes to what the scope does not see: an error of ours that tells nothing, and no change."""
        hidden = [pair for pair in sorted(self.model.rooted) if self.model.find(scope, pair[1]) is None]
        if not hidden:
            return
        memory_id = chance.choice(hidden)[1]
        self._say(f"touches unseen {memory_id[-4:]} from {brief(scope)}")
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
