"""`RomaineMemoryRetriever`: a scope's memories, found by meaning, words and speaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks.base import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.retrievers.romaine.nodes import node_of
from llama_index.retrievers.romaine.recalling import as_keywords

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.memory import Kind, Memory, RoleplayMemory, Scope
from romaine.memory.options import RecallOptions
from romaine.memory.records import check_scope


class RomaineMemoryRetriever(BaseRetriever):
    """Retrieves what one user's character remembers. Make one for each user and chat: that costs nothing.

    Words and names are looked for from the query's text. What is searched with by meaning is the bundle's
    `embedding` if it has one, else the mean of its `custom_embedding_strs` (as a HyDE transform sets them),
    else the query's text.

    Args:
        memory: The memory; many retrievers may share it.
        scope: Whose memories are found; nothing else ever is.
        similarity_top_k: How many nodes at most.
        token_budget: How many tokens nodes and neighbours may have together.
        min_score: Score a node must reach; "auto" returns nothing where the answer is probably not there;
            None returns the `similarity_top_k` best.
        kinds: Which kinds may be found: "turn", "fact", "lore", "summary".
        speakers: Whose words may be found.
        as_character: Leaves out what this character did not witness.
        as_of: Story position or time; only what was there and held then is found.
        include_superseded: Whether what was corrected may be found too.
        neighbours: How many turns before and after each to show to the LLM around it.
        order: "score", or "chronological" for the order of the story.
        diversity: How many of one category come before the others have their turn.
        dim: Components of the first stage of search, up to the embedder's own.
        where: Says which memories may be found, asked of each before anything is ranked.
        callback_manager: LlamaIndex's.
        verbose: LlamaIndex's.

    Raises:
        OptionError: If there is no memory or no scope, or a value is not allowed.

    Examples:
        `pip install llama-index-embeddings-romaine`

        ```python
        from llama_index.retrievers.romaine import RomaineMemoryRetriever
        from romaine import RoleplayMemory, Scope

        memory = RoleplayMemory("memories.db")
        retriever = RomaineMemoryRetriever(memory, scope=Scope(user="ana", character="Cassian"))
        nodes = retriever.retrieve("Where is the key?")
        ```
    """

    def __init__(
        self,
        memory: RoleplayMemory,
        *,
        scope: Scope,
        similarity_top_k: int = 5,
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
        where: Callable[[Memory], bool] | None = None,
        callback_manager: CallbackManager | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(callback_manager=callback_manager, verbose=verbose)
        if not isinstance(memory, RoleplayMemory):
            raise OptionError(f"memory={memory!r} must be a romaine.RoleplayMemory")
        self._memory = memory
        self._scope = check_scope(scope)
        self._options = as_keywords(
            RecallOptions(
                k=similarity_top_k,
                token_budget=token_budget,
                min_score=min_score,
                kinds=kinds,
                speakers=speakers,
                as_character=as_character,
                as_of=as_of,
                include_superseded=include_superseded,
                neighbours=neighbours,
                order=order,
                diversity=diversity,
                dim=dim,
                where=where,
            )
        )

    @property
    def memory(self) -> RoleplayMemory:
        """Where it looks."""
        return self._memory

    @property
    def scope(self) -> Scope:
        """Whose memories it finds."""
        return self._scope

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._memory.recall(
            query_bundle.query_str, self._scope, vector=self._vector(query_bundle), **self._options
        )
        return [node_of(hit) for hit in hits]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)

    def _vector(self, query_bundle: QueryBundle) -> FloatArray | list[float] | None:
        """What to search with by meaning if it is not the query's own text."""
        if query_bundle.embedding is not None:
            return query_bundle.embedding
        texts = query_bundle.custom_embedding_strs
        if not texts:
            return None
        vectors: FloatArray = self._memory.embedder.with_dim(None).embed_queries(texts)
        mean: FloatArray = vectors.mean(axis=0)
        return mean
