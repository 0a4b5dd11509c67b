from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope
from romaine.memory.forks import descendants, forks_that_see, seen_by_forks
from romaine.memory.stored import StoredMemory
from romaine.memory.views import view_of
from tests.reliability.vectors import stale_vectors

from .conftest import CHAT, said

PARTY = Scope(user="ana", chat="tavern")


def row(memory: RoleplayMemory, scope: Scope, id_: str) -> StoredMemory:
    with memory._store.storage.read() as snapshot:
        found = view_of(snapshot, scope).row_of_id(snapshot, id_)
    assert found is not None
    return found


def seeing(memory: RoleplayMemory, scope: Scope, id_: str) -> list[str | None]:
    """Chats of the forks that see a memory, with the answer whether there are any checked."""
    stored = row(memory, scope, id_)
    with memory._store.storage.read() as snapshot:
        chats = [fork.scope(stored).chat for fork in forks_that_see(snapshot, stored)]
        assert seen_by_forks(snapshot, stored) == bool(chats)
    return chats


def test_a_fork_sees_up_to_where_it_parts(memory: RoleplayMemory, scope: Scope) -> None:
    ids = memory.add_turns(scope, CHAT).ids
    memory.branch(scope, at=1, to_chat="early")
    memory.branch(scope, at=2, to_chat="late")
    assert [seeing(memory, scope, id_) for id_ in ids] == [["early", "late"]] * 2 + [["late"], []]


def test_a_fork_sees_what_was_there_when_it_was_made(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    before = memory.add_fact(scope, "The key is silver.").memory
    memory.branch(scope, at=3, to_chat="fork")
    after = memory.add_fact(scope, "The door is oak.").memory
    assert seeing(memory, scope, before.id) == ["fork"]
    assert seeing(memory, scope, after.id) == []


def test_what_was_changed_before_or_after_is_another_version(memory: RoleplayMemory, scope: Scope) -> None:
    fact = memory.add_fact(scope, "The key is silver.").memory
    memory.add_turns(scope, CHAT)
    memory.branch(scope, at=3, to_chat="first")
    memory.update(scope, fact.id, text="The key is gold.")
    memory.branch(scope, at=3, to_chat="second")
    assert seeing(memory, scope, fact.id) == ["second"]
    with memory._store.storage.read() as snapshot:
        old = view_of(snapshot, replace(scope, chat="first")).row_of_id(snapshot, fact.id)
        assert old is not None
        assert old.retired is not None
        assert [fork.scope(old).chat for fork in forks_that_see(snapshot, old)] == ["first"]
        # as it would be if the version had ended, or begun, just at the fork's change
        (first, _) = snapshot.forks_of(old.space)
        for changed, chats in (
            (replace(old, retired=first.version), []),
            (replace(old, retired=first.version + 1), ["first"]),
            (replace(old, born=first.version), ["first"]),
            (replace(old, born=first.version + 1), []),
        ):
            assert [fork.scope(changed).chat for fork in forks_that_see(snapshot, changed)] == chats


def test_what_stands_nowhere_in_the_story_is_seen_from_everywhere(
    memory: RoleplayMemory, scope: Scope
) -> None:
    fact = memory.add_fact(scope, "The key is silver.").memory
    assert fact.position is None
    memory.add_turns(scope, CHAT)
    memory.branch(scope, at=0, to_chat="fork")
    assert seeing(memory, scope, fact.id) == ["fork"]


def test_a_characters_fork_sees_what_that_character_does(memory: RoleplayMemory) -> None:
    cassian, brona = (replace(PARTY, character=name) for name in ("Cassian", "Brona"))
    shared = memory.add_turns(PARTY, [said("A toast!", "1")]).ids[0]
    witnessed = memory.add_turns(PARTY, [said("Psst.", "2")], known_by={"Cassian", "Ana"}).ids[0]
    secret = memory.add_turns(PARTY, [said("Hush.", "3")], known_by={"Brona"}).ids[0]
    own = memory.add_turns(cassian, [said("I wonder.", "4")]).ids[0]
    others = memory.add_turns(brona, [said("So do I.", "5")]).ids[0]
    memory.branch(cassian, at=9, to_chat="fork")
    assert seeing(memory, PARTY, shared) == ["fork"]
    assert seeing(memory, PARTY, witnessed) == ["fork"]
    assert seeing(memory, PARTY, secret) == []
    assert seeing(memory, cassian, own) == ["fork"]
    assert seeing(memory, brona, others) == []
    with memory._store.storage.read() as snapshot:
        fork = next(forks_that_see(snapshot, row(memory, PARTY, shared)))
        assert fork.scope(row(memory, PARTY, shared)) == replace(cassian, chat="fork")


def test_forks_of_forks_see_what_was_hidden_only_later(memory: RoleplayMemory, scope: Scope) -> None:
    first, second, third, _ = memory.add_turns(scope, CHAT).ids
    fork = memory.branch(scope, at=2, to_chat="fork")
    memory.branch(fork, at=2, to_chat="before")
    memory.retract(fork, ["1"])
    memory.branch(fork, at=2, to_chat="after")
    assert seeing(memory, scope, first) == ["before"]
    assert seeing(memory, scope, second) == ["before"]  # the fork's has another turn before it now
    assert seeing(memory, scope, third) == ["fork", "before", "after"]


def test_descendants_are_the_chat_and_all_that_came_of_it(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    fork = memory.branch(scope, at=2, to_chat="fork")
    memory.branch(scope, at=1, to_chat="other")
    memory.branch(fork, at=1, to_chat="inner")
    memory.add_turns(replace(scope, chat="road"), CHAT)
    with memory._store.storage.read() as snapshot:
        spaces = {name: snapshot.space("ana", name).row_id for name in ("tavern", "fork", "other", "inner")}
        assert descendants(snapshot, spaces["tavern"]) == set(spaces.values())
        assert descendants(snapshot, spaces["fork"]) == {spaces["fork"], spaces["inner"]}
        assert descendants(snapshot, spaces["inner"]) == {spaces["inner"]}


@pytest.mark.parametrize("character", ["Cassian", None])
def test_a_chat_is_a_fork_for_whom_it_was_made_from(memory: RoleplayMemory, character: str | None) -> None:
    memory.add_turns(PARTY, CHAT)
    memory.branch(replace(PARTY, character=character), at=2, to_chat="fork")
    with memory._store.storage.read() as snapshot:
        parent, space = (snapshot.space("ana", chat).row_id for chat in ("tavern", "fork"))
        fork = snapshot.fork(space, "Cassian")
        assert fork is not None
        assert (fork.space, fork.at, fork.chat, fork.character, fork.parent) == (
            space,
            2,
            "fork",
            character,
            parent,
        )
        assert (snapshot.fork(space, "Brona") is None) == (character is not None)
        assert snapshot.fork(parent, "Cassian") is None
        assert snapshot.forks_of(parent) == [fork]


def test_a_turn_of_all_before_a_forks_copy_is_its_context(
    memory: RoleplayMemory, gem: Embedder, path: Path
) -> None:
    cassian = Scope(user="ana", character="Cassian", chat="tavern")
    memory.add_turns(cassian, [said("one"), said("two"), said("three")])
    fork = memory.branch(cassian, at=2, to_chat="other")
    last = memory.list(fork)[-1]
    memory.update(fork, last.id, text="three, otherwise")
    memory.add_turns(replace(fork, character=None), [said("a"), said("b")])
    memory.close()
    assert stale_vectors(path, gem, path.parent) == []
