"""What a model is good for, measured on the probes of one language."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from romaine.arrays import FloatArray, slice_dim, top_k
from romaine.evaluate.probes import Probes
from romaine.evaluate.sts import spearman
from romaine.memory.terms import document_text

if TYPE_CHECKING:
    from romaine.embedder import Embedder

_NEAREST = 5


class Quality:
    """Measures a model at each of its dims, once and only when asked.

    Args:
        embedder: The model; its `dim` is the full one.
        probes: What it is measured on.
    """

    def __init__(self, embedder: Embedder, probes: Probes) -> None:
        self._embedder, self._probes = embedder, probes

    @cached_property
    def _chat_vectors(self) -> tuple[FloatArray, FloatArray]:
        """Probe turns, as a memory embeds them, and questions, float32 (n, full_dim)."""
        turns = [document_text(turn.text, turn.speaker) for turn in self._probes.turns]
        questions = [question.text for question in self._probes.questions]
        return self._embedder.embed_documents(turns), self._embedder.embed_queries(questions)

    @cached_property
    def similarity(self) -> Mapping[int, float]:
        """Spearman of cosine and grade over the probe pairs, by dim; NaN where all cosines are equal."""
        pairs = self._probes.scored_pairs
        left, right = self._embedder.embed_queries(pairs.left), self._embedder.embed_queries(pairs.right)
        return {
            dim: spearman(np.einsum("ij,ij->i", slice_dim(left, dim), slice_dim(right, dim)), pairs.scores)
            for dim in self._embedder.dims
        }

    @cached_property
    def memory(self) -> Mapping[int, float]:
        """Recall@5 of the turns that answer the probe questions among the turns of all chats, by dim."""
        return {dim: self._recall(dim, anywhere=True) for dim in self._embedder.dims}

    @cached_property
    def memory_in_chat(self) -> Mapping[int, float]:
        """The same among the turns of the chat that the question is about."""
        return {dim: self._recall(dim, anywhere=False) for dim in self._embedder.dims}

    def _recall(self, dim: int, *, anywhere: bool) -> float:
        """Mean share of the evidence among the nearest turns, of all chats or of the question's own."""
        turns, questions = (slice_dim(vectors, dim) for vectors in self._chat_vectors)
        ids = np.array([turn.source_id for turn in self._probes.turns])
        asked = iter(questions)
        shares: list[float] = []
        end = 0
        for chat in self._probes.chats:
            begin, end = end, end + len(chat.turns)
            searched = slice(None) if anywhere else slice(begin, end)
            for question in chat.questions:
                nearest = top_k(turns[searched] @ next(asked), _NEAREST)
                found = {*ids[searched][nearest].tolist()}
                shares.append(sum(id_ in found for id_ in question.evidence) / len(question.evidence))
        return float(np.mean(shares))
