"""An index that is kept up with its file finds what one finds that has just been loaded from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope, scope_view

from .conftest import said

QUERY = "Did Brona hide the silver key? Where is the harbour master?"
SCOPE = Scope(user="ana", character="Cassian", chat="tavern")
PARTY = replace(SCOPE, character=None)


def found(memory: RoleplayMemory, scope: Scope) -> list[tuple[object, ...]]:
    """All of what a recall tells of each memory, but for the last digits of its figures."""
    hits = memory.recall(QUERY, scope, k=300, neighbours=1)
    return sorted(
        (
            hit.memory.id,
            hit.memory.text,
            round(hit.score, 4),
            {name: round(part, 4) for name, part in hit.parts.items() if abs(part) > 1e-4},
            [near.id for near in hit.neighbours],
        )
        for hit in hits
    )


def turns(count: int, first: int = 0) -> list[object]:
    words = ("the silver key", "a door", "harbour?", "Brona", "nothing", "gold pieces", "a step")
    return [said(f"{words[n % 7]} of number {n}", str(n)) for n in range(first, first + count)]


def ids_of(memory: RoleplayMemory, scope: Scope = SCOPE) -> list[str]:
    return [found.id for found in memory.list(scope)]


def edit_turns(memory: RoleplayMemory) -> None:
    memory.add_turns(SCOPE, [said("Who has the silver key?", "3"), said("The harbour master.", "5")])


def edit_many_turns(memory: RoleplayMemory) -> None:
    memory.add_turns(SCOPE, [replace(turn, text=f"the key? {turn.text}") for turn in turns(8, 22)])


def retract_some(memory: RoleplayMemory) -> None:
    memory.retract(SCOPE, ["4", "5", "9", "0"])


def retract_many(memory: RoleplayMemory) -> None:
    memory.retract(SCOPE, [str(n) for n in range(20, 30, 2)])


def forget_one(memory: RoleplayMemory) -> None:
    memory.forget(SCOPE, ids_of(memory)[3])


def say_more(memory: RoleplayMemory) -> None:
    memory.add_turns(SCOPE, turns(3, 200))


def say_much_more(memory: RoleplayMemory) -> None:
    memory.add_turns(SCOPE, turns(9, 200))


def note_facts(memory: RoleplayMemory) -> None:
    old = memory.add_fact(SCOPE, "The silver key is lost.", source_id="f", pinned=True).memory
    memory.add_fact(SCOPE, "The silver key is found.", supersedes=old.id, importance=0.5)
    memory.add_fact(Scope(user="ana"), "Ana has a harbour.", speaker="Brona")


def let_one_in_on(memory: RoleplayMemory) -> None:
    for id_ in ids_of(memory, PARTY)[6:8]:
        memory.update(PARTY, id_, known_by={"Cassian", "Ana"})


def let_nobody_know(memory: RoleplayMemory) -> None:
    for id_ in ids_of(memory, PARTY)[12:14]:
        memory.update(PARTY, id_, known_by={"Brona"})


def let_many_in_on(memory: RoleplayMemory) -> None:
    for id_ in ids_of(memory, PARTY)[:5]:
        memory.update(PARTY, id_, known_by=set())


def let_one_in_on_many_secrets(memory: RoleplayMemory) -> None:
    # the turn after the last is not embedded again, for not all who see it share the secret
    for id_ in ids_of(memory, PARTY)[3:8]:
        memory.update(PARTY, id_, known_by={"Brona", "Cassian"})


def edit_outside(memory: RoleplayMemory) -> None:
    outside = Scope(user="ana", character="Cassian")
    memory.add_turns(outside, [said("A key outside any chat?", "o1"), said("The harbour.", "o2")])
    memory.retract(outside, ["o0"])


STEPS = (
    edit_turns, edit_many_turns, retract_some, retract_many, forget_one, say_more, say_much_more, note_facts,
    let_one_in_on, let_nobody_know, let_many_in_on, let_one_in_on_many_secrets,
    edit_outside,
)  # fmt: skip


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_after_a_change_it_finds_what_a_reopened_file_finds(
    step: Callable[[RoleplayMemory], None], memory: RoleplayMemory, path: Path, gem: Embedder
) -> None:
    memory.add_turns(
        Scope(user="ana", character="Cassian"), [said("Once outside.", "o0"), said("Key.", "o1")]
    )
    memory.add_turns(SCOPE, turns(10))
    memory.add_turns(PARTY, turns(8, 10), known_by={"Brona"})
    memory.add_turns(PARTY, turns(4, 18), known_by={"Cassian"})
    memory.add_turns(PARTY, turns(12, 22))
    fork = memory.branch(SCOPE, at=28, to_chat="fork")
    scopes = (SCOPE, PARTY, replace(SCOPE, character="Brona"), fork)
    before = [found(memory, scope) for scope in scopes]
    step(memory)
    after = [found(memory, scope) for scope in scopes]
    assert after != before
    with RoleplayMemory(path, embedder=gem) as reopened:
        assert after == [found(reopened, scope) for scope in scopes]


def test_a_fork_keeps_up_with_what_it_changes_itself(
    memory: RoleplayMemory, path: Path, gem: Embedder
) -> None:
    memory.add_turns(SCOPE, turns(30))
    fork = memory.branch(SCOPE, at=20, to_chat="fork")
    inner = memory.branch(fork, at=10, to_chat="inner")
    scopes = (SCOPE, fork, inner)
    for change in (
        lambda: memory.add_turns(fork, [said("Who hid the silver key?", "5"), said("A new one.", "99")]),
        lambda: memory.retract(fork, ["6", "7"]),
        lambda: memory.add_turns(inner, [said("The harbour master did.", "3")]),
        lambda: memory.forget(inner, ids_of(memory, inner)[1]),
        lambda: memory.forget(SCOPE, ids_of(memory)[8]),
    ):
        for scope in scopes:
            found(memory, scope)
        change()
        after = [found(memory, scope) for scope in scopes]
        with RoleplayMemory(path, embedder=gem) as reopened:
            assert after == [found(reopened, scope) for scope in scopes]


def view_of_scope(memory: RoleplayMemory, scope: Scope) -> scope_view.ScopeView:
    embedder = memory.embedder
    return scope_view.ScopeView(
        scope,
        full_dim=embedder.with_dim(None).dim,
        dim=embedder.dim,
    )


def caught_up(memory: RoleplayMemory, view: scope_view.ScopeView) -> bool:
    """Whether catching up with the file changed anything."""
    with memory._store.storage.read() as snapshot, view.at(snapshot) as changed:
        return changed


def test_what_others_write_changes_nothing(memory: RoleplayMemory) -> None:
    memory.add_turns(SCOPE, turns(3))
    view = view_of_scope(memory, SCOPE)
    assert [caught_up(memory, view) for _ in range(2)] == [True, False]
    memory.add_turns(replace(SCOPE, user="ben"), turns(3))
    memory.add_turns(replace(SCOPE, chat="road"), turns(3))
    assert not caught_up(memory, view)
    memory.add_fact(Scope(user="ana"), "Ana paints.")
    assert [caught_up(memory, view) for _ in range(2)] == [True, False]


def test_what_a_fork_drops_is_taken_out_without_loading_the_rest_again(memory: RoleplayMemory) -> None:
    memory.add_turns(SCOPE, turns(6))
    fork = memory.branch(SCOPE, at=5, to_chat="fork")
    memory.add_turns(fork, turns(2, 10))
    view = view_of_scope(memory, fork)
    caught_up(memory, view)
    index = view.index
    assert len(index) == 8
    memory.retract(fork, ["4", "10"])
    assert caught_up(memory, view)
    assert view.index is index
    assert len(index) == 6


def test_recency_is_the_share_of_what_is_older(memory: RoleplayMemory) -> None:
    noon = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)

    def recency() -> list[float]:
        hits = memory.recall("bell", SCOPE, k=9, order="chronological")
        return [hit.parts.get("recency", 0.0) for hit in hits]

    memory.add_turns(SCOPE, [said("bell 0", at=noon)])
    assert recency() == [0.0]
    memory.add_turns(SCOPE, [said(f"bell {n}", at=noon + timedelta(hours=n)) for n in (1, 2, 3, 4)])
    assert recency() == pytest.approx([0.0, 0.025, 0.05, 0.075, 0.1])
