from __future__ import annotations

from pathlib import Path

import pytest

from romaine import Embedder
from romaine.errors import OptionError, UnknownNameError
from romaine.evaluate.benchmarks import benchmark_across_dims
from romaine.evaluate.memory import evaluate_memory
from romaine.evaluate.sts import evaluate_sts
from tests.evaluate.retrieval.conftest import write_beir


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.csv"
    path.write_text("A boat.,The boat.,5\nA dog runs.,Two dogs run.,3\nHe reads.,Prices fell.,0\n")
    return path


def test_memory_at_every_dimension(files: list[Path]) -> None:
    found = benchmark_across_dims("memory", files, dims=[32, 384])
    alone = evaluate_memory(files, mode="dense", dim=32)
    assert found.metrics == ("recall@5", "recall@1", "recall@10", "MRR@10")
    shortest = found.rows[0]
    assert shortest.dim == 32
    assert shortest.metrics["recall@5"] == alone.recall[5]
    assert shortest.metrics["MRR@10"] == alone.mrr_at_10
    assert found.benchmark == "memory, dense"


def test_similarity_at_every_dimension(pairs: Path) -> None:
    embedder = Embedder()
    found = benchmark_across_dims("sts", [pairs], embedder=embedder)
    alone = evaluate_sts(pairs, embedder=embedder)
    assert {row.dim: row.metrics["Spearman"] for row in found.rows} == alone.spearman
    assert all(row.latency_ms > 0 for row in found.rows)


def test_retrieval_at_every_dimension(tmp_path: Path) -> None:
    found = benchmark_across_dims("retrieval", [write_beir(tmp_path / "b")], dims=[64])
    assert found.metric == "nDCG@10"


def test_paths_must_be_as_many_as_the_benchmark_takes(pairs: Path) -> None:
    for benchmark in ("sts", "retrieval"):
        with pytest.raises(OptionError, match="takes one path, got 2"):
            benchmark_across_dims(benchmark, [pairs, pairs])
    with pytest.raises(UnknownNameError, match="'memory'"):
        benchmark_across_dims("memmory", [pairs])
