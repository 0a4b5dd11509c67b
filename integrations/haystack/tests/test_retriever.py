# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from haystack import Document
from haystack.components.retrievers import InMemoryBM25Retriever, MultiRetriever
from haystack.components.retrievers.types import TextRetriever
from haystack.dataclasses import ChatMessage
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.document_stores.types import FilterPolicy
from haystack.errors import FilterError
from romaine import Memory, RoleplayMemory, Scope, Turn
from romaine.errors import OptionError, UnknownNameError
from romaine.memory.plain import hit_metadata

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter

ANA = {"user": "ana", "character": "Cassian", "chat": "tavern"}
QUESTION = "Where is the key?"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, chat: list[ChatMessage]) -> Iterator[RomaineMemoryFile]:
    """A file with the chat in it. Read only."""
    file = RomaineMemoryFile(tmp_path_factory.mktemp("filled") / "memories.db")
    RomaineMemoryWriter(file, meta_fields_to_keep=["mood"], **ANA).run(messages=chat)
    yield file
    file.close()


def moods(documents: list[Document]) -> list[str]:
    return [document.meta["mood"] for document in documents]


def flat(metadata: dict[str, Any]) -> dict[str, Any]:
    """What is kept with a turn stands beside what is known of it."""
    return metadata.pop("metadata", {}) | metadata


def said_by_cassian(memory: Memory) -> bool:
    return memory.speaker == "Cassian"


def mood(operator: str, value: object) -> dict[str, Any]:
    return {"field": "meta.mood", "operator": operator, "value": value}


def test_documents_show_what_recall_finds(filled: RomaineMemoryFile) -> None:
    documents = RomaineMemoryRetriever(filled, top_k=1, neighbours=1, **ANA).run(QUESTION)["documents"]
    hits = filled.open().recall(QUESTION, Scope(**ANA), k=1, neighbours=1)
    assert documents == [
        Document(
            id=hit.memory.id,
            content=hit.memory.text,
            meta=flat(hit_metadata(hit)),
            score=hit.confidence,
        )
        for hit in hits
    ]
    best = documents[0]
    assert best.content == "I left the silver key under the third step."
    assert best.meta["speaker"] == "Cassian"
    assert sum(best.meta["parts"].values()) == pytest.approx(best.meta["score"])
    assert 0 < best.score == best.meta["confidence"] < 1
    assert {"role", "position", "created_at", "source_id", "neighbours"} <= best.meta.keys()


def test_every_option_of_recall_is_here() -> None:
    theirs = set(inspect.signature(RoleplayMemory.recall).parameters)
    ours = set(inspect.signature(RomaineMemoryRetriever.__init__).parameters)
    ours |= set(inspect.signature(RomaineMemoryRetriever.run).parameters)
    # k is top_k; a vector belongs to one query; explain gives something else
    assert theirs - {"self", "query", "scope", "k", "vector", "explain"} <= ours


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"speakers": ["Cassian"]}, 2),
        ({"kinds": ["fact"]}, 0),
        ({"as_of": 0}, 1),
        ({"as_of": "2001-01-01"}, 0),
        ({"as_of": "2001-01-01T00:00:00Z"}, 0),
        ({"as_of": datetime(2001, 1, 1, tzinfo=timezone.utc)}, 0),
        ({"token_budget": 1}, 0),
        ({"min_score": 1e6}, 0),
        ({"top_k": 2}, 2),
        ({"dim": 32, "diversity": 1, "order": "chronological", "include_superseded": True}, 4),
        ({"as_character": "Brona"}, 4),
    ],
)
def test_options_reach_the_recall(filled: RomaineMemoryFile, options: dict[str, Any], count: int) -> None:
    found = RomaineMemoryRetriever(filled, **ANA, **options).run(QUESTION)["documents"]
    assert len(found) == count


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"top_k": 0}, OptionError),
        ({"top_k": -1}, OptionError),
        ({"top_k": True}, OptionError),
        ({"top_k": 2.5}, OptionError),
        ({"kinds": ["gossip"]}, UnknownNameError),
        ({"order": "random"}, UnknownNameError),
        ({"min_score": "high"}, OptionError),
        ({"neighbours": -1}, OptionError),
        ({"as_of": "yesterday"}, OptionError),
        ({"filter_policy": "mix"}, ValueError),
        ({"user": ""}, OptionError),
        ({"chat": 7}, OptionError),
    ],
)
def test_wrong_values_are_refused_at_once(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        RomaineMemoryRetriever("never-made.db", **options)


@pytest.mark.parametrize("top_k", [0, -3, True, "5", 1.0])
def test_a_bad_top_k_of_a_run_is_a_value_error(filled: RomaineMemoryFile, top_k: Any) -> None:
    with pytest.raises(ValueError, match="top_k"):
        RomaineMemoryRetriever(filled, **ANA).run(QUESTION, top_k=top_k)


# --- filters -----------------------------------------------------------------------------------------------


def test_filters_hold_before_the_best_are_chosen(memory_file: RomaineMemoryFile) -> None:
    scope = Scope(user="ana", chat="long")
    turns = [
        Turn(f"The key number {n} hangs on hook {n}.", speaker="Ana", role="user", metadata={"hook": n})
        for n in range(300)
    ]
    memory_file.open().add_turns(scope, turns)
    retriever = RomaineMemoryRetriever(memory_file, user="ana", chat="long", top_k=5)
    rare = {"field": "meta.hook", "operator": "in", "value": [7, 77, 177, 207, 277]}
    found = retriever.run("Which key hangs on hook 1?", filters=rare)["documents"]
    assert {document.meta["hook"] for document in found} == {7, 77, 177, 207, 277}
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (None, 4),
        ({}, 4),
        ({"field": "meta.speaker", "operator": "==", "value": "Cassian"}, 2),
        ({"field": "speaker", "operator": "==", "value": "Cassian"}, 2),
        ({"field": "meta.position", "operator": ">=", "value": 1}, 3),
        ({"field": "content", "operator": "==", "value": "Good night, and lock the door."}, 1),
        ({"field": "meta.created_at", "operator": ">", "value": "2020-01-01T00:00:00+00:00"}, 4),
        (mood("not in", ["calm"]), 2),
        ({"operator": "AND", "conditions": [mood("==", "calm"), {"field": "meta.role", "operator": "==",
                                                                  "value": "user"}]}, 1),
        ({"operator": "NOT", "conditions": [mood("==", "calm")]}, 2),
    ],
)  # fmt: skip
def test_filters_are_haystacks(filled: RomaineMemoryFile, filters: dict[str, Any] | None, count: int) -> None:
    for retriever, given in (
        (RomaineMemoryRetriever(filled, **ANA), filters),
        (RomaineMemoryRetriever(filled, filters=filters, **ANA), None),
    ):
        assert len(retriever.run(QUESTION, filters=given)["documents"]) == count


def test_a_condition_holds_beside_the_filters(filled: RomaineMemoryFile) -> None:
    calm = mood("==", "calm")
    for where, expected in ((said_by_cassian, ["calm"]), (None, ["calm", "calm"])):
        retriever = RomaineMemoryRetriever(filled, filters=calm, where=where, **ANA)
        assert moods(retriever.run(QUESTION)["documents"]) == expected
    only = RomaineMemoryRetriever(filled, where=said_by_cassian, **ANA).run(QUESTION)["documents"]
    assert {document.meta["speaker"] for document in only} == {"Cassian"}


def test_what_the_prompt_shows_is_not_found_again(filled: RomaineMemoryFile) -> None:
    retriever = RomaineMemoryRetriever(filled, neighbours=1, **ANA)
    found = retriever.run(QUESTION, without_sources=["1", "2"])["documents"]
    assert sorted(document.meta["source_id"] for document in found) == ["3", "4"]


def test_a_malformed_filter_is_told(filled: RomaineMemoryFile) -> None:
    with pytest.raises(FilterError):
        RomaineMemoryRetriever(filled, **ANA).run(QUESTION, filters={"operator": "AND"})
    with pytest.raises(FilterError):
        RomaineMemoryRetriever(filled, **ANA).run(QUESTION, filters=mood(">", "a"))


def test_filters_of_a_run_replace_or_complete(filled: RomaineMemoryFile) -> None:
    calm, said = mood("==", "calm"), {"field": "meta.speaker", "operator": "==", "value": "ana"}
    for policy, expected in (("replace", ["calm", "tired"]), (FilterPolicy.MERGE, ["calm"])):
        retriever = RomaineMemoryRetriever(filled, filters=calm, filter_policy=policy, **ANA)
        assert sorted(moods(retriever.run(QUESTION, filters=said)["documents"])) == expected


# --- whose memory ------------------------------------------------------------------------------------------


def test_a_run_may_name_the_scope(filled: RomaineMemoryFile) -> None:
    unbound = RomaineMemoryRetriever(filled)
    bound = RomaineMemoryRetriever(filled, **ANA)
    assert unbound.run(QUESTION, **ANA) == bound.run(QUESTION) == bound.run(QUESTION, **ANA)
    assert unbound.run(QUESTION, user="ana")["documents"] == []  # what was said belongs to the chat


def test_nobody_reads_without_a_user(filled: RomaineMemoryFile) -> None:
    for given in ({}, {"character": "Cassian", "chat": "tavern"}, {"user": None}, {"user": ""}):
        with pytest.raises(OptionError, match="user"):
            RomaineMemoryRetriever(filled).run(QUESTION, **given)


@pytest.mark.parametrize("other", [{"user": "ben"}, {"character": "Brona"}, {"chat": "road"}])
def test_what_is_bound_stays_bound(filled: RomaineMemoryFile, other: dict[str, str]) -> None:
    with pytest.raises(OptionError, match="bound") as caught:
        RomaineMemoryRetriever(filled, **ANA).run(QUESTION, **other)
    assert not any(name in str(caught.value) for name in ANA.values())


def test_users_never_see_each_other(memory_file: RomaineMemoryFile) -> None:
    writer = RomaineMemoryWriter(memory_file)
    retriever = RomaineMemoryRetriever(memory_file, top_k=50)
    users = [f"user {number}" for number in range(8)]
    for user in users:
        writer.run(
            messages=[ChatMessage.from_user(f"The key of {user} is here.")],
            documents=[Document(id="1", content=f"The chest of {user} is there.")],
            user=user,
        )
    everything = {"field": "meta.user", "operator": "!=", "value": "nobody"}
    for user in users:
        for filters in (None, everything):
            found = retriever.run("Whose key, whose chest?", filters=filters, user=user)["documents"]
            assert {document.meta["user"] for document in found} == {user}
            assert len(found) == 2


def test_only_witnesses_recall(memory_file: RomaineMemoryFile) -> None:
    whisper = [ChatMessage.from_user("The duke is a spy.")]
    RomaineMemoryWriter(memory_file, user="ana", chat="party").run(whisper, known_by=["Cassian"])
    retriever = RomaineMemoryRetriever(memory_file, user="ana", chat="party")
    for character, count in (("Cassian", 1), ("Brona", 0)):
        assert len(retriever.run("Who is a spy?", character=character)["documents"]) == count


# --- with others -------------------------------------------------------------------------------------------


def test_it_is_a_text_retriever(filled: RomaineMemoryFile) -> None:
    retriever: TextRetriever = RomaineMemoryRetriever(filled, **ANA)
    theirs = inspect.signature(TextRetriever.run).parameters
    ours = inspect.signature(type(retriever).run).parameters
    assert list(ours)[: len(theirs)] == list(theirs)


# MultiRetriever is new
@pytest.mark.filterwarnings("ignore::haystack.utils.experimental.ExperimentalWarning")
def test_multi_retriever_takes_it(filled: RomaineMemoryFile, documents: list[Document]) -> None:
    store = InMemoryDocumentStore(shared=False)
    store.write_documents(documents)
    together = MultiRetriever(
        retrievers={
            "memory": RomaineMemoryRetriever(filled, **ANA),
            "library": InMemoryBM25Retriever(store),
        },
        top_k_per_retriever=2,
    )
    found = together.run(QUESTION)["documents"]
    assert "I left the silver key under the third step." in {document.content for document in found}
    assert documents[0].content in {document.content for document in found}
    assert together.from_dict(together.to_dict()).to_dict() == together.to_dict()
    store.shutdown()
