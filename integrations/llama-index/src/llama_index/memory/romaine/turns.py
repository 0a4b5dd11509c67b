"""Chat messages as turns of the memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from llama_index.core.base.llms.types import ChatMessage, MessageRole

from romaine.memory import Memory, Role, Turn
from romaine.memory.records import uuid7

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
    message: ChatMessage,
    *,
    session: object,
    roles: Mapping[MessageRole, Role],
    speakers: Mapping[Role, str],
    id_key: str,
) -> Turn | None:
    """Returns a message as a turn, or None if it is of a role or without the text that is remembered.

    Args:
        message: Its `additional_kwargs` may hold a "name", which wins over `speakers`, and an id.
        session: The session it is of, or None.
        roles: What each role that is remembered is in the memory.
        speakers: Name of who speaks in each role.
        id_key: Under which of `additional_kwargs` a message's id is, if it has one. Ids are taken to be
            unique in a session.
    """
    role, text = roles.get(message.role), message.content
    if role is None or not text or not text.strip():
        return None
    kwargs = message.additional_kwargs
    name, message_id = kwargs.get(NAME_KEY), kwargs.get(id_key)
    return Turn(
        text,
        speaker=str(name) if name else speakers.get(role, role.value),
        role=role,
        source_id=None if message_id is None else source_prefix(session) + str(message_id),
    )


def source_prefix(session: object) -> str:
    """What the source ids of a session's messages begin with, and those of no other session."""
    if session is None:
        return ""
    return str(session).replace("%", "%25").replace(":", "%3A") + ":"


class SessionLog:
    """Which turns of one session are in the memory, and under which source ids.

    A chat store's messages have no ids of their own as a rule, so they are told by who said them and what.

    Args:
        session: The session's name.
        stored: The turns that are there.
    """

    def __init__(self, session: str, stored: Iterable[Memory]) -> None:
        self._prefix = source_prefix(session)
        self._sources: defaultdict[tuple[Role | None, str], list[str]] = defaultdict(list)
        for memory in stored:
            self._sources[memory.role, memory.text].append(memory.source_id or "")

    def named(self, turns: Iterable[Turn], *, only_new: bool) -> list[Turn]:
        """Returns turns that are to be written, each with a source id, and counts them in.

        Args:
            turns: In the order they were said.
            only_new: Whether those that are there already are left out, the same words as often as they are.
        """
        seen: Counter[tuple[Role, str]] = Counter()
        wanted = []
        for turn in turns:
            key = (turn.role, turn.text)
            seen[key] += 1
            if only_new and turn.source_id is None and seen[key] <= len(self._sources[key]):
                continue
            source = turn.source_id or self._prefix + uuid7()
            if source not in self._sources[key]:
                self._sources[key].append(source)
            wanted.append(replace(turn, source_id=source))
        return wanted

    def sources(self, turns: Iterable[Turn]) -> list[str]:
        """The source ids of all that was said in the same words."""
        return [source for turn in turns for source in self._sources.get((turn.role, turn.text), ())]
