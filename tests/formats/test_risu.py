from __future__ import annotations

import json

import pytest

from romaine.errors import FormatError
from romaine.formats import ImportResult, read
from romaine.memory.records import Role
from tests.formats.samples import RISU


def risu(document: object, **options: object) -> ImportResult:
    return read(("chat.json", json.dumps(document).encode()), **options)  # type: ignore[arg-type]


def with_messages(*messages: object) -> dict[str, object]:
    return {"type": "risuChat", "ver": 1, "data": {"message": list(messages)}}


def test_a_chat_and_its_lore() -> None:
    result = risu(RISU, user_name="Ana", character_name="Cassian")
    assert [(turn.text, turn.speaker, turn.role, turn.source_id) for turn in result.turns] == [
        ("Is the soup good?", "Ana", Role.USER, "a"),
        ("It is hot.", "Cassian", Role.CHARACTER, "b"),
    ]
    assert result.title == "Evenings"
    assert [(note.text, note.pinned) for note in result.memories] == [("It is always leek.", True)]
    assert [entry.why for entry in result.skipped] == ["a comment", "hidden from the model (disabled)"]


def test_all_chats_stay_apart() -> None:
    document = {"type": "risuAllChats", "ver": 2, "data": [RISU["data"], RISU["data"], 3], "folders": []}
    result = risu(document)
    assert [len(chat.turns) for chat in result.chats] == [2, 2]
    assert result.skipped[-1].where == "chat 3"


def test_a_message_may_hide_all_before_it() -> None:
    document = with_messages(
        {"role": "char", "data": "one"},
        {"role": "char", "data": "two", "disabled": "allBefore"},
        {"role": "char", "data": "three"},
    )
    assert [turn.text for turn in risu(document).turns] == ["three"]
    assert [turn.text for turn in risu(document, include_hidden=True).turns] == ["one", "two", "three"]


def test_messages_without_ids_are_named_by_their_place() -> None:
    document = with_messages({"role": "char", "data": "a"}, {"role": "user", "data": "b"})
    assert [turn.source_id for turn in risu(document).turns] == ["message 1", "message 2"]


@pytest.mark.parametrize("version", [3, None, "2", []])
def test_an_unknown_version_is_an_error(version: object) -> None:
    with pytest.raises(FormatError, match="version"):
        risu(RISU | {"ver": version})


def test_odd_messages_are_reported() -> None:
    result = risu(with_messages({"role": ["char"], "data": "a"}, {"role": "char", "data": 3}, "x"))
    assert result.turns == ()
    assert [entry.where for entry in result.skipped] == [f"chat 1, message {n}" for n in (1, 2, 3)]
