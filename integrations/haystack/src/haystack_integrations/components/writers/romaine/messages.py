# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""Chat messages as turns of a memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from haystack.dataclasses import ChatMessage, ChatRole
from romaine import Scope, Turn
from romaine.memory import Role

from haystack_integrations.common.romaine.times import as_datetime

ROLES = {
    ChatRole.USER: Role.USER,
    ChatRole.ASSISTANT: Role.CHARACTER,
    ChatRole.SYSTEM: Role.SYSTEM,
    ChatRole.TOOL: Role.NARRATOR,
}
"""Who a message of each of Haystack's roles comes from."""


def check_messages(messages: object) -> Sequence[ChatMessage]:
    """Returns messages as they are.

    :param messages: What was given.
    :returns: The same.
    :raises TypeError: If it is not a list of ChatMessages.
    """
    if isinstance(messages, list) and all(isinstance(message, ChatMessage) for message in messages):
        return messages
    raise TypeError("messages must be a list of ChatMessages; Documents go into documents=...")


def to_turns(
    messages: Sequence[ChatMessage],
    scope: Scope,
    *,
    roles: Collection[ChatRole],
    meta_fields: Sequence[str] = (),
) -> list[Turn]:
    """Returns what was said in messages, as turns.

    :param messages: In the order they were said.
    :param scope: Names the speakers that the messages do not: the user and the character.
    :param roles: Whose messages to take.
    :param meta_fields: Entries of a message's meta to keep as the turn's metadata.
    :returns: A turn for each message of these roles that has text.
    :raises OptionError: If an entry of a message's meta that is used is not what it must be.
    """
    return [
        _to_turn(message, "\n".join(message.texts), scope, meta_fields)
        for message in messages
        if message.role in roles and message.texts
    ]


def _to_turn(message: ChatMessage, text: str, scope: Scope, meta_fields: Sequence[str]) -> Turn:
    meta = message.meta
    said_at = meta.get("created_at")
    return Turn(
        text,
        speaker=message.name or _speaker(message.role, scope),
        role=ROLES[message.role],
        at=None if said_at is None else as_datetime("meta['created_at']", said_at),
        source_id=meta.get("source_id"),
        parent_id=meta.get("parent_id"),
        metadata={name: meta[name] for name in meta_fields if name in meta} or None,
    )


def _speaker(role: ChatRole, scope: Scope) -> str:
    if role is ChatRole.USER:
        return scope.user
    if role is ChatRole.ASSISTANT and scope.character is not None:
        return scope.character
    return str(role.value)
