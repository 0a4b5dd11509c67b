"""`RomaineVectorStore`: nodes in the file of a memory, in one scope."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from llama_index.core.bridge.pydantic import ConfigDict, Field, field_validator, model_validator
from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import node_to_metadata_dict
from llama_index.embeddings.romaine.early import check_names
from llama_index.retrievers.romaine.given import open_memory
from llama_index.retrievers.romaine.nodes import NODE_SOURCE, written_node
from llama_index.vector_stores.romaine.filters import matches
from typing_extensions import Self

from romaine.arrays import FloatArray
from romaine.errors import OptionError, UnknownNameError
from romaine.memory import Hit, Kind, Memory, RoleplayMemory, Scope
from romaine.memory.records import whole_scope

_BY_WORDS = (VectorStoreQueryMode.SPARSE, VectorStoreQueryMode.TEXT_SEARCH)
_BY_BOTH = (
    VectorStoreQueryMode.DEFAULT,
    VectorStoreQueryMode.HYBRID,
    VectorStoreQueryMode.SEMANTIC_HYBRID,
)


class RomaineVectorStore(BasePydanticVectorStore):
    """Nodes in the file of a `romaine.RoleplayMemory`, in exactly one scope.

    What is added is on the disk when `add` returns, and there is no other file. `RomaineMemoryRetriever`
    finds it beside what was said, under the same ids and with the same metadata; no other user does. A node
    comes back as it was written, but for its embedding: the memory embeds texts and queries with its own
    model.

    Modes: "default" and "hybrid" rank as the memory does, by meaning and words; "hybrid" with `alpha=1` by
    meaning alone, with `alpha=0` by words alone, as "sparse" and "text_search" do. A similarity is
    `Hit.confidence`, 0 to 1.

    Raises:
        ValidationError: If there is no memory or no scope, a name is unknown or a value not allowed.

    Examples:
        `pip install llama-index-embeddings-romaine`

        ```python
        from llama_index.core import VectorStoreIndex
        from llama_index.embeddings.romaine import RomaineEmbedding
        from llama_index.vector_stores.romaine import RomaineVectorStore
        from romaine import RoleplayMemory

        store = RomaineVectorStore(memory=RoleplayMemory("memories.db"), user="ana")
        index = VectorStoreIndex.from_vector_store(store, embed_model=RomaineEmbedding())
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    stores_text: bool = True
    is_embedding_query: bool = False  # the text is needed, and another model's vector would be of no use
    memory: RoleplayMemory = Field(exclude=True, description="Where the nodes are kept; stores may share it.")
    scope: Scope | None = Field(default=None, description="Whose nodes they are.")
    user: str | None = Field(
        default=None, exclude=True, description="In place of `scope`: whose nodes they are."
    )
    character: str | None = Field(
        default=None, exclude=True, description="With `user`: the character who knows them."
    )
    chat: str | None = Field(default=None, exclude=True, description="With `user`: the chat they belong to.")

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
    def _check_scope(self) -> Self:
        self.scope = whole_scope(self.scope, user=self.user, character=self.character, chat=self.chat)
        self.user = self.character = self.chat = None  # a scope is told once, in copies as well
        return self

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised components."""
        return "RomaineVectorStore"

    @property
    def client(self) -> RoleplayMemory:
        """The memory."""
        return self.memory

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:  # noqa: ARG002 - the framework's
        """Adds nodes, all of them or none; one with an id that is there replaces that one.

        Args:
            nodes: The nodes; of two with one id the later counts.
            **kwargs: Of LlamaIndex; there are none here.

        Returns:
            Their ids.
        """
        notes = {node.node_id: self._memory_of(node) for node in nodes}
        self.memory.add_notes(list(notes.values()), keep_twins=True)
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:  # noqa: ARG002 - the framework's
        """Deletes the nodes of a document for good, from the file and its log as well."""
        self._forget(stored for stored in self._stored() if stored.metadata["ref_doc_id"] == ref_doc_id)

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,  # noqa: ARG002 - the framework's
    ) -> None:
        """Deletes nodes for good: of these ids, and that pass the filters.

        Raises:
            OptionError: If neither is given; `clear` deletes all.
        """
        if node_ids is None and filters is None:
            raise OptionError(
                "node_ids=None and filters=None: give one of them, or call clear() to delete all"
            )
        self._forget(self._stored(node_ids, filters))

    def clear(self) -> None:
        """Deletes all nodes of the scope for good. What was said stays."""
        self._forget(self._stored())

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Returns nodes in the order they were added first: of these ids, and that pass the filters."""
        return [_node(stored) for stored in self._stored(node_ids, filters)]

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:  # noqa: ARG002
        """Finds the nodes that fit a question best. Of nodes with the same text it gives one.

        Args:
            query: Its `query_str` is what is looked for; its `query_embedding` is not used.
            **kwargs: Of LlamaIndex; there are none here.

        Returns:
            Nodes, the best first, with their ids and `Hit.confidence` as similarities.

        Raises:
            OptionError: If there is no `query_str`, or the mode or `alpha` is not one of those there are.
        """
        if not query.query_str:
            raise OptionError(
                "query_str=None: this store embeds the text of a query, with the memory's own model"
            )
        k = query.similarity_top_k
        if query.mode is VectorStoreQueryMode.HYBRID and query.hybrid_top_k is not None:
            k = query.hybrid_top_k
        hits = self._hits(*self._search(query), k=k, wanted=self._wanted(query))
        nodes = [_node(hit.memory) for hit in hits]
        return VectorStoreQueryResult(
            nodes=nodes, similarities=[hit.confidence for hit in hits], ids=[node.node_id for node in nodes]
        )

    # --- the same, for event loops -------------------------------------------------------------------------

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """`add` in a worker thread; the event loop stays free."""
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """`delete` in a worker thread."""
        await asyncio.to_thread(self.delete, ref_doc_id, **delete_kwargs)

    async def adelete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """`delete_nodes` in a worker thread."""
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, **delete_kwargs)

    async def aclear(self) -> None:
        """`clear` in a worker thread."""
        await asyncio.to_thread(self.clear)

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """`get_nodes` in a worker thread."""
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """`query` in a worker thread."""
        return await asyncio.to_thread(self.query, query, **kwargs)

    # --- inside --------------------------------------------------------------------------------------------

    @property
    def _whose(self) -> Scope:
        assert self.scope is not None  # every way to make a store validates it
        return self.scope

    def _memory_of(self, node: BaseNode) -> Memory:
        return Memory(
            scope=self._whose,
            kind=Kind.LORE,
            text=node.get_content(metadata_mode=MetadataMode.NONE),
            source_id=NODE_SOURCE + node.node_id,
            metadata=node_to_metadata_dict(node, remove_text=True),
        )

    def _is_own(self, memory: Memory) -> bool:
        return memory.scope == self._whose and (memory.source_id or "").startswith(NODE_SOURCE)

    def _stored(
        self, node_ids: Iterable[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[Memory]:
        if node_ids is None:
            listed = self.memory.list(self._whose, kinds=[Kind.LORE], source_prefix=NODE_SOURCE)
        else:
            sources = {NODE_SOURCE + node_id for node_id in node_ids}
            listed = self.memory.list(self._whose, kinds=[Kind.LORE], source_ids=sources)
        return [found for found in listed if self._is_own(found) and matches(filters, found.metadata)]

    def _forget(self, doomed: Iterable[Memory]) -> None:
        ids = [memory.id for memory in doomed]
        if ids:
            self.memory.forget(self._whose, ids)

    def _search(self, query: VectorStoreQuery) -> tuple[str, FloatArray | None]:
        """The words to look for and the vector, or None for that of the words."""
        text, alpha = query.query_str or "", None
        if query.mode in _BY_WORDS:
            alpha = 0.0
        elif query.mode is VectorStoreQueryMode.HYBRID:
            alpha = query.alpha
        elif query.mode not in _BY_BOTH:
            raise UnknownNameError("mode", query.mode.value, [mode.value for mode in (*_BY_BOTH, *_BY_WORDS)])
        if alpha not in (None, 0, 1):
            raise OptionError(
                f"alpha={alpha!r} must be None for the memory's own ranking, 0 for words or 1 for meaning"
                " alone; RoleplayMemory(path, ranker=WeightedRanker(Weights(...))) weighs them"
            )
        if alpha == 1:
            return "", self.memory.embedder.with_dim(None).embed_queries([text])[0]
        return text, None if alpha is None else np.zeros(self.memory.embedder.full_dim, dtype=np.float32)

    def _wanted(self, query: VectorStoreQuery) -> Callable[[Memory], bool]:
        """Tells which of the memories that the scope sees may be found."""
        # an index over a store that keeps texts gives an empty list of ids, and means all
        sources = {NODE_SOURCE + node_id for node_id in query.node_ids or ()}
        doc_ids = set(query.doc_ids or ())

        def is_wanted(memory: Memory) -> bool:
            return (
                self._is_own(memory)
                and (not sources or memory.source_id in sources)
                and (not doc_ids or memory.metadata["ref_doc_id"] in doc_ids)
                and matches(query.filters, memory.metadata)
            )

        return is_wanted

    def _hits(
        self, text: str, vector: FloatArray | None, *, k: int, wanted: Callable[[Memory], bool]
    ) -> list[Hit]:
        """The best k that are wanted: sought among the best, for to ask all of them is to read all."""
        for asked in (k, 8 * k, 64 * k):
            hits = self.memory.recall(text, self._whose, k=asked, kinds=[Kind.LORE], vector=vector)
            found = [hit for hit in hits if wanted(hit.memory)]
            if len(found) >= k or len(hits) < asked:
                return found[:k]
        return self.memory.recall(text, self._whose, k=k, kinds=[Kind.LORE], vector=vector, where=wanted)


def _node(memory: Memory) -> BaseNode:
    node = written_node(memory)
    assert node is not None  # only such memories are asked for
    return node
