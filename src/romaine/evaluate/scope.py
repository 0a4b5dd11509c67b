"""A conversation as the index its questions are put to."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from romaine.formats.locomo import Conversation
from romaine.memory.query import Query, build_query, named_speakers
from romaine.memory.ranking import DEFAULT_WEIGHTS, Ranking, Signals, Weights, rank
from romaine.memory.scope_index import Candidates, Entries, ScopeIndex
from romaine.memory.terms import document_text, term_ids

if TYPE_CHECKING:
    from romaine.embedder import Embedder


class ConversationIndex:
    """The turns of one conversation, indexed and ranked as the memory does.

    Args:
        conversation: Its turns.
        embedder: Its `dim` is that of the funnel's first stage.
        weights: How much each part of a score counts.
    """

    def __init__(
        self, conversation: Conversation, embedder: Embedder, *, weights: Weights = DEFAULT_WEIGHTS
    ) -> None:
        self._full = embedder.with_dim(None)
        self._weights = weights
        turns = conversation.turns
        texts = [document_text(turn.text, turn.speaker) for turn in turns]
        in_context = [*texts[:1], *(f"{a}\n{b}" for a, b in pairwise(texts))]
        self._speakers = np.array([turn.speaker for turn in turns], dtype=object)
        self._index = ScopeIndex(
            full_dim=embedder.full_dim, dim=embedder.dim, attributes_dtype=np.dtype(np.int8)
        )
        self._index.add(
            Entries(
                ids=np.arange(len(turns)),
                vectors=self._full.embed_documents(texts),
                context_vectors=self._full.embed_documents(in_context),
                terms=[term_ids(text) for text in texts],
                previous=np.arange(len(turns)) - 1,
                attributes=np.zeros(len(turns), dtype=np.int8),
            )
        )
        self._index.warm_up()

    @property
    def nbytes(self) -> int:
        """Memory of the index."""
        return self._index.nbytes

    def rank(self, question: str, k: int) -> tuple[Candidates, Ranking]:
        """Returns what may answer a question and how well it fits, for the best `k` to be taken."""
        query = build_query(question, self._full.embed_queries)
        candidates = self._index.search(query, k=k)
        return candidates, rank(candidates, self._signals(query, candidates), self._weights)

    def find(self, question: str, k: int) -> list[int]:
        """Returns the numbers of the `k` turns that answer a question best, best first."""
        candidates, ranking = self.rank(question, k)
        return [int(row) for row in candidates.rows[ranking.best(k)]]

    def _signals(self, query: Query, candidates: Candidates) -> Signals:
        named = named_speakers(query.text, set(self._speakers.tolist()))
        count = len(candidates)
        return Signals(
            speaker_named=np.isin(self._speakers[candidates.rows], list(named)),
            importance=np.ones(count, dtype=np.float32),
            recency=(candidates.rows / max(len(self._speakers) - 1, 1)).astype(np.float32),
            pinned=np.zeros(count, dtype=np.bool_),
            cold=np.zeros(count, dtype=np.bool_),
        )
