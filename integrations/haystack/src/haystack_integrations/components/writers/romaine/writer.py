# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""`RomaineMemoryWriter`: what was said, and documents, into a character's long memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.components.agents.state import State
from haystack.dataclasses import ChatMessage, ChatRole
from haystack.document_stores.types import DuplicatePolicy
from romaine import RoleplayMemory, Scope
from romaine.checks import optional_str_tuple
from romaine.errors import UnknownNameError
from romaine.options import explains

from haystack_integrations.common.romaine.memory_file import RomaineMemoryFile
from haystack_integrations.common.romaine.scope import BoundScope
from haystack_integrations.components.writers.romaine.messages import check_messages, to_turns
from haystack_integrations.document_stores.romaine.documents import write_documents


@component
class RomaineMemoryWriter:
    """Writes chat messages and documents into the memory of one user.

    A message becomes a turn. One with `meta["source_id"]` is stored once, however often the conversation is
    written, and a changed text replaces the old one; one without is added each time, for the same words may
    be said twice. `meta["created_at"]` (ISO 8601) and `meta["parent_id"]` are used where they are there.
    A document becomes a piece of lore that `RomaineMemoryStore` shows; writing it again replaces it.

    ### Usage example

    ```python
    from haystack.dataclasses import ChatMessage
    from haystack_integrations.components.writers.romaine import RomaineMemoryWriter

    writer = RomaineMemoryWriter("memories.db", character="Cassian")
    said = ChatMessage.from_assistant("I left the silver key under the third step.", meta={"source_id": "7"})
    writer.run(messages=[said], user="ana", chat="tavern")
    ```
    """

    @explains
    def __init__(
        self,
        memory_file: RomaineMemoryFile | RoleplayMemory | str | Path,
        *,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        roles: Sequence[str] = ("user", "assistant"),
        meta_fields_to_keep: Sequence[str] = (),
        policy: DuplicatePolicy | str = DuplicatePolicy.OVERWRITE,
    ) -> None:
        """Stores and checks the settings; nothing is opened.

        :param memory_file: The file, with its settings or by its path, or an open memory.
        :param scope: Whose memory, in place of `user`, `character` and `chat`.
        :param user: Whose memory; None where each run names the user. What is bound here no run can change.
        :param character: Which character's, or None for what all the user's characters share; likewise.
        :param chat: Which chat's, or None for what holds in all; likewise.
        :param roles: Messages of which of Haystack's roles to write. System prompts and tool results are left
            out by default: they are no part of the story.
        :param meta_fields_to_keep: Entries of a message's meta to keep as the memory's metadata.
        :param policy: What to do with a document whose id is there already.
        :raises ValueError: If a value is not allowed; the message says what is.
        """
        self.memory_file = RomaineMemoryFile.of(memory_file)
        self.scope = BoundScope.of(scope, user=user, character=character, chat=chat)
        self.roles = [_role(role) for role in roles]
        self.meta_fields_to_keep = list(optional_str_tuple("meta_fields_to_keep", meta_fields_to_keep) or ())
        self.policy = _policy(policy)

    def warm_up(self) -> None:
        """Opens the file and loads the model, unless that has happened.

        :raises StorageError: If the file cannot be used.
        :raises ModelError: If the model cannot be found, read or trusted.
        :raises MissingExtraError: If the model's backend is not installed; the message says what to install.
        """
        self.memory_file.open()

    async def warm_up_async(self) -> None:
        """Does what `warm_up` does, in a worker thread; the event loop stays free."""
        await self.memory_file.open_async()

    @component.output_types(messages_written=int, documents_written=int, memory_ids=list[str])
    def run(
        self,
        messages: list[ChatMessage] | None = None,
        documents: list[Document] | None = None,
        *,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        known_by: list[str] | None = None,
        state: State | None = None,
    ) -> dict[str, Any]:
        """Writes messages and documents. They are on the disk when this returns.

        :param messages: What was said, in order. Those without text, as tool calls, are left out.
        :param documents: What is known.
        :param scope: Whose memory, in place of `user`, `character` and `chat`.
        :param user: Whose memory; needed where the component is bound to nobody.
        :param character: Which character's.
        :param chat: Which chat's.
        :param known_by: Characters who witnessed it; None for all in scope.
        :param state: State of the Agent that calls, which Haystack fills in. What is not bound is then taken
            from it or its `hook_context`; another name is an error, for it may be a model's.
        :returns: A dictionary with the keys
            - `messages_written`: How many messages are new or have a new text.
            - `documents_written`: How many documents were written.
            - `memory_ids`: Id of the memory of each message and document that was taken, in order.
        :raises ValueError: If no user is named, another than the bound one is, or a document is not fit.
        :raises TypeError: If `messages` is not a list of ChatMessages.
        :raises DuplicateDocumentError: If the policy is to fail and a document's id is there already.
        """
        scope = self.scope.resolve(scope, user=user, character=character, chat=chat, state=state)
        turns = to_turns(
            check_messages(messages or []), scope, roles=self.roles, meta_fields=self.meta_fields_to_keep
        )
        memory = self.memory_file.open()
        # documents first: they may be refused, and then nothing has been written
        lore = write_documents(memory, scope, documents or [], policy=self.policy, known_by=known_by or ())
        added = memory.add_turns(scope, turns, known_by=known_by or ())
        return {
            "messages_written": added.added + added.edited,
            "documents_written": len(lore),
            "memory_ids": [*added.ids, *(piece.id for piece in lore)],
        }

    @component.output_types(messages_written=int, documents_written=int, memory_ids=list[str])
    async def run_async(
        self,
        messages: list[ChatMessage] | None = None,
        documents: list[Document] | None = None,
        *,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        known_by: list[str] | None = None,
        state: State | None = None,
    ) -> dict[str, Any]:
        """Does what `run` does, in a worker thread; the event loop stays free.

        :param messages: As for `run`.
        :param documents: As for `run`.
        :param scope: As for `run`.
        :param user: As for `run`.
        :param character: As for `run`.
        :param chat: As for `run`.
        :param known_by: As for `run`.
        :param state: As for `run`.
        :returns: What `run` returns.
        :raises ValueError: As `run`.
        """
        return await asyncio.to_thread(
            self.run,
            messages,
            documents,
            scope=scope,
            user=user,
            character=character,
            chat=chat,
            known_by=known_by,
            state=state,
        )

    def close(self) -> None:
        """Closes the file; what uses it next opens it again."""
        self.memory_file.close()

    async def close_async(self) -> None:
        """Does what `close` does, in a worker thread."""
        await self.memory_file.close_async()

    def to_dict(self) -> dict[str, Any]:
        """Serializes the component.

        :returns: A dictionary that `from_dict` takes.
        """
        return default_to_dict(
            self,
            memory_file=self.memory_file,
            user=self.scope.user,
            character=self.scope.character,
            chat=self.scope.chat,
            roles=[role.value for role in self.roles],
            meta_fields_to_keep=self.meta_fields_to_keep,
            policy=self.policy.value,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RomaineMemoryWriter:
        """Makes a component of what `to_dict` gave.

        :param data: The dictionary.
        :returns: The component, its file not opened.
        """
        return default_from_dict(cls, data)


def _role(role: str | ChatRole) -> ChatRole:
    try:
        return ChatRole(role)
    except ValueError:
        raise UnknownNameError("role", role, [known.value for known in ChatRole]) from None


def _policy(policy: DuplicatePolicy | str) -> DuplicatePolicy:
    try:
        return DuplicatePolicy(policy)
    except ValueError:
        raise UnknownNameError("policy", policy, [known.value for known in DuplicatePolicy]) from None
