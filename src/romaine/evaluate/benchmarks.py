"""The benchmarks that can be repeated at every dimension of a model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from romaine.choice import Choice
from romaine.errors import OptionError
from romaine.evaluate.matryoshka import Figures, MatryoshkaReport, wanted_dims
from romaine.evaluate.memory import Mode, evaluate_memory
from romaine.evaluate.retrieval import retrieval_across_dims
from romaine.evaluate.speed_worker import median_ms
from romaine.evaluate.sts import ScoredPairs, evaluate_sts, read_scored_pairs

if TYPE_CHECKING:
    from romaine.embedder import Embedder

_TIMED_PAIRS = 50


class Benchmark(Choice):
    """What can be measured."""

    STS = "sts"
    """Spearman of cosines and people's scores."""
    MEMORY = "memory"
    """Recall of the turns that answer a question."""
    RETRIEVAL = "retrieval"
    """nDCG@10 and others on a BEIR folder."""


def benchmark_across_dims(
    benchmark: str | Benchmark,
    paths: Sequence[str | os.PathLike[str]],
    *,
    embedder: Embedder | None = None,
    dims: Sequence[int] | None = None,
    mode: str | Mode = Mode.DENSE,
    split: str | None = None,
) -> MatryoshkaReport:
    """Measures a benchmark at several dimensions.

    Args:
        benchmark: Which.
        paths: What it takes: one CSV file for sts, LoCoMo files for memory, one BEIR folder for retrieval.
        embedder: The model; None for the bundled one.
        dims: At which dimensions; None for all the model was trained for.
        mode: For memory, how turns are ranked.
        split: For retrieval, which judgements.

    Raises:
        OptionError: If there are more or fewer paths than the benchmark takes, or `dims` is empty.
        DimensionError: If the model cannot give one of `dims`.
        InputFileError: If a file cannot be used.
        FormatError: If a LoCoMo file cannot be read.
        MissingExtraError: If retrieval is measured without ir-measures.
    """
    from romaine.embedder import Embedder

    chosen = Benchmark.parse(benchmark)
    embedder = embedder or Embedder()
    if chosen is Benchmark.MEMORY:
        return _memory_across_dims(paths, embedder, dims, mode)
    if len(paths) != 1:
        raise OptionError(f"{chosen.value} takes one path, got {len(paths)}; measure them one at a time")
    if chosen is Benchmark.STS:
        return _sts_across_dims(read_scored_pairs(paths[0]), embedder, dims)
    return retrieval_across_dims(paths[0], embedder=embedder, dims=dims, split=split)


def _memory_across_dims(
    files: Sequence[str | os.PathLike[str]], embedder: Embedder, dims: Sequence[int] | None, mode: str | Mode
) -> MatryoshkaReport:
    """Recall of a memory; the latency is the mean of a question.

    "dense" compares vectors of `dim` components; "hybrid" only finds candidates with them, ranks by full
    vectors and words, and so hardly depends on `dim`.
    """
    chosen = Mode.parse(mode)

    def measure(dim: int) -> Figures:
        found = evaluate_memory(files, embedder=embedder, dim=dim, mode=chosen)
        recall = {f"recall@{k}": value for k, value in found.recall.items()}
        headline = {"recall@5": recall.pop("recall@5")}
        return Figures(
            dim=dim,
            metrics=headline | recall | {"MRR@10": found.mrr_at_10},
            latency_ms=1000 / found.queries_per_second,
        )

    return MatryoshkaReport(
        model=embedder.card.id,
        benchmark=f"memory, {chosen.value}",
        rows=tuple(measure(dim) for dim in wanted_dims(embedder, dims)),
    )


def _sts_across_dims(pairs: ScoredPairs, embedder: Embedder, dims: Sequence[int] | None) -> MatryoshkaReport:
    """Spearman, each text embedded once; the latency is that of a pair, median."""
    wanted = wanted_dims(embedder, dims)
    found = evaluate_sts(pairs, embedder=embedder, dims=wanted)
    rows = tuple(
        Figures(
            dim=dim,
            metrics={"Spearman": found.spearman[dim]},
            latency_ms=_pair_ms(pairs, embedder.with_dim(dim)),
        )
        for dim in wanted
    )
    return MatryoshkaReport(model=found.model, benchmark=f"similarity, {found.pairs:,} pairs", rows=rows)


def _pair_ms(pairs: ScoredPairs, embedder: Embedder) -> float:
    timed = list(zip(pairs.left[:_TIMED_PAIRS], pairs.right[:_TIMED_PAIRS], strict=True))
    return median_ms(timed, lambda pair: float(np.dot(*embedder.embed_queries(pair))))
