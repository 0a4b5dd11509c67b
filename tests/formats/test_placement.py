from __future__ import annotations

import json

import pytest

from romaine.errors import OptionError
from romaine.formats import place, read
from romaine.memory.records import Scope
from tests.formats.samples import CARD, CHATPKG, EXAMPLES, LOCOMO, RISU, WORLD_INFO


def document(value: object) -> tuple[str, bytes]:
    return ("file.json", json.dumps(value).encode())


def test_a_chat_belongs_to_the_character_and_is_called_as_its_file() -> None:
    result = read(EXAMPLES / "heron-and-lantern.jsonl")
    (placed,) = place(result, user="ana", file_name="heron-and-lantern").chats
    assert placed.scope == Scope(user="ana", character="Cassian", chat="heron-and-lantern")
    assert placed.chat.turns == result.turns


def test_the_caller_decides() -> None:
    result = read(EXAMPLES / "heron-and-lantern.jsonl")
    (placed,) = place(result, user="ana", character="Cass", chat="inn", file_name="x").chats
    assert placed.scope == Scope(user="ana", character="Cass", chat="inn")


def test_a_group_chat_is_shared_by_its_characters() -> None:
    (placed,) = place(read(EXAMPLES / "lamp-night-group.jsonl"), user="ana", chat="lamps").chats
    assert placed.scope == Scope(user="ana", chat="lamps")


def test_cards_hold_in_every_chat_of_the_character_and_lorebooks_too() -> None:
    card = place(read(document(CARD)), user="ana", file_name="card")
    assert {placed.scope for placed in card.notes} == {Scope(user="ana", character="Cassian")}
    world = place(read(document(WORLD_INFO)), user="ana", file_name="world")
    assert {placed.scope for placed in world.notes} == {Scope(user="ana")}


def test_what_an_app_remembers_of_a_chat_stays_in_it() -> None:
    placement = place(read(document(CHATPKG)), user="ana", character="Cassian")
    assert {placed.scope for placed in placement.notes} == {
        Scope(user="ana", character="Cassian", chat="Evenings")
    }


def test_several_chats_of_one_file_stay_apart_with_their_lore() -> None:
    result = read(document({"type": "risuAllChats", "ver": 2, "data": [3, RISU["data"], RISU["data"]]}))
    placement = place(result, user="ana", character="Cassian", file_name="all")
    names = [placed.scope.chat for placed in placement.chats]
    assert names == ["all/Evenings", "all/Evenings #2"]
    assert [placed.scope.chat for placed in placement.notes] == names


def test_a_conversation_is_called_by_its_own_name() -> None:
    (placed,) = place(read(document(LOCOMO)), user="ana", file_name="file").chats
    assert placed.scope == Scope(user="ana", character="Cassian", chat="conv-1")


def test_a_user_without_a_name_is_an_error() -> None:
    with pytest.raises(OptionError, match="user"):
        place(read(document(CARD)), user="")
