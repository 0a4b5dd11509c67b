"""No call shows a scope what it may not see: small worlds of scopes, forks, witnesses and times."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from romaine.embedder import Embedder
from romaine.memory import Memory, RoleplayMemory, Scope
from romaine.memory.records import Turn

USERS = ("ana", "ben")
CHARACTERS = (None, "Cassian", "Brona")
CHATS = (None, "tavern", "road")
NAMES = st.frozensets(st.sampled_from(("Cassian", "Brona")), max_size=2)

Action = tuple[str, Scope, int, frozenset[str]]

scopes = st.builds(
    Scope, user=st.sampled_from(USERS), character=st.sampled_from(CHARACTERS), chat=st.sampled_from(CHATS)
)
writes = st.one_of(
    st.tuples(st.just("turns"), scopes, st.integers(1, 4), NAMES),
    st.tuples(st.just("fact"), scopes, st.just(1), NAMES),
    st.tuples(st.just("fork"), scopes, st.integers(0, 5), NAMES),
    st.tuples(st.just("retract"), scopes, st.integers(0, 8), NAMES),
)


@dataclass
class Written:
    """What a memory of the world should be: who may see it, decided by the plain words of the rules."""

    scope: Scope
    position: int | None
    known_by: frozenset[str]
    step: int
    source_id: str | None
    retracted_at: int | None = None
    dropped_by: dict[str, int] = field(default_factory=dict)  # fork -> when


@dataclass
class Fork:
    scope: Scope
    parent: str
    at: int
    step: int


class World:
    """An independent, slow model of visibility."""

    def __init__(self) -> None:
        self.written: dict[str, Written] = {}
        self.forks: dict[str, Fork] = {}

    def may_see(self, scope: Scope, item: Written, as_character: str | None = None) -> bool:
        if item.scope.user != scope.user or item.scope.character not in (None, scope.character):
            return False
        asking = {name for name in (scope.character, as_character) if name is not None}
        if item.known_by and not asking <= item.known_by:
            return False
        if item.scope.chat is None:
            return item.retracted_at is None
        chat, until, step = scope.chat, float("inf"), float("inf")
        while chat is not None:
            if item.dropped_by.get(chat, float("inf")) <= min(step, 1e9):
                return False
            if chat == item.scope.chat:
                alive = item.retracted_at is None or (item.retracted_at > step)
                return alive and item.step <= step and (item.position is None or item.position <= until)
            fork = self.forks.get(chat)
            if fork is None or fork.scope.user != scope.user:
                return False
            if fork.scope.character not in (None, scope.character):
                return False
            until, step, chat = min(until, fork.at), min(step, fork.step), fork.parent
        return False


def write(memory: RoleplayMemory, world: World, step: int, action: Action) -> None:
    kind, scope, number, known_by = action
    if kind == "turns":
        turns = [
            Turn(f"key {step} {n}", speaker="x", role="user", source_id=f"{step}-{n}") for n in range(number)
        ]

        ids = memory.add_turns(scope, turns, known_by=known_by).ids
    elif kind == "fact":
        ids = (memory.add_fact(scope, f"fact about door {step}", known_by=known_by).memory.id,)
    elif kind == "fork":
        name = f"fork {step}"
        seen = any(w.scope.user == scope.user and w.scope.chat == scope.chat for w in world.written.values())
        if scope.chat is not None and seen:
            memory.branch(scope, at=number, to_chat=name)
            fork = Fork(replace(scope, chat=name), scope.chat, number, step)
            world.forks[name] = fork
            turn = Turn(f"key in {name}", speaker="x", role="user", source_id=name)
            (id_,) = memory.add_turns(fork.scope, [turn]).ids
            world.written[id_] = note(memory, id_, step)
        return
    else:
        sources = sorted({w.source_id for w in world.written.values() if w.source_id})
        if sources:
            retract(memory, world, step, scope, sources[number % len(sources)])
        return
    for id_ in ids:
        world.written[id_] = note(memory, id_, step)


def retract(memory: RoleplayMemory, world: World, step: int, scope: Scope, source: str) -> None:
    wide = World()
    wide.forks, wide.written = world.forks, world.written
    for item in world.written.values():
        everybody = replace(item, known_by=frozenset())
        if item.source_id == source and wide.may_see(scope, everybody):
            if item.scope.chat in (scope.chat, None):
                item.retracted_at = step
            else:
                item.dropped_by[str(scope.chat)] = step
    memory.retract(scope, [source])


def note(memory: RoleplayMemory, id_: str, step: int) -> Written:
    with memory._store.read() as connection:
        from romaine.memory.codec import encode_id
        from romaine.memory.rows import COLUMNS, to_memory

        row = connection.execute(
            f"SELECT {COLUMNS} FROM memory m JOIN space s ON s.no = m.space WHERE m.id = ?", (encode_id(id_),)
        ).fetchone()
    stored: Memory = to_memory(row)
    return Written(stored.scope, stored.position, stored.known_by, step, stored.source_id)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(writes, min_size=1, max_size=10), early=st.integers(0, 6))
def test_nothing_is_shown_to_whom_it_is_not_for(gem: Embedder, actions: list[Action], early: int) -> None:
    world = World()
    with RoleplayMemory(":memory:", embedder=gem) as memory, TemporaryDirectory() as folder:
        for step, action in enumerate(actions, 1):
            write(memory, world, step, action)
        asking = {
            Scope(user=user, character=character, chat=chat)
            for user in USERS
            for character in CHARACTERS
            for chat in (*CHATS, *world.forks)
        }
        for scope in asking:
            allowed = {id_ for id_, item in world.written.items() if world.may_see(scope, item)}
            check(memory, world, scope, allowed, early, Path(folder) / "out.jsonl")


def check(
    memory: RoleplayMemory, world: World, scope: Scope, allowed: set[str], early: int, file: Path
) -> None:
    assert {m.id for m in memory.list(scope)} == allowed
    hits = memory.recall("key door", scope, k=99, neighbours=2)
    assert shown(hits) == allowed
    assert memory.export_jsonl(file, scope) == len(allowed)
    assert {json.loads(line)["id"] for line in file.read_text().splitlines()} == allowed
    positions = {id_: world.written[id_].position for id_ in allowed}
    by_then = {id_ for id_, position in positions.items() if position is None or position <= early}
    assert shown(memory.recall("key door", scope, k=99, neighbours=2, as_of=early)) == by_then
    for name in ("Cassian", "Brona"):
        knows = {id_ for id_ in allowed if world.may_see(scope, world.written[id_], name)}
        found = memory.recall("key door", scope, k=99, neighbours=2, as_character=name)
        assert shown(found) == knows
    explained = memory.recall("key door", scope, k=1, explain=True)
    assert {left.memory.id for left in explained.rejected} <= allowed
    assert memory.stats(scope).total == len(allowed)


def shown(hits: object) -> set[str]:
    return {m.id for hit in hits for m in (hit.memory, *hit.neighbours)}  # type: ignore[attr-defined]
