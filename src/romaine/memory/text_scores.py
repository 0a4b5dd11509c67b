"""How well texts answer a query, by what ranks a memory: meaning and words, without a file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.memory.candidates import Entries
from romaine.memory.language import DEFAULT, Analyzer
from romaine.memory.query import build_query
from romaine.memory.ranking import DEFAULT_RANKER, Ranker, Signals
from romaine.memory.scope_index import ScopeIndex
from romaine.memory.terms import term_ids


def score_texts(
    query: str,
    texts: Sequence[str],
    *,
    query_vector: FloatArray,
    vectors: FloatArray,
    ranker: Ranker = DEFAULT_RANKER,
    analyzer: Analyzer = DEFAULT,
) -> NDArray[np.float64]:
    """Scores texts as a recall scores the memories of a scope that holds nothing else.

    Args:
        query: What is looked for.
        texts: `n` texts, unrelated to each other.
        query_vector: The query's embedding, unit or zero, float32 (full_dim,).
        vectors: The texts' embeddings, unit or zero, float32 (n, full_dim).
        ranker: What scores.
        analyzer: What finds words.

    Returns:
        float64 (n,); higher is better. A score says how a text compares with the others, and
        changes with them.
    """
    count, full_dim = vectors.shape
    if not count:
        return np.zeros(0)
    index = ScopeIndex(full_dim=full_dim, dim=full_dim, attributes_dtype=np.dtype([]))
    index.add(
        Entries(
            ids=np.arange(count, dtype=np.int64),
            vectors=vectors,
            context_vectors=vectors,
            terms=[term_ids(text, analyzer) for text in texts],
            previous=np.full(count, -1, dtype=np.int64),
            attributes=np.empty(count, dtype=np.dtype([])),
        )
    )
    asked = build_query(query, lambda _: query_vector[None], analyzer)
    candidates = index.search(asked, k=count)
    no, level = np.zeros(count, dtype=np.bool_), np.ones(count, dtype=np.float32)
    signals = Signals(speaker_named=no, importance=level, recency=level - level, pinned=no, cold=no)
    return ranker.rank(asked, candidates, signals).scores
