from __future__ import annotations

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_romaine.messages import (
    MESSAGE_KEY,
    Speakers,
    as_lines,
    is_said,
    session_prefix,
    source_id,
    to_message,
    to_turn,
)

from romaine import Hit, Memory, Scope, Turn

SPEAKERS = Speakers(human="ana", ai="Cassian")
USAGE = {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8}
CALL = {"name": "look_up", "args": {"what": "key"}, "id": "call-1", "type": "tool_call"}

PICTURE = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}

MESSAGES: list[BaseMessage] = [
    HumanMessage("Where is the key?", id="1"),
    HumanMessage("Where is the key?", name="Brona", additional_kwargs={"mood": ["merry", 1.5, None]}),
    HumanMessage(
        [{"type": "text", "text": "Look:"}, {"type": "image", "base64": "aGk=", "mime_type": "image/png"}]
    ),
    HumanMessage(["Look", {"type": "text", "text": "here"}]),
    AIMessage("Under the third step.", id="run-1", usage_metadata=USAGE, response_metadata={"model": "m"}),
    AIMessage("", tool_calls=[CALL], id="run-2"),
    AIMessage(
        [{"type": "reasoning", "reasoning": "He asks for it."}, {"type": "text", "text": "Under the step."}],
        response_metadata={"output_version": "v1"},
    ),
    AIMessageChunk(content="Under ", id="run-3", chunk_position="last"),
    SystemMessage("You are Cassian."),
    ToolMessage(
        "It is there.", tool_call_id="call-1", name="look_up", artifact={"rows": [1, 2]}, status="error"
    ),
    FunctionMessage(content="It is there.", name="look_up"),
    ChatMessage(content="The wind howls.", role="narrator"),
    RemoveMessage(id="1"),
    HumanMessage("lone \ud800 surrogate, \x00 and 🗝"),
    HumanMessage(""),
]


def stored(turn: Turn) -> Memory:
    return Memory(
        scope=Scope(user="ana"),
        kind="turn",  # type: ignore[arg-type]  # a Memory takes the name as well
        text=turn.text,
        speaker=turn.speaker,
        role=turn.role,
        metadata=turn.metadata or {},
    )


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
def test_a_message_comes_back_as_it_was(message: BaseMessage) -> None:
    before = message.model_copy(deep=True)
    again = to_message(stored(to_turn(message, SPEAKERS, source_id="s")))
    assert again == before
    assert type(again) is type(message)
    assert message == before


@settings(deadline=None, max_examples=60)
@given(content=st.text(), id_=st.none() | st.text(), name=st.none() | st.text(min_size=1))
def test_any_words_come_back(content: str, id_: str | None, name: str | None) -> None:
    message = AIMessage(content, id=id_, name=name)
    assert to_message(stored(to_turn(message, SPEAKERS, source_id="s"))) == message


@pytest.mark.parametrize(
    ("message", "role", "speaker"),
    [
        (HumanMessage("x"), "user", "ana"),
        (HumanMessage("x", name="Brona"), "user", "Brona"),
        (AIMessage("x"), "character", "Cassian"),
        (AIMessageChunk(content="x"), "character", "Cassian"),
        (SystemMessage("x"), "system", "system"),
        (ToolMessage("x", tool_call_id="1"), "system", "tool"),
        (FunctionMessage(content="x", name="look_up"), "system", "look_up"),
        (ChatMessage(content="x", role="narrator"), "narrator", "narrator"),
        (ChatMessage(content="x", role="assistant"), "character", "assistant"),
        (ChatMessage(content="x", role="elder"), "system", "elder"),
    ],
)
def test_roles_and_speakers(message: BaseMessage, role: str, speaker: str) -> None:
    turn = to_turn(message, SPEAKERS, source_id="s")
    assert (turn.role, turn.speaker) == (role, speaker)


def test_the_text_of_blocks_is_what_can_be_read() -> None:
    turn = to_turn(MESSAGES[2], SPEAKERS, source_id="s")
    assert turn.text == "Look:"
    assert type(turn.text) is str


def test_text_is_stored_once_and_a_correction_of_it_shows() -> None:
    turn = to_turn(HumanMessage("The key is here.", id="1"), SPEAKERS, source_id="s")
    assert turn.metadata == {MESSAGE_KEY: {"type": "human", "data": {"id": "1"}}}
    corrected = Turn("The key was here.", speaker="ana", role="user", metadata=turn.metadata)
    assert to_message(stored(corrected)) == HumanMessage("The key was here.", id="1")


def test_what_json_cannot_hold_is_kept_as_text() -> None:
    day = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
    odd = {"day": day, "probability": float("-inf"), "raw": b"\xff", "kind": object}
    again = to_message(stored(to_turn(AIMessage("x", response_metadata=odd), SPEAKERS, source_id="s")))
    assert again.response_metadata["day"].startswith("2026-01-02T00:00:00")
    assert again.response_metadata["probability"] is None
    assert isinstance(again.response_metadata["kind"], str)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (HumanMessage("Hm."), True),
        (AIMessage("Hm.", tool_calls=[CALL]), True),
        (AIMessage([{"type": "reasoning", "reasoning": "x"}, {"type": "text", "text": "Hm."}]), True),
        (AIMessage("", tool_calls=[CALL]), False),
        (HumanMessage(" "), False),
        (HumanMessage([PICTURE]), False),
        (HumanMessage("They talked.", additional_kwargs={"lc_source": "summarization"}), False),
        (ToolMessage("Hm.", tool_call_id="1"), False),
        (SystemMessage("Hm."), False),
        (RemoveMessage(id="1"), False),
    ],
)
def test_what_is_said(message: BaseMessage, said: bool) -> None:
    assert is_said(message) == said


@given(session=st.text(min_size=1), other=st.text(min_size=1), message_id=st.text(min_size=1))
def test_source_ids_tell_conversations_apart(session: str, other: str, message_id: str) -> None:
    assert source_id(session, message_id).startswith(session_prefix(session))
    assert source_id(session, message_id).startswith(session_prefix(other)) == (session == other)


def test_hits_as_lines() -> None:
    fact = Memory(scope=Scope(user="ana"), kind="fact", text="Ana likes tea.")  # type: ignore[arg-type]
    said = stored(to_turn(HumanMessage("Where is {it}?"), SPEAKERS, source_id="1"))
    lines = as_lines([Hit(memory=memory, score=1.0) for memory in (said, fact)])
    assert lines == "- ana: Where is {it}?\n- Ana likes tea."
    assert as_lines([]) == ""


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("user", HumanMessage("x", name="Ana")),
        ("character", AIMessage("x", name="Ana")),
        ("narrator", AIMessage("x", name="Ana")),
        ("system", SystemMessage("x")),
    ],
)
def test_turns_from_elsewhere_are_messages_of_their_role(role: str, message: BaseMessage) -> None:
    assert to_message(stored(Turn("x", speaker="Ana", role=role))) == message
