"""`RomaineMemoryToolSpec`: what an agent may ask of a character's memory, and what it may note there."""

# no `from __future__ import annotations`: LlamaIndex shows the signatures of tools to the model as they are

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime

from llama_index.core.tools.tool_spec.base import BaseToolSpec
from llama_index.memory.romaine import RomaineMemoryBlock
from llama_index.retrievers.romaine.given import open_memory
from llama_index.retrievers.romaine.nodes import line_of

from romaine.memory import Hit, Kind, Memory, RoleplayMemory, Scope
from romaine.memory.checks import check_count
from romaine.memory.hits import story_time
from romaine.memory.options import RecallOptions
from romaine.memory.records import whole_scope
from romaine.options import explains, keywords, taken


class RomaineMemoryToolSpec(BaseToolSpec):
    """The tools `recall` and `remember` over one scope of a memory. Make one for each user and character.

    The model sees `query` and `top_k`, or `text`, and nothing else: whose memory it is, which chat and which
    filters is the application's, and there is no argument by which the model could choose another.

    Args:
        memory: The memory; many tools may share it.
        block: The block of the agent's `Memory`: what its window shows already is not found again.
        scope: Whose memory it is; nothing else is ever found or written.
        user: The same by its names, in place of `scope`: whose memory it is.
        character: The character whose memory it is; None for what all characters of the user share.
        chat: The chat whose own memories are seen as well; None for what holds in every chat.
        similarity_top_k: How many memories the model gets at most, however many it asks for. The options
            below are those of `RoleplayMemory.recall`, and it says what each means.
        token_budget: As there.
        min_score: As there.
        kinds: As there.
        speakers: As there.
        as_character: As there. What is noted is known to this character alone, then.
        as_of: As there.
        include_superseded: As there.
        neighbours: As there.
        order: As there.
        diversity: As there.
        dim: As there.
        without_sources: As there.
        where: As there.

    Raises:
        OptionError: If there is no memory or no scope, a name is unknown or a value not allowed.

    Examples:
        `pip install llama-index-embeddings-romaine`

        ```python
        from llama_index.core.agent.workflow import FunctionAgent
        from llama_index.tools.romaine import RomaineMemoryToolSpec

        tools = RomaineMemoryToolSpec(memory, user="ana", character="Cassian").to_tool_list()
        agent = FunctionAgent(llm=llm, tools=tools)
        ```
    """

    spec_functions = [("recall", "arecall"), ("remember", "aremember")]  # noqa: RUF012 - the framework's

    @explains
    def __init__(
        self,
        memory: RoleplayMemory,
        *,
        block: RomaineMemoryBlock | None = None,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        similarity_top_k: int = 10,
        token_budget: int | None = None,
        min_score: float | str | None = None,
        kinds: Collection[Kind | str] | None = None,
        speakers: Collection[str] | None = None,
        as_character: str | None = None,
        as_of: int | datetime | None = None,
        include_superseded: bool = False,
        neighbours: int = 0,
        order: str = "score",
        diversity: int | None = None,
        dim: int | None = None,
        without_sources: Collection[str] | None = None,
        where: Callable[[Memory], bool] | None = None,
    ) -> None:
        self._options = taken(RecallOptions, locals() | {"k": similarity_top_k, "explain": False})
        self._memory = open_memory(memory)
        self._block = block
        self._scope = whole_scope(scope, user=user, character=character, chat=chat)

    def recall(self, query: str, top_k: int = 5) -> str:
        """Looks up what was said and noted earlier. Use it before you answer what you do not know.

        Args:
            query (str): What to look for, in a few words or as a question.
            top_k (int): How many memories to return at most.
        """
        check_count("top_k", top_k)
        options = keywords(self._options) | {"k": min(top_k, self._options.k)}
        if self._block is not None:
            options["without_sources"] = self._block.in_window.union(options["without_sources"] or ())
        hits = self._memory.recall(query, self._scope, **options)
        return "\n\n".join(map(_shown, hits)) or "Nothing is remembered of that."

    def remember(self, text: str) -> str:
        """Notes something that is worth knowing in later conversations.

        Args:
            text (str): One fact, in a sentence that can be understood by itself.
        """
        known_by = () if self._options.as_character is None else (self._options.as_character,)
        noted = self._memory.add_fact(self._scope, text, known_by=known_by)
        return "It is remembered." if noted.stored else "It was known already."

    async def arecall(self, query: str, top_k: int = 5) -> str:
        """`recall` in a worker thread; the event loop stays free."""
        return await asyncio.to_thread(self.recall, query, top_k)

    async def aremember(self, text: str) -> str:
        """`remember` in a worker thread."""
        return await asyncio.to_thread(self.remember, text)


def _shown(hit: Hit) -> str:
    """A memory among its neighbours, with the day it is from."""
    around = sorted((hit.memory, *hit.neighbours), key=story_time)
    return f"{hit.memory.created_at:%Y-%m-%d}\n" + "\n".join(map(line_of, around))
