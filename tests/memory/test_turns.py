from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from romaine.embedder import Embedder
from romaine.errors import OptionError, TextTypeError
from romaine.memory import RoleplayMemory, Scope
from romaine.memory.records import Turn

from .conftest import CHAT, said


def texts(memory: RoleplayMemory, scope: Scope) -> list[str]:
    return [found.text for found in memory.list(scope)]


def contexts(memory: RoleplayMemory) -> np.ndarray:
    with memory._store.storage.read() as snapshot:
        rows = snapshot.connection.execute(
            "SELECT v.context FROM vector v JOIN memory m ON m.no = v.no WHERE m.retired IS NULL"
            " ORDER BY m.position"
        ).fetchall()
    return memory._store.vector_format.unpack([row[0] for row in rows], memory.embedder.full_dim)


def expected_contexts(gem: Embedder, turns: tuple[Turn, ...]) -> np.ndarray:
    lines = [f"{turn.speaker}: {turn.text}" for turn in turns]
    pairs = [lines[0], *(f"{a}\n{b}" for a, b in pairwise(lines))]
    return gem.with_dim(None).embed_documents(pairs)


def test_turns_keep_their_order_and_words(memory: RoleplayMemory, scope: Scope) -> None:
    added = memory.add_turns(scope, CHAT)
    assert (added.added, added.edited, added.unchanged) == (4, 0, 0)
    stored = memory.list(scope)
    assert [m.text for m in stored] == [turn.text for turn in CHAT]
    assert [m.position for m in stored] == [0, 1, 2, 3]
    assert tuple(m.id for m in stored) == added.ids
    assert all(m.token_count > 0 for m in stored)


def test_the_same_import_twice_adds_nothing(memory: RoleplayMemory, scope: Scope) -> None:
    first = memory.add_turns(scope, CHAT)
    again = memory.add_turns(scope, CHAT)
    assert (again.added, again.edited, again.unchanged) == (0, 0, 4)
    assert again.ids == first.ids


def test_a_grown_chat_adds_its_end(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT[:2])
    assert memory.add_turns(scope, CHAT).added == 2
    assert texts(memory, scope) == [turn.text for turn in CHAT]


def test_an_edited_message_leaves_no_ghost(memory: RoleplayMemory, scope: Scope, gem: Embedder) -> None:
    memory.add_turns(scope, CHAT)
    edited = replace(CHAT[0], text="I threw the silver key into the well.")
    result = memory.add_turns(scope, [edited, *CHAT[1:]])
    assert (result.added, result.edited, result.unchanged) == (0, 1, 3)
    assert texts(memory, scope)[0] == edited.text
    hits = memory.recall("Where is the silver key?", scope, k=4)
    assert hits[0].memory.text == edited.text
    assert all("third step" not in hit.memory.text for hit in hits)
    np.testing.assert_allclose(contexts(memory), expected_contexts(gem, (edited, *CHAT[1:])), atol=1e-6)


def test_contexts_join_across_batches(memory: RoleplayMemory, scope: Scope, gem: Embedder) -> None:
    for turn in CHAT:
        memory.add_turns(scope, [turn])
    np.testing.assert_allclose(contexts(memory), expected_contexts(gem, CHAT), atol=1e-6)


def test_a_retracted_turn_leaves_its_follower_with_the_one_before(
    memory: RoleplayMemory, scope: Scope, gem: Embedder
) -> None:
    memory.add_turns(scope, CHAT)
    memory.retract(scope, ["2"])
    np.testing.assert_allclose(contexts(memory), expected_contexts(gem, (CHAT[0], *CHAT[2:])), atol=1e-6)


def test_equal_words_without_source_are_said_twice(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, [said("*nods*"), said("*nods*")])
    memory.add_turns(scope, [said("*nods*")])
    assert texts(memory, scope) == ["*nods*"] * 3


def test_of_a_source_given_twice_the_later_text_counts(memory: RoleplayMemory, scope: Scope) -> None:
    added = memory.add_turns(scope, [said("one", "a"), said("two", "b"), said("three", "a")])
    assert added.added == 2
    assert texts(memory, scope) == ["three", "two"]


def test_one_source_id_in_two_chats_is_two_messages(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, [said("here", "1")])
    memory.add_turns(replace(scope, chat="road"), [said("there", "1")])
    assert texts(memory, scope) == ["here"]


def test_private_words_are_not_the_context_of_shared_ones(
    memory: RoleplayMemory, scope: Scope, gem: Embedder
) -> None:
    shared = replace(scope, character=None)
    memory.add_turns(scope, [said("I am the thief.")])
    memory.add_turns(shared, [said("Who stole the ring?")])
    full = gem.with_dim(None)
    alone = full.embed_documents(["Cassian: Who stole the ring?"])[0]
    np.testing.assert_allclose(contexts(memory)[1], alone, atol=1e-6)


def test_what_one_character_witnessed_is_not_the_context_of_others(
    memory: RoleplayMemory, gem: Embedder
) -> None:
    party = Scope(user="ana", chat="party")
    memory.add_turns(party, [said("The wine is poisoned.")], known_by={"Brona"})
    memory.add_turns(party, [said("A toast!")])
    alone = gem.with_dim(None).embed_documents(["Cassian: A toast!"])[0]
    np.testing.assert_allclose(contexts(memory)[1], alone, atol=1e-6)


def test_nothing_to_add_is_nothing(memory: RoleplayMemory, scope: Scope) -> None:
    assert memory.add_turns(scope, []).ids == ()


def test_bad_turns_are_told(memory: RoleplayMemory, scope: Scope) -> None:
    with pytest.raises(OptionError, match=r"turns\[0\] is str"):
        memory.add_turns(scope, ["hello"])  # type: ignore[list-item]
    with pytest.raises(OptionError, match="not a Scope"):
        memory.add_turns("ana", CHAT)  # type: ignore[arg-type]
    with pytest.raises(TextTypeError, match="must be a str, got int"):
        Turn(7, speaker="a", role="user")  # type: ignore[arg-type]


def test_metadata_goes_along_and_stays_unless_told_otherwise(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, [said("Hello.", "1", metadata={"mood": "merry"}), said("Well met.", "2")])
    assert [m.metadata for m in memory.list(scope)] == [{"mood": "merry"}, {}]
    assert memory.add_turns(scope, [said("Hello.", "1")]).unchanged == 1
    assert memory.add_turns(scope, [said("Hello!", "1")]).edited == 1
    assert memory.list(scope)[0].metadata == {"mood": "merry"}
    assert memory.add_turns(scope, [said("Hello!", "1", metadata={})]).edited == 1
    assert memory.list(scope)[0].metadata == {}
    with pytest.raises(OptionError, match="what JSON can hold"):
        said("Hello.", metadata={"mood": object()})
    assert hash(said("Hello.", metadata={"mood": "merry"})) == hash(said("Hello."))


def test_one_witness_is_not_a_collection_of_letters(memory: RoleplayMemory, scope: Scope) -> None:
    with pytest.raises(OptionError, match="known_by='Brona'"):
        memory.add_turns(scope, [Turn("Hush.", speaker="Ana", role="user")], known_by="Brona")
