"""What a report tells, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING

from romaine.errors import OptionError
from romaine.evaluate.matryoshka import MatryoshkaReport
from romaine.evaluate.parity import ParityReport
from romaine.evaluate.separation import Separation
from romaine.evaluate.speed import SpeedReport

if TYPE_CHECKING:
    from romaine.evaluate.verify.checks import Finding

Cell = str | int | float | None
"""One value of a table; None is left empty."""


def printable(text: str) -> str:
    """A name with what cannot be drawn or stand in XML replaced: lone surrogates and control characters."""
    return "".join(
        sign if sign.isprintable() else " " if sign.isspace() else "\N{REPLACEMENT CHARACTER}"
        for sign in text
    )


def show(value: Cell) -> str:
    """A value as it stands in a table: three decimals from -1 to 1, thousands apart, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return (
            f"{value:.3f}" if abs(value) <= 1 else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
        )
    return f"{value:,}" if isinstance(value, int) else value


@dataclass(frozen=True, kw_only=True)
class Table:
    """Figures without a chart.

    Attributes:
        title: What they are.
        columns: Their names, the first that of the rows.
        rows: As many values each as there are columns.
        note: One sentence about how they were measured.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        odd = [len(row) for row in self.rows if len(row) != len(self.columns)]
        if odd:
            raise OptionError(
                f"table {self.title!r} has a row of {odd[0]} values for {len(self.columns)} columns"
            )


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that is told about one model. What was not measured is left out of the page.

    Attributes:
        title: What the report is, e.g. "Verification".
        model: The model's name.
        facts: What is known about the model and the measuring, by name, e.g. {"Backend": "onnx int8"}.
        passed: Whether the model may be used: PASS or REJECT; None if that was not judged.
        reasons: Why it is rejected, one sentence each.
        checks: What was checked.
        tables: Figures without a chart.
        matryoshka: Quality across dimensions.
        separations: Scores of what matches and what does not.
        parity: Backends and precisions beside full precision.
        speed: Speed and memory of each way to run it.
        command: What measures all this again.
        created: When it was measured.
    """

    title: str
    model: str
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    passed: bool | None = None
    reasons: tuple[str, ...] = ()
    checks: tuple[Finding, ...] = ()
    tables: tuple[Table, ...] = ()
    matryoshka: tuple[MatryoshkaReport, ...] = ()
    separations: tuple[Separation, ...] = ()
    parity: tuple[ParityReport, ...] = ()
    speed: tuple[SpeedReport, ...] = ()
    command: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
