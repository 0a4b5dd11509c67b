"""A report with everything a report can have, of made-up figures, with names that try to break the page."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from romaine.evaluate.matryoshka import Figures, MatryoshkaReport
from romaine.evaluate.parity import Agreement, ParityReport, ParityRow
from romaine.evaluate.report import Report, Table, WrittenReport, write_report
from romaine.evaluate.runs import Run
from romaine.evaluate.separation import Separation
from romaine.evaluate.speed import SpeedReport
from romaine.evaluate.verify import Finding
from romaine.precision import Precision

HOSTILE = "<script>alert(1)</script>\"'&$x^2$ \udcff 模型"


def row(run: Run, precision: Precision, recall: float) -> ParityRow:
    agreement = Agreement(mean=0.99, worst=0.98, recall=recall, k=10, texts=50)
    return ParityRow(run=run, precision=precision, agreement=agreement)


def speed(run: str, rate: float) -> SpeedReport:
    return SpeedReport(
        model="model",
        backend=run,
        variant=None,
        dim=64,
        threads=1,
        load_seconds=0.5,
        texts_per_second=rate,
        query_ms=0.2,
        query_ms_p95=0.4,
        peak_bytes=120_000_000,
        texts=64,
        characters=140,
        rounds=3,
    )


@pytest.fixture(scope="session")
def full_report() -> Report:
    """Two of each chart but speed's, which compares two ways to run a model."""
    reference, other = Run(backend="torch"), Run(backend="onnx", variant="int8")
    dims = tuple(
        Figures(dim=dim, metrics={"recall@5": 0.2 + dim / 1000, "MRR@10": 0.1 + dim / 1000}, latency_ms=0.1)
        for dim in (64, 128, 256)
    )
    separation = Separation(
        title="Questions put to a chat",
        score="confidence",
        matching=np.linspace(0.3, 1, 40),
        other=np.linspace(0, 0.5, 60),
        threshold=0.35,
        threshold_name="says nothing below",
    )
    parity = ParityReport(
        model="model",
        dim=64,
        reference=reference,
        rows=(
            row(other, Precision.FLOAT32, 0.97),
            row(reference, Precision.INT8, 0.99),
            row(reference, Precision.BINARY, 0.6),
        ),
        refused={"static": "it is no static table"},
    )
    return Report(
        title="Verification",
        model="model",
        facts={"Backend": "torch", "Licence": "Apache-2.0"},
        passed=False,
        reasons=("recall@5 is 0.10, the floor is 0.33",),
        checks=(
            Finding(check="norms", subject="all", passed=True, found="1e-7", wanted="at most 1e-5"),
            Finding(check="memory", subject="all", passed=False, found="0.10", wanted="at least 0.33"),
            Finding(check="parity", subject="all", passed=None, found="not installed"),
        ),
        tables=(Table(title="Retrieval", columns=("", "value"), rows=(("nDCG@10", 0.5), ("missing", None))),),
        matryoshka=(
            MatryoshkaReport(model="model", benchmark="memory, dense", rows=dims),
            MatryoshkaReport(model="model", benchmark="retrieval, small", rows=dims),
        ),
        separations=(separation, replace(separation, title="Pairs of sentences", threshold=None)),
        parity=(parity, replace(parity, dim=32)),
        speed=(speed("torch", 90), speed("static", 90_000)),
        command="romaine verify model --out report",
        created=datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc),
    )


@pytest.fixture(scope="session")
def written(full_report: Report, tmp_path_factory: pytest.TempPathFactory) -> WrittenReport:
    """The full report on disk, with data. Read only."""
    folder: Path = tmp_path_factory.mktemp("report") / "new" / "folder"
    return write_report(full_report, folder, data={"figure": 1})
