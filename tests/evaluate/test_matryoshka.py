from __future__ import annotations

import json

import pytest

from romaine import Embedder
from romaine.errors import DimensionError, OptionError
from romaine.evaluate.matryoshka import Figures, MatryoshkaReport, check_float32, wanted_dims


def test_a_report_has_a_row_for_every_dimension() -> None:
    rows = tuple(
        Figures(dim=dim, metrics={"components": float(dim), "other": 1.0}, latency_ms=1.5) for dim in (32, 64)
    )
    found = MatryoshkaReport(model="little-gem", benchmark="length", rows=rows)
    assert (found.metric, found.metrics) == ("components", ("components", "other"))
    assert json.loads(json.dumps(found.to_json())) == {
        "model": "little-gem",
        "benchmark": "length",
        "metric": "components",
        "rows": [
            {"dim": 32, "bytes": 128, "components": 32.0, "other": 1.0, "latency_ms": 1.5},
            {"dim": 64, "bytes": 256, "components": 64.0, "other": 1.0, "latency_ms": 1.5},
        ],
    }
    with pytest.raises(OptionError, match="nothing was measured"):
        MatryoshkaReport(model="m", benchmark="b", rows=())


def test_dimensions_are_sorted_and_measured_once() -> None:
    embedder = Embedder()
    assert wanted_dims(embedder, [64, 32, 64]) == [32, 64]
    assert tuple(wanted_dims(embedder, None)) == embedder.dims


def test_impossible_dimensions_are_refused() -> None:
    for dims, error in (([], OptionError), ([33], DimensionError), ([0], OptionError)):
        with pytest.raises(error):
            wanted_dims(Embedder(), dims)


def test_packed_vectors_are_refused() -> None:
    check_float32(Embedder(), "STS")
    with pytest.raises(OptionError, match="precision='binary' packs vectors; STS is measured with precision"):
        check_float32(Embedder(precision="binary"), "STS")
