"""What a report shows of each measurement: a table and, on the page, a chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from romaine.evaluate.matryoshka import MatryoshkaReport
from romaine.evaluate.parity import ParityReport
from romaine.evaluate.report.charts import Chart, parity_chart, quality_chart, separation_chart, speed_chart
from romaine.evaluate.report.content import Cell, Report, Table
from romaine.evaluate.separation import Separation
from romaine.evaluate.speed import SpeedReport

if TYPE_CHECKING:
    from romaine.evaluate.verify.checks import Finding

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Card:
    """One measurement.

    Attributes:
        section: Heading of the section it stands in.
        name: For files and anchors, e.g. "quality-2"; each card has its own.
        table: Its figures.
        chart: The same as a picture, or None.
        refused: Ways to run the model that are not in the table, and why.
    """

    section: str
    name: str
    table: Table
    chart: Chart | None
    refused: Mapping[str, str] = field(default_factory=dict)


def cards_of(report: Report) -> Iterator[Card]:
    """A card for everything there are figures for, in the order of the page."""
    section = "How small can a vector be?"
    for name, quality in _numbered("quality", report.matryoshka):
        yield Card(section=section, name=name, table=quality_table(quality), chart=quality_chart(quality))
    section = "Does it know when nothing fits?"
    for name, scores in _numbered("scores", report.separations):
        yield Card(section=section, name=name, table=separation_table(scores), chart=separation_chart(scores))
    section = "Do backends and precisions agree?"
    for name, parity in _numbered("parity", report.parity):
        chart = parity_chart(parity) if parity.rows else None
        yield Card(
            section=section, name=name, table=parity_table(parity), chart=chart, refused=parity.refused
        )
    if report.speed:
        yield Card(
            section="How fast is it?",
            name="speed",
            table=speed_table(report.speed),
            chart=speed_chart(report.speed),
        )


def tables_of(report: Report) -> Iterator[Table]:
    """Every table there are figures for, in the order of the page."""
    if report.checks:
        yield checks_table(report.checks)
    yield from report.tables
    yield from (card.table for card in cards_of(report))


def checks_table(checks: Sequence[Finding]) -> Table:
    """What was checked and how it ended."""
    words = {True: "passed", False: "failed", None: "not judged"}
    rows = tuple((check.name, words[check.passed], check.found, check.wanted) for check in checks)
    return Table(title="Checks", columns=("check", "outcome", "found", "demanded"), rows=rows)


def quality_table(report: MatryoshkaReport) -> Table:
    """One row for each dimension, as on the cards of Matryoshka models."""
    timed = any(row.latency_ms is not None for row in report.rows)
    columns = ("dim", "bytes", *report.metrics, "ms")
    rows = [
        (row.dim, row.bytes_per_vector, *map(row.metrics.get, report.metrics), row.latency_ms)
        for row in report.rows
    ]
    if not timed:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return Table(title=f"{report.model}: {report.benchmark}", columns=columns, rows=tuple(rows))


def separation_table(separation: Separation) -> Table:
    """How many pairs of each kind there are, where their scores lie, and how many the threshold cuts off."""
    columns: tuple[str, ...] = ("", "pairs", "median")
    rows: list[tuple[Cell, ...]] = [
        (name, len(values), float(np.median(values)))
        for name, values in (
            (separation.matching_name, separation.matching),
            (separation.other_name, separation.other),
        )
    ]
    note = ""
    if separation.below is not None:
        columns += ("below the threshold",)
        rows = [(*row, f"{share:.1%}") for row, share in zip(rows, separation.below, strict=True)]
        note = f"{separation.threshold_name} {separation.threshold:.3g} ({separation.score})."
    return Table(title=separation.title, columns=columns, rows=tuple(rows), note=note)


def parity_table(report: ParityReport) -> Table:
    """One row for each backend and precision."""
    columns = ("", "same nearest", "cosine, mean", "lowest")
    rows = tuple(
        (row.name, f"{each.recall:.1%}", f"{each.mean:.5f}", f"{each.worst:.5f}")
        for row, each in ((row, row.agreement) for row in report.rows)
    )
    note = (
        f"{report.model}, {report.dim} components; compared with the float32 vectors of {report.reference}."
    )
    return Table(title="Compared with full precision", columns=columns, rows=rows, note=note)


def speed_table(reports: Sequence[SpeedReport]) -> Table:
    """One row for each way to run a model; at least one."""
    columns = ("", "texts/s", "ms a query", "p95", "s to open", "MB at most")
    rows = tuple(
        (
            f"{report.model}, {report.run}",
            report.texts_per_second,
            f"{report.query_ms:.3g}",
            f"{report.query_ms_p95:.3g}",
            f"{report.load_seconds:.2f}",
            None if report.peak_bytes is None else round(report.peak_bytes / 1e6),
        )
        for report in reports
    )
    first = reports[0]
    note = f"Texts of {first.characters} characters; each way to run it in a process of its own."
    return Table(title="Speed and memory", columns=columns, rows=rows, note=note)


def _numbered(name: str, items: Sequence[T]) -> Iterator[tuple[str, T]]:
    return ((name if number == 1 else f"{name}-{number}", item) for number, item in enumerate(items, 1))
