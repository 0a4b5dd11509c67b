"""What goes into the index of a scope, and what a search of it gives: columns of one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.memory.terms import TermIds

LEXICAL_POOL = 300
"""Rows that come into question for the words they share with the query."""

WINDOW = (1.0, 2 / 3, 1 / 3)
"""How much the words of the turns 1, 2 and 3 before or after count for a turn."""

_PRIOR_ROWS, _PRIOR_SPREAD = 8, 0.1  # keeps the spread of a handful of rows from being nothing


@dataclass(frozen=True, kw_only=True)
class Entries:
    """Memories as columns of `n` rows, in the order they were stored.

    Attributes:
        ids: The store's number of each, unique, int64 (n,).
        vectors: Embeddings, unit or zero, float32 (n, full_dim).
        context_vectors: Embeddings of the previous turn and this one, float32 (n, full_dim); the plain
            embedding where there is no previous turn.
        terms: `term_ids` of each memory's document text.
        previous: Id of the turn before in the same chat, -1 where there is none, int64 (n,). No turn is the
            previous one of two.
        attributes: What masks are made of: a structured array (n,) of any dtype, kept aligned with the rows.
    """

    ids: NDArray[np.int64]
    vectors: FloatArray
    context_vectors: FloatArray
    terms: Sequence[TermIds]
    previous: NDArray[np.int64]
    attributes: NDArray[Any]

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, mask: NDArray[np.bool_]) -> Entries:
        """Those where `mask` (n,) is True."""
        return Entries(
            ids=self.ids[mask],
            vectors=self.vectors[mask],
            context_vectors=self.context_vectors[mask],
            terms=[terms for terms, keep in zip(self.terms, mask.tolist(), strict=True) if keep],
            previous=self.previous[mask],
            attributes=self.attributes[mask],
        )


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How the cosines of one query spread over a scope."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class WordFigures:
    """What BM25 takes from all rows there are.

    Attributes:
        documents: How many there are.
        tokens: How many terms they have together.
        frequencies: How many of them hold each word of a query, int64 (words,).
    """

    documents: int
    tokens: int
    frequencies: NDArray[np.int64]

    @property
    def idf(self) -> NDArray[np.float64]:
        """What each word weighs, as in Lucene, never negative, (words,)."""
        rare: NDArray[np.float64] = np.log1p(
            (self.documents - self.frequencies + 0.5) / (self.frequencies + 0.5)
        )
        return rare

    @property
    def mean_length(self) -> float:
        """Terms of a row."""
        return self.tokens / max(self.documents, 1) or 1.0


@dataclass(frozen=True, eq=False)
class Whole:
    """What a search takes from all rows of a scope of which an index holds only some.

    Attributes:
        may_be_found: Which of those rows are candidates, bool (rows,); others are there to stand beside them.
        words: For the words of the query.
        dense_spread: As in `Candidates`.
        context_spread: As in `Candidates`.
    """

    may_be_found: NDArray[np.bool_]
    words: WordFigures
    dense_spread: Spread
    context_spread: Spread


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """What may be recalled, `c` rows in order of their ids, with what speaks for each.

    Attributes:
        rows: Row in the index, intp (c,).
        ids: The store's number, int64 (c,).
        dense: Cosine of query and memory, float32 (c,).
        context: Cosine of query and the memory with its previous turn, float32 (c,).
        lexical: BM25 in nats, float32 (c,).
        window: BM25 of the three turns before and after, weighted by `WINDOW`, float32 (c,).
        asks: Whether the turn asks something, bool (c,).
        answers: Whether the turn before asks something, bool (c,).
        dense_spread: Of `dense` over all visible rows.
        context_spread: Of `context` over all visible rows.
        best_possible: Sum of the idf of the query's terms: the scale of `lexical`.
        known_share: Share of that which belongs to terms the scope knows, 0 to 1.
        unknown_name: Whether the query holds a name that occurs nowhere in the scope.
        lengths: How many terms each has, int32 (c,); None if nobody counted.
        searched: How many memories they are the best of; None for themselves alone.
    """

    rows: NDArray[np.intp]
    ids: NDArray[np.int64]
    dense: FloatArray
    context: FloatArray
    lexical: FloatArray
    window: FloatArray
    asks: NDArray[np.bool_]
    answers: NDArray[np.bool_]
    dense_spread: Spread
    context_spread: Spread
    best_possible: float
    known_share: float
    unknown_name: bool
    lengths: NDArray[np.int32] | None = None
    searched: int | None = None

    def __len__(self) -> int:
        return len(self.rows)


def spread_of(cosines: FloatArray) -> Spread:
    """How cosines (n,) spread; that of a handful is not nothing."""
    count = len(cosines)
    if not count:
        return Spread(mean=0.0, deviation=_PRIOR_SPREAD)
    away = cosines.astype(np.float64)
    mean = float(away.sum()) / count
    away -= mean
    away *= away
    variance = (float(away.sum()) + _PRIOR_ROWS * _PRIOR_SPREAD**2) / (count + _PRIOR_ROWS)
    return Spread(mean=mean, deviation=variance**0.5)
