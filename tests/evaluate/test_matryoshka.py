from __future__ import annotations

import json

import pytest

from romaine import Embedder
from romaine.errors import DimensionError, OptionError
from romaine.evaluate.matryoshka import Figures, across_dims, report_of


def test_measures_at_every_dimension_of_the_model() -> None:
    asked: list[int] = []

    def measure(embedder: Embedder) -> Figures:
        asked.append(embedder.dim)
        return Figures(metrics={"components": float(embedder.embed_query("a key").shape[0])}, latency_ms=1.5)

    embedder = Embedder()
    found = across_dims(embedder, measure, benchmark="length")
    assert tuple(asked) == embedder.dims
    assert [row.dim for row in found.rows] == [row.figures.metrics["components"] for row in found.rows]
    assert [row.bytes_per_vector for row in found.rows] == [4 * dim for dim in embedder.dims]
    assert (found.model, found.metric) == ("little-gem", "components")
    rows = json.loads(json.dumps(found.to_json()))["rows"]
    assert rows[0] == {"dim": 32, "bytes": 128, "components": 32.0, "latency_ms": 1.5}


def test_dimensions_are_sorted_and_measured_once() -> None:
    found = across_dims(
        Embedder(), lambda embedder: Figures(metrics={"x": 1.0}), benchmark="b", dims=[64, 32, 64]
    )
    assert [row.dim for row in found.rows] == [32, 64]


def test_impossible_dimensions_are_refused() -> None:
    for dims, error in (([], OptionError), ([33], DimensionError), ([0], OptionError)):
        with pytest.raises(error):
            across_dims(Embedder(), lambda _: Figures(metrics={"x": 1.0}), benchmark="b", dims=dims)
    with pytest.raises(OptionError, match="nothing was measured"):
        report_of({}, model="m", benchmark="b")
