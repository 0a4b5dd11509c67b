"""Chat messages as turns of the memory."""

from __future__ import annotations

from collections.abc import Mapping

from llama_index.core.base.llms.types import ChatMessage, MessageRole

from romaine.memory import Role, Turn

ROLES: Mapping[MessageRole, Role] = {
    MessageRole.USER: Role.USER,
    MessageRole.ASSISTANT: Role.CHARACTER,
    MessageRole.CHATBOT: Role.CHARACTER,
    MessageRole.MODEL: Role.CHARACTER,
}
"""Whose messages are remembered, and as what. Prompts and what tools return were not said by anyone."""

NAME_KEY = "name"
SESSION_KEY = "session_id"  # BaseMemoryBlock.aput puts it there


def turn_of(
    message: ChatMessage, *, roles: Mapping[MessageRole, Role], speakers: Mapping[Role, str], id_key: str
) -> Turn | None:
    """Returns a message as a turn, or None if it is of a role or without the text that is remembered.

    Args:
        message: Its `additional_kwargs` may hold a "name", which wins over `speakers`, and an id.
        roles: What each role that is remembered is in the memory.
        speakers: Name of who speaks in each role.
        id_key: Under which of `additional_kwargs` a message's id is, if it has one. Ids are taken to be
            unique in a session.
    """
    role, text = roles.get(message.role), message.content
    if role is None or not text or not text.strip():
        return None
    kwargs = message.additional_kwargs
    name = kwargs.get(NAME_KEY)
    return Turn(
        text,
        speaker=str(name) if name else speakers.get(role, role.value),
        role=role,
        source_id=_source_id(kwargs.get(id_key), kwargs.get(SESSION_KEY)),
    )


def _source_id(message_id: object, session_id: object) -> str | None:
    if message_id is None:
        return None
    return str(message_id) if session_id is None else f"{session_id}:{message_id}"
