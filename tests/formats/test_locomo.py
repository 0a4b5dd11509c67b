from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import pytest

from romaine.errors import FormatError
from romaine.formats import read, read_conversation, read_conversations
from romaine.memory.records import Role
from tests.formats.samples import LOCOMO

REALTALK = {
    "name": {"speaker_1": "Ana", "speaker_2": "Cassian"},
    "session_1": [
        {"clean_text": "Hello.", "speaker": "Ana", "date_time": "29.12.2023, 14:03:59", "dia_id": "D1:1"},
        {
            "clean_text": "Evening.",
            "speaker": "Cassian",
            "date_time": "29.12.2023, 14:05:00",
            "dia_id": "D1:2",
        },
    ],
    "session_1_date_time": "29.12.2023, 14:03:59",
    "events_session_1": {},
    "qa": [{"question": "Who says hello?", "answer": "Ana", "evidence": "D1:1", "category": 1}],
}


@pytest.fixture
def saved(tmp_path: Path):  # type: ignore[no-untyped-def]
    def save(document: object) -> Path:
        path = tmp_path / "conversation.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    return save


def test_sessions_come_in_the_order_of_their_numbers(saved) -> None:  # type: ignore[no-untyped-def]
    conversation = read_conversation(saved(LOCOMO))
    assert [(session.number, session.at) for session in conversation.sessions] == [
        (1, datetime(2023, 5, 8, 13, 56, tzinfo=timezone.utc)),
        (2, datetime(2023, 5, 9, 9, tzinfo=timezone.utc)),
    ]
    assert [turn.source_id for turn in conversation.turns] == ["D1:1", "D1:2", "D2:1"]
    assert [turn.role for turn in conversation.turns] == [Role.USER, Role.CHARACTER, Role.USER]


def test_a_shared_picture_stands_behind_the_text(saved) -> None:  # type: ignore[no-untyped-def]
    assert read_conversation(saved(LOCOMO)).turns[1].text == "Look! [shares a photo of a stair]"


def test_evidence_is_every_turn_named_that_is_there_and_each_once(saved) -> None:  # type: ignore[no-untyped-def]
    conversation = read_conversation(saved(LOCOMO))
    (question,) = conversation.questions
    assert question.evidence == ("D1:2", "D1:1")
    assert (question.answer, question.category) == ("3", 1)
    assert [entry.where for entry in conversation.skipped] == ["question 2"]


def test_a_question_may_be_a_message_of_the_chat(saved) -> None:  # type: ignore[no-untyped-def]
    asked = [
        {"question": "And then?", "evidence": ["D1:1"], "before": "D1:2", "category": "Temporal"},
        {"question": "And then?", "evidence": ["D1:1"], "before": "D7:2"},
    ]
    conversation = read_conversation(saved(LOCOMO | {"qa": asked}))
    (question,) = conversation.questions
    assert (question.before, question.category) == ("D1:2", "Temporal")
    (skipped,) = conversation.skipped
    assert "not in the conversation" in skipped.why


def test_realtalk_has_sessions_at_the_top_and_a_time_per_message(saved) -> None:  # type: ignore[no-untyped-def]
    conversation = read_conversation(saved(REALTALK))
    assert conversation.speakers == ("Ana", "Cassian")
    assert conversation.turns[1].at == datetime(2023, 12, 29, 14, 5, tzinfo=timezone.utc)
    assert conversation.turns[1].text == "Evening."
    assert conversation.questions[0].evidence == ("D1:1",)


def test_a_file_may_hold_several_conversations(saved) -> None:  # type: ignore[no-untyped-def]
    path = saved([LOCOMO, REALTALK])
    assert [len(conversation.turns) for conversation in read_conversations(path)] == [3, 2]
    with pytest.raises(FormatError, match="holds 2 conversations"):
        read_conversation(path)
    assert len(read(path).chats) == 2


def test_an_import_skips_turns_without_text_and_questions_are_no_part_of_it(saved) -> None:  # type: ignore[no-untyped-def]
    result = read(saved(LOCOMO), user_name="Cassian")
    assert [turn.role for turn in result.turns] == [Role.CHARACTER, Role.USER]
    assert [entry.where for entry in result.skipped] == ["conv-1, turn D2:1"]


@pytest.mark.parametrize("document", [{}, [], 3, {"conversation": {"session_1": "x"}}, [1, LOCOMO]])
def test_what_holds_no_conversation_is_an_error(saved, document: object) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(FormatError):
        read_conversation(saved(document))


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="check the path"):
        read_conversation(tmp_path / "missing.json")
