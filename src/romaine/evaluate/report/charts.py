"""The charts of a report, one function each. They draw on axes that `canvas` hands them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from romaine.evaluate.matryoshka import MatryoshkaReport
from romaine.evaluate.parity import ParityReport
from romaine.evaluate.report.canvas import Axes, Chart, Palette
from romaine.evaluate.report.content import Report, printable
from romaine.evaluate.separation import Separation
from romaine.evaluate.speed import SpeedReport

_MARKERS = ("o", "s", "^", "D")  # lines are told apart without colour, too
_BINS = 28
_LABEL_ROOM = 0.15  # of the height: what a value above its point takes
_NAME_LENGTH = 26  # characters of a label beside a bar


def charts_of(report: Report) -> Iterator[Chart]:
    """Every chart there are figures for, each with a name of its own."""
    for number, matryoshka in enumerate(report.matryoshka, 1):
        yield quality_chart(matryoshka, name=_numbered("quality", number))
    for number, separation in enumerate(report.separations, 1):
        yield separation_chart(separation, name=_numbered("scores", number))
    for number, parity in enumerate(report.parity, 1):
        if parity.rows:
            yield parity_chart(parity, name=_numbered("parity", number))
    if report.speed:
        yield speed_chart(report.speed)


def quality_chart(report: MatryoshkaReport, *, name: str) -> Chart:
    """Quality against bytes of a vector, a line for each metric."""
    metrics = report.metrics[: len(_MARKERS)]
    places = np.arange(len(report.rows))

    def draw(axes: Axes, palette: Palette) -> None:
        lines = [[row.figures.metrics[metric] for row in report.rows] for metric in metrics]
        for metric, values, colour, marker in zip(metrics, lines, palette.series, _MARKERS, strict=False):
            axes.plot(
                places,
                values,
                color=colour,
                marker=marker,
                markersize=6,
                linewidth=2,
                label=printable(metric),
            )
        flat = [value for values in lines for value in values]
        margin = max(0.06 * (max(flat) - min(flat)), 0.02)
        axes.set_ylim(min(flat) - 2 * margin, max(flat) + 3 * margin)
        axes.set_xlim(-0.4, len(places) - 0.6)
        _value_labels(axes, lines, palette)
        _legend(axes, palette)
        axes.set_xticks(places, [f"{_bytes(row.bytes_per_vector)}\n{row.dim}" for row in report.rows])
        axes.set_xlabel("bytes per vector (float32), components")
        axes.grid(axis="y", color=palette.grid)

    first, last = report.rows[0], report.rows[-1]
    alt = (
        f"{report.metric} is {first.figures.metrics[report.metric]:.3f} with {first.dim} components"
        f" ({first.bytes_per_vector:,} bytes) and {last.figures.metrics[report.metric]:.3f} with {last.dim}"
        f" ({last.bytes_per_vector:,} bytes)."
    )
    return Chart(
        name=name, title=f"{_short(report.model.rpartition('/')[2])}: {report.benchmark}", alt=alt, draw=draw
    )


def separation_chart(separation: Separation, *, name: str) -> Chart:
    """Histograms of the scores of both kinds, each with its own scale, and the threshold."""

    def draw(axes: Axes, palette: Palette) -> None:
        everything = np.concatenate([separation.matching, separation.other])
        ends = [
            *np.quantile(everything, (0.0, 1.0)),
            *([] if separation.threshold is None else [separation.threshold]),
        ]
        edges = np.linspace(min(ends), max(max(ends), min(ends) + 1e-6), _BINS + 1)
        kinds = (
            (separation.other, separation.other_name, palette.series[1], "dashed"),
            (separation.matching, separation.matching_name, palette.series[0], "solid"),
        )
        for values, label, colour, style in kinds:
            shares = np.histogram(values, edges)[0] / len(values)
            axes.stairs(shares, edges, fill=True, color=colour, alpha=0.28)
            axes.stairs(
                shares,
                edges,
                color=colour,
                linewidth=1.8,
                linestyle=style,
                label=f"{printable(label)} ({len(values):,})",
            )
        top = axes.get_ylim()[1]
        if separation.threshold is not None:
            axes.axvline(separation.threshold, color=palette.ink, linewidth=1.5, linestyle=(0, (2, 2)))
            right = separation.threshold < (edges[0] + edges[-1]) / 2
            axes.annotate(
                f"{printable(separation.threshold_name)} {separation.threshold:.2f}",
                (separation.threshold, 1),
                xycoords=("data", "axes fraction"),
                xytext=(7 if right else -7, -1),
                textcoords="offset points",
                ha="left" if right else "right",
                va="top",
                color=palette.ink,
                fontsize=11,
            )
        axes.set_ylim(0, top * 1.22)
        axes.set_yticks([])
        axes.set_xlabel(printable(separation.score))
        _legend(axes, palette)

    alt = f"A matching pair scores above another one in {separation.auc:.0%} of cases."
    if separation.below is not None:
        matching, other = separation.below
        alt += (
            f" Below the threshold are {other:.0%} of those that do not match and {matching:.0%} of those"
            " that do."
        )
    return Chart(name=name, title=separation.title, alt=alt, draw=draw)


def parity_chart(report: ParityReport, *, name: str) -> Chart:
    """How many of the nearest texts stay the same, a bar for each backend and precision."""
    rows = report.rows[::-1]
    places = np.arange(len(rows))

    def draw(axes: Axes, palette: Palette) -> None:
        colours = [palette.series[0] if row in report.runs else palette.series[2] for row in rows]
        axes.barh(places, [100 * row.agreement.recall for row in rows], color=colours, height=0.56)
        axes.set_yticks(places, [_short(row.name) for row in rows])
        axes.tick_params(axis="y", labelcolor=palette.ink)
        for place, row in zip(places, rows, strict=True):
            axes.annotate(
                f"{100 * row.agreement.recall:.1f} %\ncosine {row.agreement.worst:.4f}",
                (100 * row.agreement.recall, place),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                color=palette.ink,
                fontsize=10,
                linespacing=1.25,
            )
        axes.set_xlim(0, 145)
        axes.set_xticks([0, 25, 50, 75, 100])
        axes.grid(axis="x", color=palette.grid)
        axes.set_xlabel(f"% of the {rows[0].agreement.k} nearest texts that stay the same", loc="left")

    worst = min(report.rows, key=lambda row: row.agreement.recall)
    alt = (
        f"{report.model}: the fewest of the nearest texts stay the same with {worst.name},"
        f" {worst.agreement.recall:.1%}."
    )
    return Chart(
        name=name, title="Compared with full precision", alt=alt, draw=draw, height=84 + 40 * len(rows)
    )


def speed_chart(reports: Sequence[SpeedReport], *, name: str = "speed") -> Chart:
    """Texts per second, time of one query, time to open and memory, a bar for each way to run the model."""
    names = [_short(label) for label in _labels(reports)]
    panels = (
        ("texts/s", [report.texts_per_second for report in reports]),
        ("ms a query", [report.query_ms for report in reports]),
        ("s to open", [report.load_seconds for report in reports]),
        ("MB at most", [(report.peak_bytes or 0) / 1e6 for report in reports]),
    )

    def draw(axes: Sequence[Axes], palette: Palette) -> None:
        for number, (panel, (title, values)) in enumerate(zip(axes, panels, strict=True)):
            places = np.arange(len(values))[::-1]
            panel.barh(places, values, color=palette.series[number], height=0.5)
            panel.set_title(title, loc="left", fontsize=11, color=palette.muted)
            panel.set_yticks(places, names if number % 2 == 0 else [""] * len(names))
            panel.tick_params(axis="y", labelcolor=palette.ink)
            panel.set_xticks([])
            panel.spines["bottom"].set_visible(False)
            panel.set_xlim(0, max(max(values), 1e-9) * 1.6)
            panel.set_ylim(-0.6, len(values) - 0.4)
            for place, value in zip(places, values, strict=True):
                panel.annotate(
                    _figure(value) if value else "unknown",
                    (value, place),
                    xytext=(5, 0),
                    textcoords="offset points",
                    va="center",
                    color=palette.ink,
                    fontsize=11,
                )

    fastest = max(reports, key=lambda report: report.texts_per_second)
    alt = (
        f"{fastest.run} embeds {fastest.texts_per_second:,.0f} texts a second, takes"
        f" {fastest.query_ms:.2f} ms for a query and {fastest.load_seconds:.2f} s to open."
    )
    return Chart(
        name=name,
        title="Speed and memory",
        alt=alt,
        draw=draw,
        height=130 + 52 * len(reports),
        grid=(2, 2),
    )


def _labels(reports: Sequence[SpeedReport]) -> list[str]:
    one_model = len({report.model for report in reports}) == 1
    return [report.run if one_model else f"{report.model}, {report.run}" for report in reports]


def _value_labels(axes: Axes, lines: Sequence[Sequence[float]], palette: Palette) -> None:
    """Writes the values of the first line above its points, or below where another line is in the way."""
    low, high = axes.get_ylim()
    room = _LABEL_ROOM * (high - low)
    for place, (value, *others) in enumerate(zip(*lines, strict=True)):
        above = min((other - value for other in others if other >= value), default=np.inf)
        below = min((value - other for other in others if other < value), default=np.inf)
        over = above >= min(room, below)
        axes.annotate(
            f"{value:.3f}",
            (place, value),
            xytext=(0, 7 if over else -7),
            textcoords="offset points",
            ha="center",
            va="bottom" if over else "top",
            color=palette.ink,
            fontsize=11,
        )


def _legend(axes: Axes, palette: Palette) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=2,
        frameon=False,
        labelcolor=palette.ink,
        fontsize=11,
        handlelength=1.6,
        columnspacing=1.2,
        borderaxespad=0.2,
    )


def _bytes(count: int) -> str:
    return f"{count:,} B" if count < 10_000 else f"{count / 1024:,.0f} KiB"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _short(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
