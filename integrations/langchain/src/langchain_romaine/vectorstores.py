"""`RomaineVectorStore`: documents in the file of a memory, in one scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from langchain_romaine.checks import check_keywords, check_memory
from langchain_romaine.documents import (
    SOURCE,
    erase_notes,
    find_notes,
    is_document,
    stored_notes,
    to_document,
    to_note,
)
from langchain_romaine.embeddings import RomaineEmbeddings
from langchain_romaine.filters import check_filter, matches
from romaine import Memory, RoleplayMemory, Scope
from romaine.errors import OptionError
from romaine.memory.records import whole_scope
from romaine.options import explains

Filter = Callable[[Document], bool] | Mapping[str, Any]
"""Which documents may be found: a function, or wanted metadata by name, e.g. ``{"page": {"$gte": 3}}``."""

_REMEDIES = {
    "min_score": "write score_threshold=... and search with similarity_search_with_relevance_scores",
    "scope": "the scope is the store's own; make another store for another scope",
    "namespace": "the scope is the store's own; make another store for another scope",
}


def _search(*, k: int = 4, filter: Filter | None = None) -> None:  # noqa: A002 - LangChain's name
    """What a search may say."""


class RomaineVectorStore(VectorStore):
    """Documents in the file of a `romaine.RoleplayMemory`, in exactly one scope, and found as memories are.

    The memory embeds texts with its own model and ranks by meaning and by words. What is written here is also
    recalled by `RomaineMemoryRetriever` for this user, beside what was said, and by no other user. Scores are
    the memory's confidence from 0 to 1 that a document holds the answer; higher is better.

    Metadata have to be what JSON can hold. The async methods work in a worker thread.

    Args:
        memory: Share one with retrievers and chat histories, and close it when all are done.
        scope: Whose they are, in place of `user`, `character` and `chat`.
        user: Who the documents belong to.
        character: The character who knows them; None for all of the user's.
        chat: The chat they belong to; None for all.

    Example:
        from langchain_romaine import RomaineVectorStore
        from romaine import RoleplayMemory

        with RoleplayMemory("documents.db") as memory:
            store = RomaineVectorStore(memory, user="ana")
            store.add_texts(["The silver key is under the third step."], [{"page": 3}])
            store.similarity_search("Where is the key?", k=1, filter={"page": {"$gte": 2}})

    Raises:
        romaine.errors.OptionError: If there is no user or a value is not allowed.
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
    ) -> None:
        self.memory = check_memory(memory)
        self.scope = whole_scope(scope, user=user, character=character, chat=chat)

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings | None = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        memory: RoleplayMemory | None = None,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        **kwargs: Any,
    ) -> RomaineVectorStore:
        """Makes a store and adds texts to it.

        Args:
            texts: The texts.
            embedding: None, or the `RomaineEmbeddings` whose model is that of the memory.
            metadatas: Of each text.
            ids: Of each text.
            memory: As for the class; it cannot be left out.
            scope: As for the class; so are `user`, `character` and `chat`.
            user: As there.
            character: As there.
            chat: As there.
            **kwargs: Nothing; LangChain's interface has it.

        Raises:
            romaine.errors.OptionError: If `memory` is missing, or `embedding` is of another model.
        """
        check_keywords(cls, kwargs)
        store = cls(check_memory(memory), scope=scope, user=user, character=character, chat=chat)
        own = store.memory.embedder
        if embedding is not None and not (
            isinstance(embedding, RomaineEmbeddings) and embedding.embedder.fingerprint == own.fingerprint
        ):
            raise OptionError(
                f"embedding={embedding!r} is not that of the memory, which embeds by itself with {own!r};"
                " leave it out, or open the memory with RoleplayMemory(path, embedder=embedding.embedder)"
            )
        store.add_texts(texts, metadatas, ids=ids)
        return store

    # --- writing -------------------------------------------------------------------------------------------

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Adds texts, all of them or none; one with an id that is there replaces what is there.

        Args:
            texts: The texts.
            metadatas: Of each text, what JSON can hold.
            ids: Of each text; None for a new one.
            **kwargs: Nothing; LangChain's interface has it.

        Returns:
            The id of each.

        Raises:
            romaine.errors.OptionError: If there are more or fewer metadata or ids than texts.
            romaine.errors.StorageError: If it cannot be written; nothing is, then.
        """
        check_keywords(self.add_texts, kwargs)
        given = list(texts)
        for name, values in (("metadatas", metadatas), ("ids", ids)):
            if values is not None and len(values) != len(given):
                raise OptionError(
                    f"{len(given)} texts and {len(values)} {name}: give one for each text, or None"
                )
        kept = [id_ or str(uuid4()) for id_ in ids or [None] * len(given)]
        notes = {
            id_: to_note(Document(page_content=text, metadata=metadata), id_, self.scope)
            for id_, text, metadata in zip(kept, given, metadatas or [{}] * len(given), strict=True)
        }
        self.memory.add_notes(notes.values(), keep_twins=True)
        return kept

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Deletes documents for good, from the file and its log as well. Ids that are not there are ignored.

        Raises:
            romaine.errors.OptionError: If `ids` is None: all of them are never deleted by leaving that out.
        """
        check_keywords(self.delete, kwargs)
        if ids is None:
            raise OptionError("ids=None is not allowed: name the documents to delete")
        erase_notes(self.memory, self.scope, [SOURCE + id_ for id_ in ids])
        return True

    # --- reading -------------------------------------------------------------------------------------------

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Returns documents in the order of their ids; those that are not there are left out."""
        found = stored_notes(self.memory, self.scope, [SOURCE + id_ for id_ in ids])
        return [to_document(found[SOURCE + id_]) for id_ in ids if SOURCE + id_ in found]

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """Finds documents.

        Args:
            query: What to look for.
            k: How many at most.
            **kwargs: `filter`, which documents may be found: a function of a Document, or a mapping of
                metadata with the operators $eq, $ne, $gt, $gte, $lt, $lte, $in and $nin.

        Returns:
            The best first.

        Raises:
            romaine.errors.OptionError: If an option is unknown or its value is not allowed.
        """
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """`similarity_search` with the confidence of each, 0 to 1; higher is better."""
        return self._found(query, k, **kwargs)

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, **kwargs: Any
    ) -> list[Document]:
        """As `similarity_search`, by a vector of all components of the memory's model, and by meaning alone.

        Raises:
            romaine.errors.VectorError: If the vector is that of a smaller `dim` or of another model.
        """
        return [document for document, _ in self._found("", k, vector=embedding, **kwargs)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        """Finds documents that fit and differ from each other.

        Args:
            query: What to look for.
            k: How many at most.
            fetch_k: How many to choose from.
            lambda_mult: 0 for the most different, 1 for the best.
            **kwargs: As `similarity_search`.
        """
        found = self.similarity_search(query, fetch_k, **kwargs)
        embedder = self.memory.embedder
        vectors = np.asarray(embedder.embed_documents([document.page_content for document in found]))
        (wanted,) = np.asarray(embedder.embed_queries([query]))
        chosen = maximal_marginal_relevance(wanted, list(vectors), lambda_mult=lambda_mult, k=k)
        return [found[index] for index in chosen]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda confidence: confidence

    def _found(
        self, query: str, k: int, *, vector: list[float] | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        check_keywords(_search, kwargs, _REMEDIES)
        accepted: Filter | None = kwargs.get("filter")
        check_filter(accepted)

        def wanted(note: Memory) -> bool:
            if not accepted or not is_document(note):
                return is_document(note)
            return (
                matches(note.metadata, accepted)
                if isinstance(accepted, Mapping)
                else accepted(to_document(note))
            )

        found = find_notes(self.memory, self.scope, query, k=k, wanted=wanted, vector=vector)
        return [(to_document(note), confidence) for note, confidence in found]
