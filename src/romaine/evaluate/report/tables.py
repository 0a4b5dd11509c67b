"""The tables of a report, for the page and the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from romaine.evaluate.matryoshka import MatryoshkaReport
from romaine.evaluate.parity import ParityReport
from romaine.evaluate.report.content import Cell, CheckRow, Report, Table
from romaine.evaluate.separation import Separation
from romaine.evaluate.speed import SpeedReport


def tables_of(report: Report) -> Iterator[Table]:
    """Every table there are figures for, in the order of the page."""
    if report.checks:
        yield checks_table(report.checks)
    yield from report.tables
    yield from map(matryoshka_table, report.matryoshka)
    yield from map(separation_table, report.separations)
    yield from map(parity_table, report.parity)
    if report.speed:
        yield speed_table(report.speed)


def show(value: Cell) -> str:
    """A value as it stands in a table: three decimals from -1 to 1, thousands apart, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return (
            f"{value:.3f}" if abs(value) <= 1 else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
        )
    return f"{value:,}" if isinstance(value, int) else value


def checks_table(checks: Sequence[CheckRow]) -> Table:
    """What was checked and how it ended."""
    words = {True: "passed", False: "failed", None: "not judged"}
    rows = tuple((check.name, words[check.passed], check.found, check.wanted) for check in checks)
    return Table(title="Checks", columns=("check", "outcome", "found", "demanded"), rows=rows)


def matryoshka_table(report: MatryoshkaReport) -> Table:
    """One row for each dimension, as on the cards of Matryoshka models."""
    timed = any(row.figures.latency_ms is not None for row in report.rows)
    columns = ("dim", "bytes", *report.metrics, *(("ms",) if timed else ()))
    rows = tuple(
        (
            row.dim,
            row.bytes_per_vector,
            *(row.figures.metrics.get(metric) for metric in report.metrics),
            *((row.figures.latency_ms,) if timed else ()),
        )
        for row in report.rows
    )
    return Table(title=f"{report.model}: {report.benchmark}", columns=columns, rows=rows)


def separation_table(separation: Separation) -> Table:
    """How many pairs of each kind there are, where their scores lie, and how many the threshold cuts off."""
    columns = ("", "pairs", "median", *(() if separation.below is None else ("below the threshold",)))
    kinds = ((separation.matching_name, separation.matching), (separation.other_name, separation.other))
    cut: list[tuple[Cell, ...]] = [(), ()]
    if separation.below is not None:
        cut = [(f"{share:.1%}",) for share in separation.below]
    rows = tuple(
        (name, len(values), float(np.median(values)), *below)
        for (name, values), below in zip(kinds, cut, strict=True)
    )
    note = (
        ""
        if separation.threshold is None
        else f"{separation.threshold_name} {separation.threshold:.3g} ({separation.score})."
    )
    return Table(title=separation.title, columns=columns, rows=rows, note=note)


def parity_table(report: ParityReport) -> Table:
    """One row for each backend and precision."""
    columns = ("", "same nearest", "cosine, mean", "lowest")
    rows = tuple(
        (
            row.name,
            f"{row.agreement.recall:.1%}",
            f"{row.agreement.mean:.5f}",
            f"{row.agreement.worst:.5f}",
        )
        for row in report.rows
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
