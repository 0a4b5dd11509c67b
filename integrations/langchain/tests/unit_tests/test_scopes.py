from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_romaine.scopes import SCOPE_FIELDS, ScopeBinding, session_of
from langgraph.runtime import Runtime
from pydantic import BaseModel

from romaine import Scope
from romaine.errors import OptionError


def binding(user: str | None = None, *, from_config: bool = True, **names: str) -> ScopeBinding:
    return ScopeBinding(
        user=user, character=names.get("character"), chat=names.get("chat"), from_config=from_config
    )


def config(**configurable: object) -> RunnableConfig:
    return {"configurable": configurable}


def test_the_config_names_what_is_not_bound() -> None:
    told = config(user="ana", character="Cassian", chat="tavern", session_id="monday")
    assert binding().resolve(told) == Scope(user="ana", character="Cassian", chat="tavern")
    assert binding("ana").resolve(told) == Scope(user="ana", character="Cassian", chat="tavern")
    assert binding().resolve(config(user="ana")) == Scope(user="ana")


def test_what_is_bound_needs_no_config_and_ignores_what_it_was_not_to_take() -> None:
    bound = binding("ana", from_config=False)
    assert bound.resolve({}) == Scope(user="ana")
    assert bound.resolve(config(user="ana", character="Cassian", chat="tavern")) == Scope(user="ana")


@pytest.mark.parametrize("from_config", [True, False])
@pytest.mark.parametrize(
    "told", [{"user": "ben"}, {"user": "ana", "character": "Brona"}, {"user": "ana", "chat": "mill"}]
)
def test_a_config_that_contradicts_is_refused_without_telling_names(
    told: dict[str, str], from_config: bool
) -> None:
    bound = binding("ana", character="Cassian", chat="tavern", from_config=from_config)
    with pytest.raises(OptionError, match=r"is not the (user|character|chat) that is bound here") as error:
        bound.resolve(config(**told))
    assert not {"ana", "ben", "Cassian", "tavern"} & set(str(error.value).replace("'", " ").split())


@pytest.mark.parametrize("told", [{}, {"character": "Cassian"}, {"user": None}])
def test_without_a_user_there_is_no_answer(told: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=r'no user: .* config={"configurable": {"user": \.\.\.}}'):
        binding().resolve(config(**told))
    with pytest.raises(OptionError, match="no user"):
        binding().resolve({})


@pytest.mark.parametrize("user", ["", 7, ["ana"]])
def test_a_user_must_be_a_name(user: object) -> None:
    with pytest.raises(OptionError, match="must be a non-empty str"):
        binding().resolve(config(user=user))


def test_the_fields_say_what_a_config_may_hold() -> None:
    assert [field.id for field in SCOPE_FIELDS] == ["user", "character", "chat"]


# --- LangGraph's context -------------------------------------------------------------------------------


@dataclass
class DataclassContext:
    user: str
    character: str | None = None
    chat: str | None = None


class PydanticContext(BaseModel):
    user: str
    character: str | None = None


CONTEXTS: list[Any] = [
    {"user": "ana", "character": "Cassian"},
    DataclassContext("ana", "Cassian"),
    PydanticContext(user="ana", character="Cassian"),
    SimpleNamespace(user="ana", character="Cassian"),
]


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: type(context).__name__)
def test_a_context_names_what_is_not_bound(context: Any) -> None:
    runtime = Runtime(context=context)
    expected = Scope(user="ana", character="Cassian")
    assert binding().resolve({}, runtime=runtime) == expected
    assert binding().resolve(config(__pregel_runtime=runtime)) == expected
    assert binding("ana").resolve({}, runtime=runtime) == expected
    assert binding().resolve(config(chat="tavern"), runtime=runtime).chat == "tavern"
    assert binding("ana", from_config=False).resolve({}, runtime=runtime) == Scope(user="ana")


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: type(context).__name__)
def test_a_context_that_contradicts_is_refused(context: Any) -> None:
    runtime = Runtime(context=context)
    with pytest.raises(OptionError, match="is not the user that is bound here"):
        binding("ben").resolve({}, runtime=runtime)
    with pytest.raises(OptionError, match="one in its config and another in its context") as error:
        binding().resolve(config(user="ben"), runtime=runtime)
    assert "ana" not in str(error.value)
    assert "ben" not in str(error.value)
    assert binding().resolve(config(user="ana"), runtime=runtime).user == "ana"


@pytest.mark.parametrize("context", [{"user_id": "ana"}, SimpleNamespace(user_id="ana")])
def test_a_context_of_other_names_gets_told_what_to_do(context: Any) -> None:
    with pytest.raises(OptionError, match="context has only user_id: name a field of it user, or") as error:
        binding().resolve({}, runtime=Runtime(context=context))
    assert "ana" not in str(error.value)
    scope = ScopeBinding.of(
        lambda runtime: Scope(user=dict(vars(runtime.context)).get("user_id", "?")),
        user=None,
        character=None,
        chat=None,
    )
    assert scope.resolve({}, runtime=Runtime(context=SimpleNamespace(user_id="ana"))) == Scope(user="ana")


def test_a_function_says_all_of_it() -> None:
    with pytest.raises(OptionError, match="leave out user, character and chat"):
        ScopeBinding.of(lambda _: Scope(user="ana"), user="ana", character=None, chat=None)
    wrong = ScopeBinding.of(lambda _: "ana", user=None, character=None, chat=None)  # type: ignore[arg-type, return-value]
    with pytest.raises(OptionError, match="is not a Scope"):
        wrong.resolve(config(user="ana"))


def test_the_running_conversation_is_the_session_or_the_thread() -> None:
    assert session_of(config(session_id="monday", thread_id="7")) == "monday"
    assert session_of(config(thread_id=7)) == "7"
    assert session_of({}) is None
