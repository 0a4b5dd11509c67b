"""`RomaineMemoryRetriever`: what it finds, for whom, and that nobody finds another's."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from langchain_core.runnables import (
    ConfigurableField,
    Runnable,
    RunnableConfig,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from langchain_romaine import RomaineChatMessageHistory, RomaineMemoryRetriever
from pydantic import ValidationError

from romaine import RoleplayMemory, Scope, Turn
from romaine.errors import OptionError
from romaine.memory.plain import hit_metadata
from tests.heartbeat import LIMIT, shortest_of

QUERY = "Where is the key?"
ANA = Scope(user="ana", character="Cassian")
USERS = ("ana", "ben", "cleo", "dora")


def config(**configurable: Any) -> RunnableConfig:
    return {"configurable": configurable}


@pytest.fixture
def retriever(cassian: RoleplayMemory) -> RomaineMemoryRetriever:
    return RomaineMemoryRetriever(memory=cassian, user="ana", character="Cassian")


@pytest.fixture
def everyone(memory: RoleplayMemory) -> RomaineMemoryRetriever:
    """Four users say the same words in one file; the config of a call says whose are meant."""
    for user in USERS:
        said = [Turn(f"The key number {n} is under the step.", speaker=user, role="user") for n in range(5)]
        memory.add_turns(Scope(user=user), said)
    return RomaineMemoryRetriever(memory=memory, scope_from_config=True)


def owners(documents: list[Document]) -> set[str]:
    assert documents
    return {document.metadata["user"] for document in documents}


# --- what is found -------------------------------------------------------------------------------------


def test_documents_are_the_hits_of_recall(retriever: RomaineMemoryRetriever, cassian: RoleplayMemory) -> None:
    hits = cassian.recall(QUERY, ANA)
    documents = retriever.invoke(QUERY)
    assert [document.id for document in documents] == [hit.memory.id for hit in hits]
    assert [document.page_content for document in documents] == [hit.memory.text for hit in hits]
    assert [document.metadata for document in documents] == [hit_metadata(hit) for hit in hits]


def test_metadata_say_who_when_and_why(retriever: RomaineMemoryRetriever) -> None:
    best = retriever.invoke(QUERY)[0]
    assert best.page_content == "I left the silver key under the third step."
    metadata = best.metadata
    assert (metadata["speaker"], metadata["role"], metadata["position"]) == ("Cassian", "character", 0)
    assert metadata["created_at"].startswith("20")
    assert sum(metadata["parts"].values()) == pytest.approx(metadata["score"])
    assert 0 <= metadata["confidence"] <= 1


async def test_async_equals_sync(retriever: RomaineMemoryRetriever) -> None:
    assert await retriever.ainvoke(QUERY) == retriever.invoke(QUERY)
    assert await retriever.ainvoke(QUERY, k=2) == retriever.invoke(QUERY, k=2)
    assert await retriever.abatch([QUERY, "honey"]) == retriever.batch([QUERY, "honey"])


async def test_k_of_a_call_wins_and_other_words_are_refused(retriever: RomaineMemoryRetriever) -> None:
    assert len(retriever.invoke(QUERY)) == 5
    assert len(retriever.invoke(QUERY, k=2)) == len(await retriever.ainvoke(QUERY, k=2)) == 2
    assert retriever.invoke(QUERY, k=0) == []
    with pytest.raises(OptionError, match=r"no option top_k=\. Did you mean k="):
        retriever.invoke(QUERY, top_k=2)
    with pytest.raises(OptionError, match="Did you mean k="):
        await retriever.ainvoke(QUERY, top_k=2)
    with pytest.raises(OptionError, match=r"no option min_score=\. It takes k"):
        retriever.invoke(QUERY, min_score=2)
    with pytest.raises(OptionError, match="k=-1"):
        retriever.invoke(QUERY, k=-1)


def test_every_option_of_recall_is_a_field_with_the_same_default() -> None:
    options = inspect.signature(RoleplayMemory.recall).parameters
    per_call = {"self", "query", "scope", "vector", "explain"}
    expected = {name: p.default for name, p in options.items() if name not in per_call}
    fields = {name: RomaineMemoryRetriever.model_fields[name].default for name in expected}
    assert fields == expected


OPTIONS: list[dict[str, Any]] = [
    {"k": 3},
    {"token_budget": 20},
    {"min_score": "auto"},
    {"min_score": 0.5},
    {"kinds": ["fact"]},
    {"speakers": ["Ana"]},
    {"as_character": "Brona"},
    {"as_of": 2},
    {"include_superseded": True},
    {"neighbours": 1},
    {"order": "chronological"},
    {"diversity": 1},
    {"dim": 32},
    {"where": lambda memory: "key" in memory.text},
    {"without_sources": ["1"]},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
async def test_options_are_those_of_recall(cassian: RoleplayMemory, options: dict[str, Any]) -> None:
    cassian.add_fact(ANA, "Brona keeps the spare key.", known_by={"Cassian"})
    retriever = RomaineMemoryRetriever(memory=cassian, user="ana", character="Cassian", **options)
    expected = [(hit.memory.id, hit_metadata(hit)) for hit in cassian.recall(QUERY, ANA, **options)]
    for documents in (retriever.invoke(QUERY), await retriever.ainvoke(QUERY)):
        assert [(document.id, document.metadata) for document in documents] == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": -1}, "k=-1 must be a whole number"),
        ({"k": "3"}, "k='3' must be a whole number"),
        ({"order": "random"}, "unknown order 'random'. Allowed: 'score', 'chronological'"),
        ({"kinds": ["dream"]}, "unknown kind 'dream'"),
        ({"kinds": "fact"}, "kinds='fact' must be a collection"),
        ({"min_score": "high"}, "min_score='high' must be a number"),
        ({"dim": 0}, "must be at least 1"),
        ({"speakers": "Ana"}, "must be a collection of names"),
        ({"where": "key"}, "must be a function"),
        ({"tokens": 3}, r"RomaineMemoryRetriever has no option tokens=\."),
        ({"top_k": 3}, "has no option top_k=. Did you mean k="),
        ({"search_kwargs": {"k": 3}}, "write its entries as options of their own"),
        ({"score_threshold": 0.5}, "Did you mean min_score="),
        ({"filter": {"page": 3}}, "Did you mean where="),
        ({"session_id": "monday"}, "without_session=True leaves out the one in config"),
        ({"memory": "memories.db"}, r"is a path; .* memory=RoleplayMemory\('memories\.db'\)"),
        ({"memory": 7}, r"must be a romaine\.RoleplayMemory"),
        ({"scope": "ana"}, "an instance of Scope"),
        ({"without_sources": "1"}, "must be a collection of names"),
        ({"user": ""}, "must be a non-empty str"),
    ],
)
def test_wrong_options_are_refused_at_once(
    cassian: RoleplayMemory, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        RomaineMemoryRetriever(**dict[str, Any](memory=cassian, user="ana") | options)


def test_options_can_be_changed_and_stay_checked(retriever: RomaineMemoryRetriever) -> None:
    retriever.k = 2
    assert len(retriever.invoke(QUERY)) == 2
    with pytest.raises(ValidationError, match="k=-1"):
        retriever.k = -1
    configurable = retriever.configurable_fields(k=ConfigurableField(id="how_many"))
    assert len(configurable.invoke(QUERY, config(how_many=4))) == 4


async def test_an_event_loop_is_never_blocked(retriever: RomaineMemoryRetriever) -> None:
    await retriever.ainvoke(QUERY)

    async def several() -> None:
        await asyncio.gather(*(retriever.ainvoke(QUERY) for _ in range(32)))

    assert await shortest_of(5, several) <= LIMIT


# --- the running conversation --------------------------------------------------------------------------


async def test_the_running_conversation_is_left_out(cassian: RoleplayMemory) -> None:
    def talk(session: str) -> RomaineChatMessageHistory:
        return RomaineChatMessageHistory(session, memory=cassian, user="ana", character="Cassian")

    talk("monday").add_messages([HumanMessage("Is the golden key in the well?")])
    talk("tuesday").add_messages([HumanMessage("Is the golden key in the mill?")])
    names = {"user": "ana", "character": "Cassian"}
    retriever = RomaineMemoryRetriever(memory=cassian, **names, without_session=True, k=20)
    for told in ({"session_id": "tuesday"}, {"thread_id": "tuesday"}):
        for found in (
            retriever.invoke(QUERY, config(**told)),
            await retriever.ainvoke(QUERY, config(**told)),
        ):
            said = {document.page_content for document in found}
            assert "Is the golden key in the well?" in said
            assert "Is the golden key in the mill?" not in said
            assert "I left the silver key under the third step." in said
    with pytest.raises(OptionError, match="nothing says which conversation is running"):
        retriever.invoke(QUERY)
    everything = RomaineMemoryRetriever(memory=cassian, **names, k=20)
    shown = everything.invoke(QUERY, config(session_id="tuesday"))
    assert "Is the golden key in the mill?" in {document.page_content for document in shown}
    sources = [found.source_id for found in cassian.list(ANA) if found.source_id is not None]
    both = RomaineMemoryRetriever(
        memory=cassian, **names, k=20, without_sources=sources, without_session=True
    )
    assert len(both.invoke(QUERY, config(session_id="friday"))) == len(shown) - 2


# --- whose memory --------------------------------------------------------------------------------------


def test_a_scope_is_given_whole_or_by_its_names(cassian: RoleplayMemory) -> None:
    whole = Scope(user="ana", character="Cassian", chat="tavern")
    by_names = RomaineMemoryRetriever(memory=cassian, user="ana", character="Cassian", chat="tavern")
    by_scope = RomaineMemoryRetriever(memory=cassian, scope=whole, scope_from_config=True)
    assert by_scope.invoke(QUERY) == by_names.invoke(QUERY)
    with pytest.raises(OptionError, match="is bound here"):  # what is bound, no call can change
        by_scope.invoke(QUERY, {"configurable": {"user": "ben"}})
    with pytest.raises(ValidationError, match="leave out one or the other"):
        RomaineMemoryRetriever(memory=cassian, scope=whole, user="ana")


def test_there_is_no_retriever_without_a_user(cassian: RoleplayMemory) -> None:
    with pytest.raises(ValidationError, match="a memory is always somebody's"):
        RomaineMemoryRetriever(memory=cassian)
    with pytest.raises(ValidationError, match="a memory is always somebody's"):
        RomaineMemoryRetriever(memory=cassian, character="Cassian")


async def test_an_invocation_without_a_user_is_an_error(everyone: RomaineMemoryRetriever) -> None:
    assert owners(everyone.invoke(QUERY, config(user="ben"))) == {"ben"}
    nobody: list[RunnableConfig | None] = [None, {}, config(), config(character="Cassian")]
    for told in nobody:  # nothing is left of the call before
        with pytest.raises(OptionError, match="no user"):
            everyone.invoke(QUERY, told)
        with pytest.raises(OptionError, match="no user"):
            await everyone.ainvoke(QUERY, told)
    with pytest.raises(OptionError, match="no user"):
        everyone.batch([QUERY], [config()])


async def test_a_config_that_names_another_user_is_an_error(retriever: RomaineMemoryRetriever) -> None:
    assert owners(retriever.invoke(QUERY, config(user="ana"))) == {"ana"}
    with pytest.raises(OptionError, match="is not the user that is bound here"):
        retriever.invoke(QUERY, config(user="ben"))
    with pytest.raises(OptionError, match="is not the user that is bound here"):
        await retriever.ainvoke(QUERY, config(user="ben"))


def test_a_copy_for_another_user_is_that_users(everyone: RomaineMemoryRetriever) -> None:
    ana = RomaineMemoryRetriever(memory=everyone.memory, user="ana")
    assert owners(ana.model_copy(update={"user": "ben"}).invoke(QUERY)) == {"ben"}
    assert owners(ana.invoke(QUERY)) == {"ana"}
    with pytest.raises(OptionError, match="a memory is always somebody's"):
        ana.model_copy(update={"user": None}).invoke(QUERY)
    with pytest.raises(ValidationError):
        ana.user = None
    with pytest.raises(OptionError, match="a memory is always somebody's"):
        RomaineMemoryRetriever.model_construct(memory=everyone.memory).invoke(QUERY)


def test_character_and_chat_come_from_the_config_too(memory: RoleplayMemory) -> None:
    for character, chat in (("Cassian", None), ("Cassian", "tavern"), ("Brona", None)):
        memory.add_turns(
            Scope(user="ana", character=character, chat=chat),
            [Turn(f"The key is with {character}, {chat}.", speaker=character, role="character")],
        )
    retriever = RomaineMemoryRetriever(memory=memory, scope_from_config=True)

    def found(**told: str) -> set[str]:
        return {document.page_content for document in retriever.invoke(QUERY, config(user="ana", **told))}

    assert found() == set()
    assert found(character="Brona") == {"The key is with Brona, None."}
    assert found(character="Cassian") == {"The key is with Cassian, None."}
    assert len(found(character="Cassian", chat="tavern")) == 2


def test_the_config_says_what_it_may_hold(
    retriever: RomaineMemoryRetriever, everyone: RomaineMemoryRetriever
) -> None:
    assert [spec.id for spec in everyone.config_specs] == ["user", "character", "chat"]
    assert [spec.id for spec in (everyone | RunnablePassthrough()).config_specs] == [
        "character",
        "chat",
        "user",
    ]
    assert retriever.config_specs == []


async def test_concurrent_invocations_never_mix(everyone: RomaineMemoryRetriever) -> None:
    users = [USERS[n % 4] for n in range(64)]
    configs = [config(user=user) for user in users]
    found = [
        *everyone.batch([QUERY] * 64, configs),
        *await everyone.abatch([QUERY] * 64, configs),
        *await asyncio.gather(*(everyone.ainvoke(QUERY, told) for told in configs)),
    ]
    with ThreadPoolExecutor(8) as threads:
        found += threads.map(lambda told: everyone.invoke(QUERY, told), configs)
    assert [owners(documents) for documents in found] == [{user} for user in users * 4]


async def test_chains_hand_their_config_down(everyone: RomaineMemoryRetriever) -> None:
    passing: Runnable[str, str] = RunnablePassthrough()
    chain = RunnableParallel(a=everyone, b=passing | everyone) | (lambda found: found["a"] + found["b"])

    def ask(query: str) -> list[Document]:
        return everyone.invoke(query)  # told nothing: the chain's config is the current one

    async def ask_async(query: str, config: RunnableConfig) -> list[Document]:
        return await everyone.ainvoke(query, config)  # before Python 3.11 LangChain wants it handed on

    inner = RunnableLambda(ask, ask_async)
    configs = [config(user=user) for user in USERS]
    runnables: list[Runnable[str, list[Document]]] = [chain, passing | inner]
    for runnable in runnables:
        found = [*runnable.batch([QUERY] * 4, configs), *await runnable.abatch([QUERY] * 4, configs)]
        assert [owners(documents) for documents in found] == [{user} for user in USERS * 2]
        with pytest.raises(OptionError, match="no user"):
            runnable.invoke(QUERY)


def test_two_users_of_one_file_never_see_each_other(memory: RoleplayMemory) -> None:
    memory.add_turns(Scope(user="ana"), [Turn("The key is in the well.", speaker="ana", role="user")])
    memory.add_turns(Scope(user="ben"), [Turn("I like soup.", speaker="ben", role="user")])
    ben = RomaineMemoryRetriever(memory=memory, user="ben")
    assert [document.page_content for document in ben.invoke("The key is in the well.")] == ["I like soup."]


class Listener(BaseCallbackHandler):
    def __init__(self) -> None:
        self.heard: list[object] = []

    def on_retriever_end(self, documents: Any, **_: Any) -> None:
        self.heard.append(len(documents))

    def on_retriever_error(self, error: BaseException, **_: Any) -> None:
        self.heard.append(type(error))


async def test_callbacks_hear_of_hits_and_errors(everyone: RomaineMemoryRetriever) -> None:
    listener = Listener()
    everyone.invoke(QUERY, {"configurable": {"user": "ben"}, "callbacks": [listener]})
    with pytest.raises(OptionError):
        everyone.invoke(QUERY, {"callbacks": [listener]})
    with pytest.raises(OptionError):
        await everyone.ainvoke(QUERY, {"callbacks": [listener]})
    assert listener.heard == [5, OptionError, OptionError]
