"""Measures a model on a BEIR folder, at one dimension or at all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from romaine.errors import InputFileError
from romaine.evaluate.matryoshka import Figures, MatryoshkaReport, check_float32, wanted_dims
from romaine.evaluate.retrieval.beir import open_beir
from romaine.evaluate.retrieval.metrics import DEPTH, metric_means, require_retrieval
from romaine.evaluate.retrieval.search import search

if TYPE_CHECKING:
    from romaine.embedder import Embedder

_CEILING = "recall@100"  # what a re-ranker could reach; not what is compared across dimensions


@dataclass(frozen=True, kw_only=True)
class RetrievalReport:
    """What was measured, means over the queries.

    Attributes:
        model: The model's id.
        backend: What ran it.
        dim: Components compared.
        dataset: The folder's name.
        split: Which judgements.
        documents: How many were searched.
        queries: How many were asked: those with a relevant document.
        metrics: By the names that model cards use, nDCG@10 first.
        latency_ms: From a query's text to its best documents, one at a time, median.
        latency_documents: Among how many documents, the first of the corpus.
        unknown_queries: Judged queries that are not in queries.jsonl; they are not asked.
        missing_documents: Relevant documents that are not in the corpus; they count as not found.
    """

    model: str
    backend: str
    dim: int
    dataset: str
    split: str
    documents: int
    queries: int
    metrics: Mapping[str, float]
    latency_ms: float | None
    latency_documents: int
    unknown_queries: int
    missing_documents: int

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON values."""
        return asdict(self)


def evaluate_retrieval(
    folder: str | os.PathLike[str], *, embedder: Embedder | None = None, split: str | None = None
) -> RetrievalReport:
    """Asks every judged query and counts how many of its documents are found, and how far up.

    Args:
        folder: A collection in BEIR's layout (see `romaine.evaluate.retrieval.beir`).
        embedder: The model, at the dimension to be measured; None for the bundled one.
        split: Which judgements; None for the only ones, or "test".

    Raises:
        MissingExtraError: If ir-measures is not installed.
        InputFileError: If the folder is laid out otherwise or a line is malformed.
        UnknownNameError: If there is no such split.
        OptionError: If the embedder packs its vectors.
    """
    from romaine.embedder import Embedder

    embedder = embedder or Embedder()
    return _evaluate(folder, embedder, [embedder.dim], split)[0]


def retrieval_across_dims(
    folder: str | os.PathLike[str],
    *,
    embedder: Embedder | None = None,
    dims: Sequence[int] | None = None,
    split: str | None = None,
) -> MatryoshkaReport:
    """The same at several dimensions, embedding every text once.

    Args:
        folder: As `evaluate_retrieval`.
        embedder: The model; None for the bundled one.
        dims: At which dimensions; None for all the model was trained for.
        split: As `evaluate_retrieval`.

    Raises:
        DimensionError: If the model cannot give one of `dims`.
        MissingExtraError, InputFileError, UnknownNameError, OptionError: As `evaluate_retrieval`.
    """
    from romaine.embedder import Embedder

    embedder = embedder or Embedder()
    reports = _evaluate(folder, embedder, wanted_dims(embedder, dims), split)
    rows = tuple(
        Figures(
            dim=report.dim,
            metrics={name: value for name, value in report.metrics.items() if name != _CEILING},
            latency_ms=report.latency_ms,
        )
        for report in reports
    )
    return MatryoshkaReport(model=reports[0].model, benchmark=f"retrieval, {reports[0].dataset}", rows=rows)


def _evaluate(
    folder: str | os.PathLike[str], embedder: Embedder, dims: Sequence[int], split: str | None
) -> list[RetrievalReport]:
    require_retrieval()
    check_float32(embedder, "retrieval")
    beir = open_beir(folder, split=split)
    texts = beir.queries()
    judged = {
        query: documents
        for query, documents in beir.judgements().items()
        if any(score > 0 for score in documents.values())
    }
    asked = {query: texts[query] for query in judged if query in texts}
    if not asked:
        unknown = f"; {len(judged):,} that have one are not in queries.jsonl" if judged else ""
        raise InputFileError(
            f"{beir.path}: no query of split {beir.split!r} has a relevant document{unknown}"
        )
    searched = search(asked, beir.documents(), embedder=embedder, dims=dims, k=DEPTH)
    if not searched.ids:
        raise InputFileError(f"{beir.path}: the corpus has no documents")
    known = {*searched.ids}
    relevant = [document for query in asked for document, score in judged[query].items() if score > 0]
    wanted = {query: judged[query] for query in asked}
    return [
        RetrievalReport(
            model=embedder.card.id,
            backend=embedder.backend,
            dim=dim,
            dataset=beir.name,
            split=beir.split,
            documents=len(searched.ids),
            queries=len(asked),
            metrics=metric_means(wanted, searched.found[dim]),
            latency_ms=searched.latency_ms[dim],
            latency_documents=searched.timed_documents,
            unknown_queries=len(judged) - len(asked),
            missing_documents=sum(document not in known for document in relevant),
        )
        for dim in dims
    ]
