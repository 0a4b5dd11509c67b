from __future__ import annotations

import json
from pathlib import Path

import pytest

from romaine import Embedder
from romaine.errors import DimensionError, InputFileError, OptionError, UnknownNameError
from romaine.evaluate.retrieval import evaluate_retrieval, retrieval_across_dims
from tests.evaluate.retrieval.conftest import write_beir


def test_measures_a_collection(beir: Path) -> None:
    report = evaluate_retrieval(beir)
    assert list(report.metrics)[:3] == ["nDCG@10", "MRR@10", "MAP@100"]
    assert report.metrics["MRR@10"] == 1
    assert report.metrics["recall@100"] == 1
    assert (report.documents, report.queries) == (5, 3)  # q4 has no relevant document
    assert (report.unknown_queries, report.missing_documents) == (0, 0)
    assert (report.model, report.dim, report.dataset, report.split) == (
        "little-gem",
        Embedder().full_dim,
        "small",
        "test",
    )
    assert json.loads(json.dumps(report.to_json()))["metrics"]["MRR@10"] == 1


def test_what_is_not_there_is_counted(tmp_path: Path) -> None:
    rows = [("q1", "d1", 1), ("q1", "gone", 1), ("nobody", "d1", 1)]
    report = evaluate_retrieval(write_beir(tmp_path / "b", qrels={"test": rows}))
    assert (report.queries, report.unknown_queries, report.missing_documents) == (1, 1, 1)
    assert report.metrics["recall@100"] == 0.5


def test_every_dimension_is_what_it_is_alone(beir: Path) -> None:
    embedder = Embedder()
    across = retrieval_across_dims(beir, embedder=embedder)
    assert tuple(row.dim for row in across.rows) == embedder.dims
    assert across.metric == "nDCG@10"
    assert across.benchmark == "retrieval, small"
    alone = evaluate_retrieval(beir, embedder=embedder.with_dim(64))
    values = {row.dim: row.metrics["nDCG@10"] for row in across.rows}
    assert values[64] == pytest.approx(alone.metrics["nDCG@10"])


def test_nothing_to_ask_or_to_search_is_an_error(tmp_path: Path) -> None:
    silent = write_beir(tmp_path / "a", qrels={"test": [("q1", "d1", 0)]})
    empty = write_beir(tmp_path / "b", documents={})
    unknown = write_beir(tmp_path / "c", qrels={"test": [("nobody", "d1", 1)]})
    reasons = {silent: "no query", empty: "no documents", unknown: "1 that have one are not in queries"}
    for folder, reason in reasons.items():
        with pytest.raises(InputFileError, match=reason):
            evaluate_retrieval(folder)


def test_wrong_options_are_refused(beir: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="int8"):
        evaluate_retrieval(beir, embedder=Embedder(precision="int8"))
    with pytest.raises(DimensionError):
        retrieval_across_dims(beir, dims=[33])
    with pytest.raises(UnknownNameError):
        evaluate_retrieval(beir, split="dev")
    with pytest.raises(InputFileError, match="no BEIR folder"):
        evaluate_retrieval(tmp_path / "missing")
