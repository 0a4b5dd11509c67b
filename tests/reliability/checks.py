"""Asks a memory and the model the same, and tells where they differ."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from romaine.errors import MemoryNotFoundError
from romaine.memory import Kind, Memory, RoleplayMemory, Scope
from romaine.memory.exchange import from_json

from .oracle import Model, knows

ALL = 1000
"""More hits than any scope has memories."""


class Mismatch(AssertionError):  # noqa: N818 - it is a finding
    """The memory answers something else than the model."""


class Checker:
    """Compares answers.

    Args:
        model: What is true.
        words: Of each user, a word that all of that user's texts hold and nobody else's.
        folder: Where exports may be written.

    Attributes:
        queries: How many questions were asked so far.
    """

    def __init__(self, model: Model, words: dict[str, str], folder: Path) -> None:
        self.model = model
        self.queries = 0
        self._words = words
        self._folder = folder

    def check_all(self, memory: RoleplayMemory, scope: Scope, chance: random.Random) -> None:
        """Asks everything that can be asked of one scope."""
        self.check_list(memory, scope)
        self.check_filtered_list(memory, scope, chance)
        self.check_get(memory, scope, chance)
        self.check_stats(memory, scope)
        self.check_export(memory, scope)
        for _ in range(4):
            self.check_recall(memory, scope, chance)
        self.check_neighbours(memory, scope, chance)

    # --- without searching ---------------------------------------------------------------------------------

    def check_list(self, memory: RoleplayMemory, scope: Scope) -> None:
        self.queries += 1
        listed = memory.list(scope)
        self._same(f"list({scope})", listed, self.model.seen(scope), scope)
        places = [(m.position is None, m.position or 0) for m in listed]
        if places != sorted(places):
            raise Mismatch(f"list({scope}) is out of order: positions {[m.position for m in listed]}")

    def check_filtered_list(self, memory: RoleplayMemory, scope: Scope, chance: random.Random) -> None:
        self.queries += 1
        seen = self.model.seen(scope)
        sources = sorted({m.source_id for m in seen if m.source_id}) or ["none"]
        kinds = chance.choice([None, ["turn"], ["fact", "lore"], ["summary"]])
        with_superseded = chance.random() < 0.5
        options: dict[str, Any] = {"kinds": kinds, "include_superseded": with_superseded}
        expected = [
            m
            for m in seen
            if (kinds is None or m.kind.value in kinds) and (with_superseded or m.superseded_by is None)
        ]
        way = chance.randrange(3)
        if way == 0:
            options["source_ids"] = chance.sample(sources, min(2, len(sources)))
            expected = [m for m in expected if m.source_id in options["source_ids"]]
        elif way == 1:
            options["source_prefix"] = chance.choice(sources)[:2]
            expected = [m for m in expected if (m.source_id or "").startswith(options["source_prefix"])]
        self._same(f"list({scope}, {options})", memory.list(scope, **options), expected, scope)

    def check_get(self, memory: RoleplayMemory, scope: Scope, chance: random.Random) -> None:
        self.queries += 1
        everything = sorted(
            {(user, id_) for user, id_ in self.model.rooted}, key=lambda pair: (pair[0] != scope.user, pair)
        )
        if not everything:
            return
        _, memory_id = chance.choice(everything)
        seen = {m.id: m for m in self.model.seen(scope)}
        try:
            found = memory.get(scope, memory_id)
        except MemoryNotFoundError as error:
            if memory_id in seen:
                raise Mismatch(f"get({scope}) does not find {seen[memory_id]}") from None
            self._keeps_secrets(f"get({scope})", str(error), scope)
            return
        self._same(f"get({scope})", [found], [seen[memory_id]] if memory_id in seen else [], scope)

    def check_stats(self, memory: RoleplayMemory, scope: Scope) -> None:
        self.queries += 1
        stats, seen = memory.stats(scope), self.model.seen(scope)
        found = (dict(stats.memories), stats.pinned, stats.cold, stats.superseded, stats.tokens)
        expected = (
            dict(Counter(m.kind for m in seen)),
            sum(m.pinned for m in seen),
            sum(m.cold for m in seen),
            sum(m.superseded_by is not None for m in seen),
            sum(m.token_count for m in seen),
        )
        if found != expected:
            raise Mismatch(f"stats({scope}): {found}, true are {expected}")

    def check_export(self, memory: RoleplayMemory, scope: Scope) -> None:
        self.queries += 1
        path = self._folder / "checked.jsonl"
        count = memory.export_jsonl(path, scope)
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) != count:
            raise Mismatch(f"export({scope}) told {count} of {len(lines)} lines")
        exported = [from_json(json.loads(line)) for line in lines]
        self._same(f"export({scope})", exported, self.model.seen(scope), scope)

    # --- searching -----------------------------------------------------------------------------------------

    def check_recall(self, memory: RoleplayMemory, scope: Scope, chance: random.Random) -> None:
        self.queries += 1
        seen = self.model.seen(scope)
        options: dict[str, Any] = {}
        if chance.random() < 0.3:
            options["kinds"] = chance.sample(["turn", "fact", "lore", "summary"], chance.randint(1, 3))
        if chance.random() < 0.2:
            options["speakers"] = chance.sample(["Mira", "Odo", "Ana"], chance.randint(1, 2))
        if chance.random() < 0.3:
            options["as_character"] = chance.choice(["Mira", "Odo", "Nobody"])
        if chance.random() < 0.3:
            options["include_superseded"] = True
        if chance.random() < 0.35 and seen:
            one = chance.choice(seen)
            options["as_of"] = one.created_at if chance.random() < 0.5 else chance.randint(0, 12)
        query = chance.choice(seen).text if seen and chance.random() < 0.8 else "where is the key"
        what = f"recall({scope}, {options})"
        if chance.random() < 0.2:
            explained = memory.recall(query, scope, k=ALL, explain=True, **options)
            hits = list(explained.hits)
            self._keeps_secrets(what, repr(explained), scope)
            self._within(what, [r.memory for r in explained.rejected], seen, scope)
            if explained.damaged:
                raise Mismatch(f"{what} tells of {explained.damaged} damaged memories")
        else:
            hits = memory.recall(query, scope, k=ALL, **options)
        found = [hit.memory for hit in hits]
        self._within(what, found, seen, scope)
        wanted = [self._wanted(scope, seen, options, outside=outside) for outside in (True, False)]
        # the same words of one speaker are shown once
        said = {(m.speaker, m.text) for m in found}
        if all({(m.speaker, m.text) for m in expected} != said for expected in wanted):
            expected = {(m.speaker, m.text) for m in wanted[0]}
            raise Mismatch(f"{what} lacks {expected - said} and has {said - expected} too much")
        if not {m.id for m in found} <= {m.id for m in wanted[0] + wanted[1]}:
            raise Mismatch(f"{what} found another memory of the same text")

    def _wanted(
        self, scope: Scope, seen: list[Memory], options: dict[str, Any], *, outside: bool
    ) -> list[Memory]:
        """What a recall may find; `outside` tells whether turns outside any chat tell the story's present."""
        character, as_of = options.get("as_character"), options.get("as_of")
        there = [m for m in seen if knows(character, m) and _exists(m, as_of)]
        if not options.get("include_superseded"):
            ids = {m.id for m in there}
            corrected = {
                old
                for old, news in self.model.superseders(scope, character).items()
                if not ids.isdisjoint(news)
            }
            places = [m.position for m in there if outside or m.scope.chat is not None]
            latest = max((p for p in places if p is not None), default=None)
            now = as_of if isinstance(as_of, int) else latest
            there = [m for m in there if m.id not in corrected and _holds(m, now)]
        return [
            m
            for m in there
            if ("kinds" not in options or m.kind.value in options["kinds"])
            and ("speakers" not in options or m.speaker in options["speakers"])
        ]

    def check_neighbours(self, memory: RoleplayMemory, scope: Scope, chance: random.Random) -> None:
        self.queries += 1
        turns = [m for m in self.model.seen(scope) if m.kind is Kind.TURN]
        if not turns:
            return
        count, options = chance.randint(1, 3), {}
        if chance.random() < 0.3:
            options["as_character"] = chance.choice(["Mira", "Odo"])
        hits = memory.recall(
            chance.choice(turns).text, scope, k=1, kinds=["turn"], neighbours=count, **options
        )
        for hit in hits:
            own = hit.memory
            line = sorted(
                (t for t in turns if (t.scope.chat is None) == (own.scope.chat is None)),
                key=lambda t: t.position or 0,
            )
            if len({t.position for t in line}) < len(line) or own.id not in {t.id for t in line}:
                continue  # imported turns may share a place
            at = [t.id for t in line].index(own.id)
            near = [*line[max(0, at - count) : at], *line[at + 1 : at + 1 + count]]
            near = [t for t in near if knows(options.get("as_character"), t)]
            what = f"neighbours of position {own.position} in {scope} {options}"
            self._same(what, list(hit.neighbours), near, scope)

    # --- comparing -----------------------------------------------------------------------------------------

    def _same(self, what: str, found: list[Memory], expected: list[Memory], scope: Scope) -> None:
        if len({m.id for m in found}) < len(found):
            raise Mismatch(f"{what} names an id twice: {Counter(m.id for m in found).most_common(1)}")
        missing = {m.id: m for m in expected}.keys() - {m.id for m in found}
        if missing:
            raise Mismatch(f"{what} lacks {[m for m in expected if m.id in missing]}; it has {_brief(found)}")
        self._within(what, found, expected, scope)

    def _within(self, what: str, found: Iterable[Memory], allowed: Iterable[Memory], scope: Scope) -> None:
        """Whether all that was found is allowed, field by field."""
        by_id = {m.id: m for m in allowed}
        superseders = self.model.superseders(scope)
        for memory in found:
            true = by_id.get(memory.id)
            if true is None:
                raise Mismatch(f"{what} must not have {memory}; it may have {_brief(by_id.values())}")
            if memory.scope.user == scope.user and memory.scope.chat in self.model.line(scope):
                # a fork has a copy of its own of a turn, too, where another one stands before it
                true = replace(true, scope=memory.scope)
            if memory.superseded_by in superseders.get(memory.id, []):
                true = replace(true, superseded_by=memory.superseded_by)  # any of several will do
            if memory != true:
                raise Mismatch(f"{what}: {_differences(memory, true)}, of {true}")

    def _keeps_secrets(self, what: str, text: str, scope: Scope) -> None:
        imported = [repr((m.text, m.metadata)) for m in self.model.seen(scope)]
        for user, word in self._words.items():
            if user != scope.user and word in text and not any(word in shown for shown in imported):
                raise Mismatch(f"{what} tells of another user: {text}")


def _exists(memory: Memory, as_of: int | datetime | None) -> bool:
    if isinstance(as_of, datetime):
        return memory.created_at <= as_of
    return as_of is None or memory.position is None or memory.position <= as_of


def _holds(memory: Memory, now: int | None) -> bool:
    return now is None or (
        (memory.valid_from is None or memory.valid_from <= now)
        and (memory.valid_to is None or now < memory.valid_to)
    )


def _brief(memories: Iterable[Memory]) -> list[str]:
    return [f"{m.id[-4:]} {m.text}" for m in memories]


def _differences(found: Memory, true: Memory) -> str:
    names = [n for n in Memory.__dataclass_fields__ if getattr(found, n) != getattr(true, n)]
    return ", ".join(f"{n} is {getattr(found, n)!r}, true is {getattr(true, n)!r}" for n in names)
