"""`RomaineMemoryBlock`: what leaves the chat's window is remembered, and comes back when it matters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ContentBlock, MessageRole, TextBlock
from llama_index.core.bridge.pydantic import ConfigDict, Field, PrivateAttr, field_validator, model_validator
from llama_index.core.memory import BaseMemoryBlock
from llama_index.core.utils import get_tokenizer
from llama_index.embeddings.romaine.early import check_names
from llama_index.memory.romaine.turns import ROLES, SESSION_KEY, SessionLog, source_prefix, turn_of
from llama_index.retrievers.romaine.given import open_memory
from llama_index.retrievers.romaine.nodes import line_of
from typing_extensions import Self

from romaine.memory import Hit, Kind, Memory, Role, RoleplayMemory, Scope, Turn
from romaine.memory.hits import story_time
from romaine.memory.options import RecallOptions
from romaine.memory.records import whole_scope
from romaine.options import keywords, meanings

_QUERY_MESSAGES = 2  # what the memory makes use of
_NAMES = {"k": "similarity_top_k"}
_NOT_HERE = {"token_budget", "order", "explain"}  # counted by the LLM's tokenizer; always the story's order
_OPTIONS = [field.name for field in fields(RecallOptions) if field.name not in _NOT_HERE]


class RomaineMemoryBlock(BaseMemoryBlock[list[ContentBlock]]):
    """Keeps what one user and character said, and recalls it for the latest messages.

    `Memory` hands over the messages that no longer fit its window; they are written to the memory's file as
    they were said. With a `RomaineChatStore` over the block every message is written as soon as it is said.
    When it is read, the latest messages are the query, and what is found is shown in the order of the story,
    within a token budget and without what the window shows already. How it recalls is said by the options of
    `RoleplayMemory.recall` of the same names; `similarity_top_k` is its `k`.

    Raises:
        ValidationError: If there is no scope, a name is unknown or a value not allowed.

    Examples:
        `pip install llama-index-embeddings-romaine`

        ```python
        from llama_index.core.memory import Memory
        from llama_index.memory.romaine import RomaineMemoryBlock
        from romaine import RoleplayMemory, Scope

        block = RomaineMemoryBlock(
            memory=RoleplayMemory("memories.db"), scope=Scope(user="ana", character="Cassian")
        )
        memory = Memory.from_defaults(token_limit=4000, memory_blocks=[block])
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    name: str = Field(default="LongTermMemory", description="The block's name in the prompt.")
    description: str | None = Field(
        default="What was said earlier, as far as it matters now.", description="What the block holds."
    )
    memory: RoleplayMemory = Field(exclude=True, description="Where turns are kept; blocks may share it.")
    scope: Scope | None = Field(
        default=None,
        description="Whose memory it is. Without a chat, what was said in one session is found in the next.",
    )
    user: str | None = Field(
        default=None, exclude=True, description="In place of `scope`: whose memory it is."
    )
    character: str | None = Field(default=None, exclude=True, description="With `user`: which character's.")
    chat: str | None = Field(default=None, exclude=True, description="With `user`: which chat's.")
    token_budget: int = Field(
        default=1000,
        gt=0,
        description="How many tokens the block may have, as `tokenizer_fn` counts them.",
    )
    tokenizer_fn: Callable[[str], list[Any]] = Field(
        default_factory=get_tokenizer, exclude=True, description="Tokenizer of the LLM."
    )
    roles: dict[MessageRole, Role] = Field(
        default_factory=lambda: dict(ROLES),
        description="Which roles are remembered, and as what; prompts and tools are not by default.",
    )
    user_name: str | None = Field(default=None, description="Who the user is; None for the scope's user.")
    character_name: str | None = Field(
        default=None, description='Who the assistant is; None for the scope\'s character or "assistant".'
    )
    id_key: str = Field(
        default="id",
        description="Where `additional_kwargs` hold a message's id. A message with one is kept once.",
    )
    similarity_top_k: int = 5
    min_score: float | str | None = None
    kinds: Collection[Kind | str] | None = None
    speakers: Collection[str] | None = None
    as_character: str | None = None
    as_of: int | datetime | None = None
    include_superseded: bool = False
    neighbours: int = 0
    diversity: int | None = None
    dim: int | None = None
    without_sources: Collection[str] | None = None
    where: Callable[[Memory], bool] | None = Field(default=None, exclude=True)

    _sessions: dict[str, SessionLog] = PrivateAttr(default_factory=dict)  # of those with a chat store
    _in_window: frozenset[str] = PrivateAttr(default=frozenset())

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, values: object) -> object:
        check_names(cls, values)
        return values

    @field_validator("memory", mode="before")
    @classmethod
    def _check_memory(cls, memory: object) -> RoleplayMemory:
        return open_memory(memory)

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.scope = whole_scope(self.scope, user=self.user, character=self.character, chat=self.chat)
        self.user = self.character = self.chat = None  # a scope is told once, in copies as well
        self._options()
        return self

    @property
    def _whose(self) -> Scope:
        assert self.scope is not None  # every way to make a block validates it
        return self.scope

    def _options(self) -> dict[str, Any]:
        """Made of the fields at each use: they may be assigned to, which validates nothing."""
        own = {name: getattr(self, _NAMES.get(name, name)) for name in _OPTIONS}
        return keywords(RecallOptions(**own))

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised components."""
        return "RomaineMemoryBlock"

    @property
    def in_window(self) -> frozenset[str]:
        """Source ids of the turns that stood in the window when the block was last read."""
        return self._in_window

    async def aput(
        self,
        messages: list[ChatMessage],
        from_short_term_memory: bool = False,
        session_id: str | None = None,
    ) -> None:
        """Writes messages. Those of a session that a chat store keeps were written when they were said."""
        if not (from_short_term_memory and session_id in self._sessions):
            await super().aput(messages, from_short_term_memory, session_id)

    async def aremember(
        self, session_id: str, messages: Sequence[ChatMessage], *, only_new: bool = False
    ) -> None:
        """Writes messages of a session as they are said, for a chat store.

        Args:
            session_id: The session.
            messages: In the order they were said; those of roles that are not remembered are left out.
            only_new: Whether messages without an id are left out that the session has already.
        """
        log = await self.aopen_session(session_id)
        turns = log.named(self._turns(messages, session_id), only_new=only_new)
        await self.memory.aadd_turns(self._whose, turns)

    async def aopen_session(self, session_id: str) -> SessionLog:
        """Looks up, once, what of a session is in the memory."""
        if session_id not in self._sessions:
            log = SessionLog(session_id, await self._stored(session_id))
            self._sessions.setdefault(session_id, log)  # somebody else may have been faster
        return self._sessions[session_id]

    async def aforget(self, session_id: str) -> int:
        """Deletes what a session wrote for good, and what was made from it; returns how many went."""
        stored = await self._stored(session_id)
        self._sessions.pop(session_id, None)
        return (await self.memory.aforget(self._whose, [memory.id for memory in stored])).memories

    async def _stored(self, session_id: str) -> list[Memory]:
        listed = await self.memory.alist(
            self._whose, kinds=[Kind.TURN], source_prefix=source_prefix(session_id)
        )
        return [memory for memory in listed if memory.scope == self._whose]

    async def _aput(self, messages: list[ChatMessage]) -> None:
        turns = [self._turns([message], message.additional_kwargs.get(SESSION_KEY)) for message in messages]
        await self.memory.aadd_turns(self._whose, [turn for each in turns for turn in each])

    async def _aget(
        self,
        messages: list[ChatMessage] | None = None,
        *,
        session_id: str | None = None,
        **block_kwargs: Any,  # noqa: ARG002 - the framework's signature
    ) -> list[ContentBlock]:
        window = [message for message in messages or [] if message.role in self.roles and message.content]
        if not window:
            return []
        options, log = self._options(), self._sessions.get(session_id or "")
        if log is not None:
            self._in_window = frozenset(log.sources(self._turns(window, session_id)))
            options["without_sources"] = self._in_window.union(self.without_sources or ())
        query = [message.content or "" for message in window[-_QUERY_MESSAGES:]]
        hits = await self.memory.arecall(query, self._whose, **options)
        shown = await asyncio.to_thread(self._within_budget, hits)  # which counts the tokens of long texts
        return [TextBlock(text=line_of(memory)) for memory in sorted(shown, key=story_time)]

    async def atruncate(
        self, content: list[ContentBlock], tokens_to_truncate: int
    ) -> list[ContentBlock] | None:
        """Drops memories, those of the earliest first, until so many tokens are saved.

        Returns:
            What is left, or None if nothing is.
        """
        left = list(content)
        while left and tokens_to_truncate > 0:
            tokens_to_truncate -= self._tokens(getattr(left.pop(0), "text", ""))
        return left or None

    def _turns(self, messages: Sequence[ChatMessage], session: object) -> list[Turn]:
        speakers = {
            Role.USER: self.user_name or self._whose.user,
            Role.CHARACTER: self.character_name or self._whose.character or "assistant",
        }
        made = [
            turn_of(message, session=session, roles=self.roles, speakers=speakers, id_key=self.id_key)
            for message in messages
        ]
        return [turn for turn in made if turn is not None]

    def _within_budget(self, hits: list[Hit]) -> list[Memory]:
        """The best hits that fit, each with its neighbours if they fit as well."""
        shown: list[Memory] = []
        left = self.token_budget
        for wanted in [[hit.memory] for hit in hits] + [list(hit.neighbours) for hit in hits]:
            for memory in wanted:
                cost = self._tokens(line_of(memory))
                if cost <= left:
                    shown.append(memory)
                    left -= cost
        return shown

    def _tokens(self, text: str) -> int:
        return len(self.tokenizer_fn(text))


for _name in _OPTIONS:
    _field = RomaineMemoryBlock.model_fields[_NAMES.get(_name, _name)]
    _field.description = meanings(RoleplayMemory.recall).get(_name)
RomaineMemoryBlock.model_rebuild(force=True)
