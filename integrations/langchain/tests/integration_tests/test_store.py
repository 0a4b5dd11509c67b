"""`RomaineStore`: LangGraph's own in-memory store is what it is compared with, operation by operation."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_romaine import RomaineEmbeddings, RomaineMemoryRetriever, RomaineStore
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from romaine import RoleplayMemory, Scope
from romaine.errors import OptionError
from tests.heartbeat import LIMIT, shortest_of

FACTS = ("ana", "facts")


@pytest.fixture
def store(memory: RoleplayMemory) -> RomaineStore:
    return RomaineStore(memory)


# --- as LangGraph's own --------------------------------------------------------------------------------

NAMESPACES = st.sampled_from([("a",), ("a", "b"), ("a", "b", "c"), ("a", "c"), ("b", "b"), ("a", "bb")])
KEYS = st.sampled_from(["1", "2", 'k"]', "3 4"])
VALUES = st.fixed_dictionaries(
    {"page": st.integers(0, 3), "kind": st.sampled_from(["note", "letter", "nöte"])},
    optional={"nested": st.fixed_dictionaries({"page": st.integers(0, 2)}), "tags": st.just(["x", "y"])},
)
FILTERS = st.sampled_from(
    [
        None,
        {},
        {"page": 1},
        {"page": {"$gt": 1}},
        {"page": {"$gte": 1, "$lt": 3}},
        {"kind": {"$ne": "note"}, "page": {"$lte": 2}},
        {"kind": {"$eq": "nöte"}},
        {"nested": {"page": 1}},
        {"nested": {"page": {"$gt": 0}}},
        {"tags": ["x", "y"]},
        {"missing": None},
    ]
)
CONDITIONS = st.builds(
    MatchCondition,
    st.sampled_from(["prefix", "suffix"]),
    st.sampled_from([("a",), ("b",), ("a", "*"), ("*", "b"), ("c",), ("a", "b", "c", "d")]),
)
OPS = st.lists(
    st.one_of(
        st.tuples(NAMESPACES, KEYS, st.none() | VALUES).map(lambda given: PutOp(*given)),
        st.tuples(NAMESPACES, KEYS, VALUES).map(lambda given: PutOp(*given)),
        st.tuples(NAMESPACES, KEYS).map(lambda given: GetOp(*given)),
        st.tuples(st.just(()) | NAMESPACES, FILTERS, st.just(100)).map(lambda given: SearchOp(*given)),
        st.tuples(
            st.none() | st.lists(CONDITIONS, max_size=2).map(tuple),
            st.none() | st.integers(1, 3),
            st.just(100),
        ).map(lambda given: ListNamespacesOp(*given)),
    ),
    max_size=8,
)


def plain(result: Any) -> Any:
    """A result without times, and without the order of what is not ranked."""
    if isinstance(result, Item):
        return json.dumps([result.namespace, result.key, result.value], sort_keys=True)
    if isinstance(result, list):
        return sorted(result if not result or isinstance(result[0], tuple) else map(plain, result))
    return result


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(OPS, max_size=4), asynchronous=st.booleans())
def test_it_does_as_langgraphs_own(
    embeddings: RomaineEmbeddings, batches: list[list[Any]], asynchronous: bool
) -> None:
    reference = InMemoryStore()
    with RoleplayMemory(":memory:", embedder=embeddings.embedder) as memory:
        store: BaseStore = RomaineStore(memory, user="ana")
        for ops in batches:
            expected = as_the_reference(reference, ops)
            results = asyncio.run(store.abatch(ops)) if asynchronous else store.batch(ops)
            assert [plain(result) for result in results] == expected


def as_the_reference(reference: InMemoryStore, ops: list[Any]) -> list[Any]:
    """What LangGraph's store answers. It lists namespaces that hold nothing and were only asked for; of these
    it is rid before."""
    for empty in [namespace for namespace, items in reference._data.items() if not items]:
        del reference._data[empty]
    listed = {id(op): reference.batch([op])[0] for op in ops if isinstance(op, ListNamespacesOp)}
    results = reference.batch(ops)
    return [plain(listed.get(id(op), result)) for op, result in zip(ops, results, strict=True)]


# --- searching -----------------------------------------------------------------------------------------


def keys(found: list[Any]) -> list[str]:
    return [item.key for item in found]


def fill(store: BaseStore) -> None:
    store.put(FACTS, "key", {"text": "The silver key is under the third step.", "page": 1})
    store.put(FACTS, "soup", {"text": "The soup is leek again.", "page": 2})
    store.put(("ana", "letters"), "bees", {"text": "Brona keeps bees behind the mill.", "page": 3})
    store.put(("ben", "facts"), "key", {"text": "Ben's silver key is in the well.", "page": 1})


async def test_search_is_by_meaning_and_by_words(store: RomaineStore) -> None:
    fill(store)
    for found in (
        store.search(("ana",), query="Where is the key?"),
        await store.asearch(("ana",), query="Where is the key?"),
    ):
        assert keys(found)[0] == "key"
        assert len(found) == 3
        scores = [item.score or 0 for item in found]
        assert all(0 <= score <= 1 for score in scores)
        assert scores == sorted(scores, reverse=True)
    assert keys(store.search(FACTS, query="bees")) != ["bees"]
    assert keys(store.search(("ana",), query="honey bees", limit=1)) == ["bees"]
    assert keys(store.search(("ana",), query="key", filter={"page": {"$gt": 1}}, limit=1)) != ["key"]
    assert keys(store.search(("ana",), query="key", offset=1))[0] != "key"
    assert len(store.search(("ana",), query="key", limit=2, offset=2)) == 1
    assert store.search(("ana", "fact"), query="key") == []
    assert store.search(("cleo",), query="key") == []


def test_search_reaches_over_the_scopes_of_a_user(memory: RoleplayMemory) -> None:
    store = RomaineStore(memory, namespace=("memories", "{user}", "{character}"))
    for character in ("Cassian", "Brona"):
        store.put(("memories", "ana", character), "key", {"text": f"{character} has the silver key."})
    store.put(("memories", "ana"), "all", {"text": "The golden key is in the well."})
    assert keys(store.search(("memories", "ana"), query="silver key", limit=2)) == ["key", "key"]
    assert {item.namespace[-1] for item in store.search(("memories", "ana"), query="key")} == {
        "Cassian",
        "Brona",
        "ana",
    }
    (found,) = store.search(("memories", "ana", "Brona"), query="key")
    assert found.value == {"text": "Brona has the silver key."}
    assert store.list_namespaces(prefix=("memories", "ana")) == [
        ("memories", "ana"),
        ("memories", "ana", "Brona"),
        ("memories", "ana", "Cassian"),
    ]
    assert store.get(("memories", "ana"), "key") is None
    store.delete(("memories", "ana", "Brona"), "key")
    assert len(store.search(("memories", "ana"))) == 2


def test_index_says_what_is_found(store: RomaineStore, memory: RoleplayMemory) -> None:
    letter = {"subject": "bees", "body": {"text": "The silver key is under the step."}, "lines": ["a", "b"]}
    store.put(FACTS, "all", letter)
    store.put(FACTS, "subject", letter, index=["subject"])
    store.put(FACTS, "body", letter, index=["body.text", "lines[*]"])
    store.put(FACTS, "none", letter, index=False)
    by_key = {item.metadata["langgraph"]["key"]: item.text for item in memory.list(Scope(user="ana"))}
    assert by_key == {
        "all": "subject: bees\ntext: The silver key is under the step.\nlines: a\nlines: b",
        "subject": "bees",
        "body": "The silver key is under the step.\na\nb",
        "none": "",
    }
    assert set(keys(store.search(FACTS, query="silver key"))) == {"all", "subject", "body"}
    assert len(store.search(FACTS)) == 4
    assert store.get(FACTS, "none") is not None
    fields = RomaineStore(memory, fields=("subject",))
    fields.put(("ben",), "1", letter)
    assert [item.text for item in memory.list(Scope(user="ben"))] == ["bees"]


def test_items_are_recalled_beside_what_was_said(store: RomaineStore, memory: RoleplayMemory) -> None:
    fill(store)
    retriever = RomaineMemoryRetriever(memory=memory, user="ana", character="Cassian", k=1)
    assert retriever.invoke("Where is the key?")[0].page_content.startswith("text: The silver key")
    store.put(FACTS, "tea", {"memory": "Ana likes tea."})
    assert retriever.invoke("Does Ana like tea?")[0].page_content == "Ana likes tea."


# --- keeping -------------------------------------------------------------------------------------------


def test_items_are_there_when_the_file_is_opened_again(tmp_path: Path, embeddings: RomaineEmbeddings) -> None:
    with RoleplayMemory(tmp_path / "m.db", embedder=embeddings.embedder) as memory:
        store = RomaineStore(memory)
        fill(store)
        first = store.get(FACTS, "key")
        store.put(FACTS, "key", {"text": "The key is gone."})
    with RoleplayMemory(tmp_path / "m.db", embedder=embeddings.embedder) as memory:
        again = RomaineStore(memory).get(FACTS, "key")
    assert first is not None
    assert again is not None
    assert again.value == {"text": "The key is gone."}
    assert again.created_at == first.created_at < again.updated_at
    assert first.created_at == first.updated_at


def test_the_same_value_may_stand_under_many_keys(store: RomaineStore) -> None:
    for number in range(3):
        store.put(FACTS, str(number), {"text": "The soup is leek again."})
    assert sorted(keys(store.search(FACTS, query="soup"))) == ["0", "1", "2"]
    store.delete(FACTS, "1")
    store.delete(FACTS, "1")
    assert sorted(keys(store.search(FACTS))) == ["0", "2"]


def test_forgetting_and_other_entries_leave_each_other_alone(
    store: RomaineStore, memory: RoleplayMemory
) -> None:
    memory.add_lore(Scope(user="ana"), "The mill is old.", source_id="langgraph")
    memory.add_fact(Scope(user="ana"), "Ana likes tea.")
    fill(store)
    assert len(store.search(("ana",))) == 3
    for item in store.search(("ana",)):
        store.delete(item.namespace, item.key)
    assert store.search(("ana",)) == store.list_namespaces(prefix=("ana",)) == []
    assert {found.text for found in memory.list(Scope(user="ana"))} == {"The mill is old.", "Ana likes tea."}


# --- what cannot be ------------------------------------------------------------------------------------


async def test_nothing_is_read_across_users(store: RomaineStore) -> None:
    fill(store)
    for ask in (
        lambda: store.search(()),
        lambda: store.search((), query="key"),
        lambda: store.list_namespaces(),
        lambda: store.list_namespaces(suffix=("facts",)),
        lambda: store.list_namespaces(prefix=("*", "facts")),
    ):
        with pytest.raises(InvalidNamespaceError, match="does not say whose memory is meant"):
            ask()
    with pytest.raises(InvalidNamespaceError, match="nothing is read across users"):
        await store.asearch((), query="key")


async def test_what_cannot_be_is_refused(store: RomaineStore, memory: RoleplayMemory) -> None:
    with pytest.raises(NotImplementedError, match="TTL is not supported by RomaineStore"):
        store.put(FACTS, "key", {"text": "x"}, ttl=5)
    with pytest.raises(NotImplementedError, match="items never expire"):
        store.batch([PutOp(FACTS, "key", {"text": "x"}, ttl=5)])
    with pytest.raises(OptionError, match=r"unknown operator '\$regex'.*Allowed: '\$eq'"):
        store.search(FACTS, filter={"text": {"$regex": "x"}})
    with pytest.raises(OptionError, match="what JSON can hold"):
        await store.aput(FACTS, "key", {"text": math.nan})
    with pytest.raises(InvalidNamespaceError):
        store.put(("a.b",), "key", {"text": "x"})
    with pytest.raises(OptionError, match="not an operation that a store knows"):
        store.batch(["get"])  # type: ignore[list-item]
    with pytest.raises(OptionError, match=r"memory=RoleplayMemory\('x\.db'\)"):
        RomaineStore("x.db")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="both are sequences of str"):
        RomaineStore(memory, namespace="{user}")
    assert store.search(FACTS) == []


async def test_an_event_loop_is_never_blocked(store: RomaineStore, texts: list[str]) -> None:
    async def several() -> None:
        await store.abatch([PutOp(FACTS, text, {"text": text}) for text in texts])
        await asyncio.gather(*(store.asearch(FACTS, query=text) for text in texts[:16]))

    assert await shortest_of(5, several) <= LIMIT
