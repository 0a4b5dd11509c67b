from __future__ import annotations

from datetime import datetime, timezone

from romaine.formats import read
from romaine.memory.records import Role
from tests.formats.samples import PLAIN, jsonl


def test_messages_become_turns_and_unknown_fields_are_left_alone() -> None:
    result = read(("chat.jsonl", PLAIN))
    assert [(turn.text, turn.speaker, turn.role, turn.source_id) for turn in result.turns] == [
        ("Is the soup good?", "Ana", Role.USER, "1"),
        ("It is hot.", "Cassian", Role.CHARACTER, "line 2"),
    ]
    assert result.turns[0].at == datetime(2024, 6, 3, 17, 12, tzinfo=timezone.utc)
    assert [entry.where for entry in result.skipped] == ["line 3"]


def test_chat_model_messages_are_read_with_the_names_given() -> None:
    data = jsonl(
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "Hm."},
        {"role": "system", "content": "S"},
    )
    result = read(("chat.jsonl", data), user_name="Ana", character_name="Cassian")
    assert [(turn.speaker, turn.role) for turn in result.turns] == [
        ("Ana", Role.USER),
        ("Cassian", Role.CHARACTER),
        ("System", Role.SYSTEM),
    ]


def test_without_a_role_whoever_has_the_users_name_is_the_user() -> None:
    data = jsonl({"text": "a", "speaker": "Ana"}, {"text": "b", "speaker": "Ilse"})
    result = read(("chat.jsonl", data), user_name="Ana")
    assert [turn.role for turn in result.turns] == [Role.USER, Role.CHARACTER]


def test_an_unknown_role_is_reported() -> None:
    result = read(
        ("chat.jsonl", jsonl({"text": "a", "role": "pirate"}, {"text": "b", "role": 3}, {"text": "c"}))
    )
    assert [entry.where for entry in result.skipped] == ["line 1", "line 2"]
    assert len(result.turns) == 1


def test_ids_given_twice_still_differ() -> None:
    result = read(("chat.jsonl", jsonl(*[{"text": "a", "id": "x"}] * 3, {"text": "b", "id": "x #2"})))
    ids = [turn.source_id for turn in result.turns]
    assert len(set(ids)) == 4
    assert ids[0] == "x"
