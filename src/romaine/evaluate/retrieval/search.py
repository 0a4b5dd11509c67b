"""Exact search of a streamed corpus at several dimensions in one pass.

Documents are embedded once, at the longest dimension; shorter vectors are slices. Only the best documents of
each query are kept, so that memory does not grow with the corpus but for its ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray, slice_dim, top_k
from romaine.evaluate.retrieval.beir import Document
from romaine.evaluate.speed_worker import median_ms

if TYPE_CHECKING:
    from romaine.embedder import Embedder

_MOST_SCORES = 16_000_000  # float32 scores of one block, 64 MB
_BLOCK = 4096  # documents of a block, fewer where there are very many queries
_TIMED_DOCUMENTS = 20_000
_TIMED_QUERIES = 50


@dataclass(frozen=True, kw_only=True)
class Searched:
    """A search at several dimensions.

    Attributes:
        found: By dim, scores of the best documents by query id and document id.
        latency_ms: By dim, from a query's text to its best documents, median; None if there was no query.
        ids: Every document's id, in the order of the corpus.
        timed_documents: Among how many of them the latency was measured.
    """

    found: Mapping[int, Mapping[str, Mapping[str, float]]]
    latency_ms: Mapping[int, float | None]
    ids: Sequence[str]
    timed_documents: int


def search(
    queries: Mapping[str, str],
    documents: Iterable[Document],
    *,
    embedder: Embedder,
    dims: Sequence[int],
    k: int,
) -> Searched:
    """Finds the `k` best documents of each query by cosine.

    A document whose id is that of the query is left out, as BEIR does: it is the query itself.

    Args:
        queries: Texts by id.
        documents: The corpus.
        embedder: The model.
        dims: Dimensions, ascending, at least one.
        k: How many documents.
    """
    longest = embedder.with_dim(dims[-1])
    asked = longest.embed_queries(queries.values())
    best = {dim: _Best(slice_dim(asked, dim), k + 1) for dim in dims}  # one more: the query itself may be in
    ids: list[str] = []
    sample: list[FloatArray] = []
    for block in _blocks(documents, max(1, min(_BLOCK, _MOST_SCORES // max(len(queries), 1)))):
        vectors = longest.embed_documents([document.text for document in block])
        for dim in dims:
            best[dim].add(slice_dim(vectors, dim), first=len(ids))
        if len(ids) < _TIMED_DOCUMENTS:
            sample.append(vectors[: _TIMED_DOCUMENTS - len(ids)])
        ids += [document.id for document in block]
    timed = np.concatenate(sample) if sample else np.empty((0, dims[-1]), dtype=np.float32)
    texts = list(islice(queries.values(), _TIMED_QUERIES))
    return Searched(
        found={dim: best[dim].found(list(queries), ids, k) for dim in dims},
        latency_ms={dim: _latency(embedder.with_dim(dim), texts, slice_dim(timed, dim), k) for dim in dims},
        ids=ids,
        timed_documents=len(timed),
    )


class _Best:
    """The best documents so far of each query."""

    def __init__(self, queries: FloatArray, k: int) -> None:
        self._queries = queries
        self._scores = np.empty((len(queries), 0), dtype=np.float32)
        self._places = np.empty((len(queries), 0), dtype=np.int64)
        self._k = k

    def add(self, vectors: FloatArray, *, first: int) -> None:
        """Compares a block whose first document is number `first` of the corpus."""
        places = np.broadcast_to(np.arange(first, first + len(vectors)), (len(self._queries), len(vectors)))
        scores = np.concatenate([self._scores, self._queries @ vectors.T], axis=1)
        places = np.concatenate([self._places, places], axis=1)
        if scores.shape[1] > self._k:
            kept = np.argpartition(-scores, self._k - 1, axis=1)[:, : self._k]
            scores = np.take_along_axis(scores, kept, axis=1)
            places = np.take_along_axis(places, kept, axis=1)
        self._scores, self._places = scores, places

    def found(self, queries: Sequence[str], ids: Sequence[str], k: int) -> dict[str, dict[str, float]]:
        """The `k` best by ids, best first, without the query itself."""
        order = np.argsort(-self._scores, axis=1, kind="stable")
        found = {}
        for query, scores, places, row in zip(queries, self._scores, self._places, order, strict=True):
            ranked = ((ids[places[column]], float(scores[column])) for column in row)
            found[query] = dict(islice(((id_, score) for id_, score in ranked if id_ != query), k))
        return found


def _blocks(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    stream = iter(documents)
    while block := list(islice(stream, size)):
        yield block


def _latency(embedder: Embedder, texts: Sequence[str], vectors: NDArray[np.float32], k: int) -> float | None:
    if not texts:
        return None
    return median_ms(texts, lambda text: top_k(vectors @ embedder.embed_query(text), k))
