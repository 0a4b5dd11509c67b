"""`RomaineMemoryRetriever`: a scope's memories, found by meaning, words and speaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks.base import CallbackManager
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.retrievers.romaine.given import open_memory
from llama_index.retrievers.romaine.nodes import node_of

from romaine.arrays import FloatArray
from romaine.memory import Kind, Memory, RoleplayMemory, Scope
from romaine.memory.options import RecallOptions
from romaine.memory.records import whole_scope
from romaine.options import explains, keywords, taken


class RomaineMemoryRetriever(BaseRetriever):
    """Retrieves what one user's character remembers. Make one for each user and chat: that costs nothing.

    Words and names are looked for from the query's text. What is searched with by meaning is the mean of the
    bundle's `custom_embedding_strs` (as a HyDE transform sets them) if it has any, else the query's text;
    both are embedded by the memory's own model. A node's score is `Hit.confidence`, 0 to 1, as LlamaIndex
    expects of a relevance; the ranker's score and its parts are in the metadata.

    Args:
        memory: The memory; many retrievers may share it.
        scope: Whose memories are found; nothing else ever is.
        user: The same by its names, in place of `scope`: whose memory it is.
        character: The character whose memory it is; None for what all characters of the user share.
        chat: The chat whose own memories are seen as well; None for what holds in every chat.
        similarity_top_k: How many nodes at most, `k` of `RoleplayMemory.recall`. The options below are its
            own, and it says what each means; neighbours are shown to the LLM around a node's text.
        token_budget: As there.
        min_score: As there.
        kinds: As there.
        speakers: As there.
        as_character: As there.
        as_of: As there.
        include_superseded: As there.
        neighbours: As there.
        order: As there.
        diversity: As there.
        dim: As there.
        without_sources: As there.
        where: As there.
        use_query_embedding: Whether to search by meaning with the bundle's `embedding` where it has one. It
            must be of the memory's own model, with all dimensions. Other retrievers write those of their
            models into a bundle that they share with this one, as in a fusion.
        callback_manager: LlamaIndex's.
        verbose: LlamaIndex's.

    Raises:
        OptionError: If there is no memory or no scope, a name is unknown or a value not allowed.

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

    @explains
    def __init__(
        self,
        memory: RoleplayMemory,
        *,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
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
        without_sources: Collection[str] | None = None,
        where: Callable[[Memory], bool] | None = None,
        use_query_embedding: bool = False,
        callback_manager: CallbackManager | None = None,
        verbose: bool = False,
    ) -> None:
        options = taken(RecallOptions, locals() | {"k": similarity_top_k, "explain": False})
        super().__init__(callback_manager=callback_manager, verbose=verbose)
        self._memory = open_memory(memory)
        self._scope = whole_scope(scope, user=user, character=character, chat=chat)
        self._options = keywords(options)
        self._use_query_embedding = use_query_embedding

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
        if self._use_query_embedding and query_bundle.embedding is not None:
            return query_bundle.embedding
        texts = query_bundle.custom_embedding_strs
        if not texts:
            return None
        vectors: FloatArray = self._memory.embedder.with_dim(None).embed_queries(texts)
        mean: FloatArray = vectors.mean(axis=0)
        return mean
