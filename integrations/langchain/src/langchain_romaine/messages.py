"""LangChain messages as turns of the memory, and back without loss."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    messages_from_dict,
)
from pydantic_core import to_jsonable_python

from romaine import Hit, Memory, Turn
from romaine.memory.records import Role

MESSAGE_KEY = "langchain"
"""Under this key a turn's metadata holds what its text does not say of the message."""


@dataclass(frozen=True, kw_only=True)
class Speakers:
    """Names for those whose messages bear none.

    Attributes:
        human: Who the human messages come from.
        ai: Who the model's messages come from.
    """

    human: str
    ai: str

    def role_and_name(self, message: BaseMessage) -> tuple[Role, str]:
        """Who said a message: its role in the story, and the name of the speaker."""
        if isinstance(message, HumanMessage):
            return Role.USER, message.name or self.human
        if isinstance(message, AIMessage):
            return Role.CHARACTER, message.name or self.ai
        if isinstance(message, SystemMessage):
            return Role.SYSTEM, message.name or "system"
        if isinstance(message, (ToolMessage, FunctionMessage)):
            return Role.SYSTEM, message.name or "tool"
        if isinstance(message, ChatMessage):
            return _chat_role(message.role), message.name or message.role or "chat"
        return Role.SYSTEM, message.name or message.type


def session_prefix(session: str) -> str:
    """What the source ids of a conversation's turns begin with; no conversation's is that of another."""
    return json.dumps([session])[:-1] + ", "


def source_id(session: str, message_id: str) -> str:
    """The id under which a conversation's message is stored."""
    return json.dumps([session, message_id])


def is_said(message: BaseMessage) -> bool:
    """Whether a message is part of what was said: not a tool's or the system's, not a summary, not empty."""
    return (
        isinstance(message, (HumanMessage, AIMessage))
        and message.additional_kwargs.get("lc_source") != "summarization"
        and bool(str(message.text).strip())
    )


def to_turn(message: BaseMessage, speakers: Speakers, *, source_id: str) -> Turn:
    """Returns a message as a turn.

    Its text is what can be read of the message; blocks of other content, tool calls, usage and whatever else
    it carries go into the metadata. Values that JSON cannot hold are kept as their text.

    Args:
        message: What was said.
        speakers: Names for those whose messages bear none.
        source_id: The turn's id in its chat.
    """
    role, speaker = speakers.role_and_name(message)
    return Turn(
        str(message.text),
        speaker=speaker,
        role=role,
        source_id=source_id,
        metadata={MESSAGE_KEY: {"type": message.type, "data": _beside_text(message)}},
    )


def to_message(memory: Memory) -> BaseMessage:
    """Returns the message that a turn was made from; of a turn from elsewhere, one of its role."""
    record = memory.metadata.get(MESSAGE_KEY)
    if record is not None:
        (message,) = messages_from_dict(
            [{"type": record["type"], "data": {"content": memory.text, **record["data"]}}]
        )
        return message
    if memory.role is Role.USER:
        return HumanMessage(memory.text, name=memory.speaker)
    if memory.role is Role.SYSTEM:
        return SystemMessage(memory.text)
    return AIMessage(memory.text, name=memory.speaker)


def as_lines(hits: Sequence[Hit]) -> str:
    """What was recalled, as a model reads it: one memory a line, with who said it."""
    found = (hit.memory for hit in hits)
    return "\n".join(
        f"- {memory.speaker}: {memory.text}" if memory.speaker else f"- {memory.text}" for memory in found
    )


def _beside_text(message: BaseMessage) -> dict[str, Any]:
    fields = message.model_dump(exclude_defaults=True)
    fields.pop("type", None)
    if isinstance(message.content, str):
        fields.pop("content", None)  # it is the turn's text, and follows when that is corrected
    plain: dict[str, Any] = to_jsonable_python(
        fields, bytes_mode="base64", inf_nan_mode="null", serialize_unknown=True
    )
    return plain


def _chat_role(name: str) -> Role:
    names = {"user": Role.USER, "human": Role.USER, "assistant": Role.CHARACTER, "ai": Role.CHARACTER}
    return names.get(name) or (Role(name) if name in set(Role) else Role.SYSTEM)
