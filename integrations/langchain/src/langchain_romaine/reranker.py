"""`RomaineReranker`: what ranks romaine's memory, over the documents that any retriever found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field

from langchain_romaine.checks import check_keywords
from langchain_romaine.embeddings import RomaineEmbeddings
from romaine.memory import DocumentRanker, Passage


class RomaineReranker(BaseDocumentCompressor):
    """Puts documents in the order in which a memory would recall them: by meaning, words, speaker and time.

    Needs no LLM and no cross-encoder; what takes time is embedding the documents. Their texts, ids and
    metadata stay as they are; copies have the score besides. A score compares the documents of one call.

    Attributes:
        embeddings: What embeds query and documents.
        top_n: How many documents are left at most; None for all of them.
        speaker_key: Where metadata tell who said it; None for nowhere.
        time_key: Where they tell when, as a datetime or ISO 8601; None for nowhere.
        previous_key: Where they tell what was said right before; None for nowhere.
        score_key: Where the copies' metadata tell the score; None for nowhere.

    Example:
        from langchain_classic.retrievers import ContextualCompressionRetriever
        from langchain_romaine import RomaineReranker

        retriever = ContextualCompressionRetriever(
            base_compressor=RomaineReranker(top_n=5),
            base_retriever=store.as_retriever(search_kwargs={"k": 50}),
        )

    Raises:
        romaine.errors.OptionError: If a setting is unknown; the message says which is meant.
        pydantic.ValidationError: If a value is not allowed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    embeddings: RomaineEmbeddings = Field(default_factory=RomaineEmbeddings)
    top_n: int | None = Field(default=None, ge=0)
    speaker_key: str | None = "speaker"
    time_key: str | None = "created_at"
    previous_key: str | None = "previous"
    score_key: str | None = "relevance_score"

    def __init__(self, **settings: Any) -> None:
        check_keywords(type(self), settings, {"top_k": "write top_n=...", "k": "write top_n=..."})
        super().__init__(**settings)

    @cached_property
    def _ranker(self) -> DocumentRanker:
        return DocumentRanker(self.embeddings.embedder)

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002 - nothing is run that could call them
    ) -> list[Document]:
        """Ranks documents.

        Args:
            documents: What a retriever found; they stay as they are.
            query: What is looked for.
            callbacks: Not called.

        Returns:
            Copies, the best first, equal ones in their order.
        """
        passages = [
            Passage.from_metadata(
                document.page_content,
                document.metadata,
                speaker=self.speaker_key,
                at=self.time_key,
                previous=self.previous_key,
            )
            for document in documents
        ]
        return [
            self._scored(documents[ranked.index], ranked.score)
            for ranked in self._ranker.rank(query, passages, k=self.top_n)
        ]

    def _scored(self, document: Document, score: float) -> Document:
        told = {} if self.score_key is None else {self.score_key: score}
        return document.model_copy(update={"metadata": {**document.metadata, **told}})
