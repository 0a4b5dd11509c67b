from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.errors import MemoryNotFoundError, OptionError
from romaine.memory import Forgotten, RoleplayMemory, Scope

from .conftest import CHAT, said


def texts(memory: RoleplayMemory, scope: Scope) -> set[str]:
    return {found.text for found in memory.list(scope)}


def recalled(memory: RoleplayMemory, scope: Scope) -> set[str]:
    return {hit.memory.text for hit in memory.recall("key door gold tomorrow", scope, k=50)}


def test_a_retraction_takes_what_was_made_of_it(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    fact = memory.add_fact(scope, "There is a key.", parent_id="1").memory
    memory.add_summary(scope, "Much ado about a hidden thing.", parent_id=fact.id)
    assert memory.retract(scope, ["1", "unknown"]) == 3
    assert texts(memory, scope) == recalled(memory, scope) == {turn.text for turn in CHAT[1:]}
    assert memory.add_turns(scope, CHAT[:1]).added == 1


def test_a_fork_shares_the_past_and_nothing_after(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    fork = memory.branch(scope, at=1, to_chat="other ending")
    assert fork == replace(scope, chat="other ending")
    past = {turn.text for turn in CHAT[:2]}
    assert texts(memory, fork) == recalled(memory, fork) == past
    memory.add_turns(fork, [said("We never met the harbour master.", "3")])
    memory.add_turns(scope, [said("He paid the gold at last.", "5")])
    assert texts(memory, fork) == recalled(memory, fork) == past | {"We never met the harbour master."}
    assert "We never met the harbour master." not in recalled(memory, scope)
    assert [m.position for m in memory.list(fork)] == [0, 1, 2]


def test_a_fork_of_a_fork(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    second = memory.branch(scope, at=2, to_chat="b")
    memory.add_turns(second, [said("b one"), said("b two")])
    third = memory.branch(second, at=3, to_chat="c")
    assert texts(memory, third) == {*(turn.text for turn in CHAT[:3]), "b one"}
    early = memory.branch(second, at=0, to_chat="d")
    assert texts(memory, early) == {CHAT[0].text}


def test_a_fork_keeps_its_parent_as_it_was(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    fork = memory.branch(scope, at=2, to_chat="fork")
    memory.add_turns(scope, [replace(CHAT[0], text="I ate the key.")])
    memory.retract(scope, ["2"])
    then = {turn.text for turn in CHAT[:3]}
    assert texts(memory, fork) == recalled(memory, fork) == then
    assert texts(memory, scope) == {"I ate the key.", CHAT[2].text, CHAT[3].text}


def test_a_fork_may_drop_and_edit_what_it_shares(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    fork = memory.branch(scope, at=2, to_chat="fork")
    recalled(memory, fork)
    assert memory.retract(fork, ["3"]) == 1
    result = memory.add_turns(fork, [CHAT[0], replace(CHAT[1], text="Good morning.")])
    assert (result.added, result.edited, result.unchanged) == (0, 1, 1)
    assert texts(memory, fork) == recalled(memory, fork) == {CHAT[0].text, "Good morning."}
    assert texts(memory, scope) == recalled(memory, scope) == {turn.text for turn in CHAT}
    inner = memory.branch(fork, at=2, to_chat="inner")
    assert texts(memory, inner) == {CHAT[0].text, "Good morning."}


def test_what_a_fork_forgets_stays_in_its_own_forks_that_changed_it(
    memory: RoleplayMemory, scope: Scope
) -> None:
    (key, *_) = memory.add_turns(scope, CHAT).ids
    fork = memory.branch(scope, at=1, to_chat="fork")
    (oath,) = memory.add_turns(fork, [replace(CHAT[0], text="We swore an oath.", source_id="oath")]).ids
    later = memory.branch(fork, at=2, to_chat="fork of the fork")
    untouched = memory.branch(fork, at=2, to_chat="another")
    for where in (later, fork):
        memory.update(where, key, text=f"The key is in the {where.chat}.")
    memory.update(later, oath, text="We swore nothing.")
    memory.forget(fork, [key])
    assert "The key is in the fork of the fork." in texts(memory, later)
    assert CHAT[0].text in texts(memory, scope) & texts(memory, untouched)
    assert texts(memory, fork) == {CHAT[1].text, "We swore an oath."}
    memory.forget(fork, [oath])  # what was first stored here goes from all
    assert texts(memory, later) == {CHAT[1].text, "The key is in the fork of the fork."}
    assert texts(memory, untouched) == {CHAT[0].text, CHAT[1].text}


def test_a_fork_is_not_told_what_its_character_gets_to_know_later(
    memory: RoleplayMemory, scope: Scope
) -> None:
    party = replace(scope, character=None)
    memory.add_turns(party, CHAT[1:2])
    (secret,) = memory.add_turns(party, CHAT[:1], known_by=["Mira"]).ids
    fork = memory.branch(scope, at=1, to_chat="fork")
    memory.update(party, secret, known_by=[])
    assert texts(memory, scope) == {CHAT[1].text, CHAT[0].text}
    assert texts(memory, fork) == recalled(memory, fork) == {CHAT[1].text}


def test_a_fork_may_correct_what_its_parent_holds(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    old = memory.add_fact(scope, "The key is silver.").memory
    fork = memory.branch(scope, at=3, to_chat="fork")
    memory.add_fact(fork, "The key is made of bone.", supersedes=old.id)
    assert "The key is silver." not in recalled(memory, fork)
    assert "The key is silver." in recalled(memory, scope)
    assert memory.get(scope, old.id).superseded_by is None


def test_a_fork_needs_a_parent_and_a_new_name(memory: RoleplayMemory, scope: Scope) -> None:
    with pytest.raises(OptionError, match="nothing to fork from"):
        memory.branch(scope, at=0, to_chat="b")
    memory.add_turns(scope, CHAT)
    with pytest.raises(OptionError, match="already has memories"):
        memory.branch(scope, at=0, to_chat="tavern")
    memory.branch(scope, at=0, to_chat="b")
    with pytest.raises(OptionError, match="already has memories"):
        memory.branch(scope, at=1, to_chat="b")
    with pytest.raises(OptionError, match=r"scope\.chat=None"):
        memory.branch(Scope(user="ana"), at=0, to_chat="c")
    with pytest.raises(OptionError, match="whole number"):
        memory.branch(scope, at=-1, to_chat="c")


def test_forgetting_leaves_no_trace_in_any_file(path: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        ids = memory.add_turns(scope, [*CHAT, said("My real name is Quenthelion.", "9")]).ids
        memory.add_fact(scope, "Cassian is Quenthelion.", parent_id="9")
        fork = memory.branch(scope, at=4, to_chat="fork")
        memory.add_turns(scope, [said("My true name is Quenthelion!", "9")])
        assert memory.forget(scope, ids[-1]) == Forgotten(memories=2, pending=False)
        assert all("Quenthelion" not in text for text in texts(memory, fork) | recalled(memory, scope))
        for file in path.parent.iterdir():
            assert b"Quenthelion" not in file.read_bytes(), file.name
    assert b"Quenthelion" not in path.read_bytes()


def _read_until_told(path: Path, pipe: Connection) -> None:
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    pipe.send(reader.execute("SELECT count(*) FROM memory").fetchone()[0])
    pipe.recv()
    reader.close()


def where(word: str, path: Path) -> str:
    """Names of the files in a memory's folder that hold a word.

    Another process looks: to close a file that SQLite has open drops its locks, for the whole process.
    """
    look = (
        "import pathlib, sys; folder, word = sys.argv[1:];"
        " print([f.name for f in pathlib.Path(folder).iterdir() if word.encode() in f.read_bytes()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", look, path.parent, word], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_what_another_process_still_reads_is_pending_and_erased_later(
    path: Path, gem: Embedder, scope: Scope
) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with RoleplayMemory(path, embedder=gem) as memory:
        ids = memory.add_turns(scope, [*CHAT, said("My real name is Quenthelion.", "9")]).ids
        process = context.Process(target=_read_until_told, args=(path, theirs))
        process.start()
        assert ours.poll(30)
        assert ours.recv() == 5  # from here on it reads an older state
        begun = time.monotonic()
        assert memory.forget(scope, ids[-1]) == Forgotten(memories=1, pending=True)
        assert time.monotonic() - begun < 2.5
        assert texts(memory, scope) == {turn.text for turn in CHAT}
        assert where("Quenthelion", path) != "[]"
        assert not memory.erase()
        memory.add_turns(scope, [said("Life goes on.")])  # a reader holds nobody up
        ours.send("enough")
        process.join(30)
        assert memory.erase()
        assert where("Quenthelion", path) == "[]"
        assert memory.erase()
        assert memory.verify().is_sound


def test_whoever_opens_the_file_next_erases_what_is_pending(path: Path, gem: Embedder, scope: Scope) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        (id_,) = memory.add_turns(scope, [said("My real name is Quenthelion.", "9")]).ids
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM memory").fetchone()
        assert memory.forget(scope, id_).pending
        with RoleplayMemory(path, embedder=gem) as other:
            assert not other.erase()
        reader.close()
        with RoleplayMemory(path, embedder=gem):
            assert where("Quenthelion", path) == "[]"


def test_forget_can_spare_what_was_made_of_it(memory: RoleplayMemory, scope: Scope) -> None:
    ids = memory.add_turns(scope, CHAT).ids
    memory.add_fact(scope, "There is a key.", parent_id="1")
    assert memory.forget(scope, [ids[0]], derived=False).memories == 1
    assert "There is a key." in texts(memory, scope)


def test_other_scopes_touch_nothing(memory: RoleplayMemory, scope: Scope) -> None:
    (first, *_) = memory.add_turns(scope, CHAT).ids
    for stranger in (
        replace(scope, user="ben"),
        replace(scope, character="Brona"),
        replace(scope, chat="road"),
        replace(scope, user="*", character="%", chat="*"),
    ):
        assert memory.list(stranger) == []
        assert memory.recall("key", stranger) == []
        assert memory.retract(stranger, ["1"]) == 0
        for act in (memory.get, memory.pin, memory.unpin, memory.forget, memory.update):
            with pytest.raises(MemoryNotFoundError, match="no memory"):
                act(stranger, first)
    assert len(memory.list(scope)) == 4


def test_update_changes_what_is_given(memory: RoleplayMemory, scope: Scope) -> None:
    fact = memory.add_fact(scope, "The gate opens at dawn.", category="plot_event", valid_to=9).memory
    changed = memory.update(scope, fact.id, text="The gate opens at dusk.", importance=0.5, valid_to=None)
    assert memory.get(scope, fact.id) == changed
    assert (changed.text, changed.importance, changed.valid_to) == ("The gate opens at dusk.", 0.5, None)
    assert changed.category == fact.category
    assert memory.recall("dusk", scope)[0].memory.text == "The gate opens at dusk."
    with pytest.raises(OptionError, match="importance"):
        memory.update(scope, fact.id, importance=2)
    assert memory.get(scope, fact.id) == changed


def test_pins(memory: RoleplayMemory, scope: Scope) -> None:
    fact = memory.add_fact(scope, "The gate opens at dawn.").memory
    assert memory.pin(scope, fact.id).pinned
    assert memory.get(scope, fact.id).pinned
    assert not memory.unpin(scope, fact.id).pinned
    with pytest.raises(OptionError, match="not an id of a memory"):
        memory.pin(scope, "*")
