from __future__ import annotations

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_romaine.scopes import SCOPE_FIELDS, ScopeBinding

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
    with pytest.raises(OptionError, match=r"is not the (user|character|chat) that this retriever") as error:
        bound.resolve(config(**told))
    assert not {"ana", "ben", "Cassian", "tavern"} & set(str(error.value).replace("'", " ").split())


@pytest.mark.parametrize("told", [{}, {"character": "Cassian"}, {"user": None}])
def test_without_a_user_there_is_no_answer(told: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=r'no user: .*; give {"configurable": {"user": \.\.\.}}'):
        binding().resolve(config(**told))
    with pytest.raises(OptionError, match="no user"):
        binding().resolve({})


@pytest.mark.parametrize("user", ["", 7, ["ana"]])
def test_a_user_must_be_a_name(user: object) -> None:
    with pytest.raises(OptionError, match="must be a non-empty str"):
        binding().resolve(config(user=user))


def test_the_fields_say_what_a_config_may_hold() -> None:
    assert [field.id for field in SCOPE_FIELDS] == ["user", "character", "chat"]
