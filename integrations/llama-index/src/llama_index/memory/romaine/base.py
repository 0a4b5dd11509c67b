"""`RomaineMemoryBlock`: what leaves the chat's window is remembered, and comes back when it matters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ContentBlock, MessageRole, TextBlock
from llama_index.core.bridge.pydantic import ConfigDict, Field, model_validator
from llama_index.core.memory import BaseMemoryBlock
from llama_index.core.utils import get_tokenizer
from llama_index.memory.romaine.turns import ROLES, turn_of
from llama_index.retrievers.romaine.nodes import line_of
from llama_index.retrievers.romaine.recalling import as_keywords
from typing_extensions import Self

from romaine.memory import Hit, Kind, Memory, Role, RoleplayMemory, Scope
from romaine.memory.hits import story_time
from romaine.memory.options import RecallOptions

_QUERY_MESSAGES = 2  # what the memory makes use of


class RomaineMemoryBlock(BaseMemoryBlock[list[ContentBlock]]):
    """Keeps what one user and character said, and recalls it for the latest messages.

    `Memory` hands over the messages that no longer fit its window; they are written to the memory's file as
    they were said. When it is read, the latest messages are the query, and what is found is shown in the
    order of the story, within a token budget.

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
    scope: Scope = Field(
        description="Whose memory it is. Without a chat, what was said in one session is found in the next."
    )
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
    similarity_top_k: int = Field(default=5, description="How many memories at most, without neighbours.")
    min_score: float | str | None = Field(
        default=None, description='Score to reach; "auto" shows nothing where nothing seems to fit.'
    )
    kinds: Collection[Kind | str] | None = Field(default=None, description="Which kinds may be found.")
    speakers: Collection[str] | None = Field(default=None, description="Whose words may be found.")
    as_character: str | None = Field(
        default=None, description="Leaves out what this character did not witness."
    )
    as_of: int | datetime | None = Field(
        default=None, description="Story position or time; only what was there then is found."
    )
    include_superseded: bool = Field(default=False, description="Whether to find what was corrected.")
    neighbours: int = Field(default=0, description="Turns to show before and after each.")
    diversity: int | None = Field(default=None, description="How many of one category come first.")
    dim: int | None = Field(default=None, description="Components of the first stage of search.")

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        self._options()
        return self

    def _options(self) -> dict[str, Any]:
        """Made of the fields at each use: they may be assigned to, which validates nothing."""
        return as_keywords(
            RecallOptions(
                k=self.similarity_top_k,
                min_score=self.min_score,
                kinds=self.kinds,
                speakers=self.speakers,
                as_character=self.as_character,
                as_of=self.as_of,
                include_superseded=self.include_superseded,
                neighbours=self.neighbours,
                diversity=self.diversity,
                dim=self.dim,
            )
        )

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised components."""
        return "RomaineMemoryBlock"

    async def _aput(self, messages: list[ChatMessage]) -> None:
        speakers = self._speakers()
        turns = [
            turn_of(message, roles=self.roles, speakers=speakers, id_key=self.id_key) for message in messages
        ]
        await self.memory.aadd_turns(self.scope, [turn for turn in turns if turn is not None])

    async def _aget(
        self,
        messages: list[ChatMessage] | None = None,
        **block_kwargs: Any,  # noqa: ARG002 - the framework's signature; the session is in the scope
    ) -> list[ContentBlock]:
        query = [
            message.content for message in messages or [] if message.role in self.roles and message.content
        ]
        if not query:
            return []
        hits = await self.memory.arecall(query[-_QUERY_MESSAGES:], self.scope, **self._options())
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

    def _speakers(self) -> dict[Role, str]:
        return {
            Role.USER: self.user_name or self.scope.user,
            Role.CHARACTER: self.character_name or self.scope.character or "assistant",
        }

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
