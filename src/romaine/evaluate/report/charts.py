"""The charts of a report: what matplotlib is to draw, and its style in light and dark.

No display, no pyplot and no global state kept: the style holds only while a chart is drawn.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from romaine.errors import MissingExtraError
from romaine.evaluate.matryoshka import MatryoshkaReport
from romaine.evaluate.parity import ParityReport
from romaine.evaluate.report.content import printable
from romaine.evaluate.separation import Separation
from romaine.evaluate.speed import SpeedReport

Axes = Any
"""`matplotlib.axes.Axes`, or a list of them where a chart has several."""

COLOURS: Mapping[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#151b22"),
    "ink": ("#17212b", "#e9eef4"),
    "muted": ("#5a6775", "#9daab8"),
    "grid": ("#e3e8ee", "#2b3540"),
    "alarm": ("#b3261e", "#ff8a80"),
    "series-1": ("#0a7d58", "#46c696"),
    "series-2": ("#d2600f", "#f39a55"),
    "series-3": ("#3f57c8", "#8ea2ff"),
    "series-4": ("#8b5a9b", "#c79ad6"),
}
"""By what they are for, in light and dark; data can be told apart without red and green."""
SCHEMES = ("light", "dark")

_PIXELS_PER_INCH = 72  # so that a point of matplotlib is a pixel of the page
_PNG_SCALE = 2.5
_MARGIN = 8 / _PIXELS_PER_INCH  # inches, around the axes
_MARKERS = ("o", "s", "^", "D")  # lines are told apart without colour, too
_BINS = 28
_LABEL_ROOM = 0.15  # of the height: what a value above its point takes
_NAME_LENGTH = 26  # characters of a label beside a bar
_ABOVE: Mapping[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2}  # of a legend


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Something to be drawn.

    Attributes:
        title: Its heading.
        alt: What it shows, for those who do not see it.
        draw: Draws on axes.
        height: In pixels of the page.
        grid: Rows and columns of axes that `draw` is given.
    """

    title: str
    alt: str
    draw: Callable[[Axes], None]
    height: int = 300
    grid: tuple[int, int] = (1, 1)
    width: int = 420


def picture(chart: Chart, scheme: str, *, form: str) -> bytes:
    """Draws a chart.

    Args:
        chart: What.
        scheme: One of `SCHEMES`.
        form: "png" with its title, or "svg" without it, for a page that has it as a heading.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError:
        raise MissingExtraError("the report", "eval") from None
    is_png = form == "png"
    style: Any = _style(scheme)  # matplotlib's stubs know every key by name
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # A model's name may hold letters that the PNG's font lacks; they become boxes there.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        margin = _MARGIN if is_png else 0
        figure = Figure(
            figsize=(chart.width / _PIXELS_PER_INCH, chart.height / _PIXELS_PER_INCH),
            layout=ConstrainedLayoutEngine(w_pad=margin, h_pad=margin),
        )
        axes = figure.subplots(*chart.grid)
        chart.draw(axes.ravel().tolist() if isinstance(axes, np.ndarray) else axes)
        metadata: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        if is_png:
            title = printable(chart.title)
            figure.suptitle(title, x=0.015, ha="left", fontsize=14, fontweight="bold")
            metadata = {"Software": None, "Title": title}
        stream = io.BytesIO()
        figure.savefig(stream, format=form, dpi=_PIXELS_PER_INCH * _PNG_SCALE, metadata=metadata)
    return stream.getvalue()


def _style(scheme: str) -> dict[str, Any]:
    from cycler import cycler

    paper, ink, muted, grid, _, *series = (both[SCHEMES.index(scheme)] for both in COLOURS.values())
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "romaine",  # the same chart gives the same file
        "text.parse_math": False,  # a model may be called $x$
        "text.color": ink,
        "font.family": ["DejaVu Sans", "sans-serif"],
        "font.size": 12,
        "figure.facecolor": paper,
        "axes.facecolor": "none",
        "axes.edgecolor": grid,
        "axes.labelcolor": muted,
        "axes.prop_cycle": cycler(color=series),
        "axes.spines.left": False,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": muted,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.unicode_minus": False,
        "axes.axisbelow": True,
        "grid.color": grid,
        "legend.frameon": False,
        "legend.labelcolor": ink,
        "legend.fontsize": 11,
        "legend.borderaxespad": 0.2,
        "legend.columnspacing": 1.2,
        "legend.handlelength": 1.6,
        "lines.linewidth": 2,
        "xtick.color": muted,
        "xtick.labelsize": 11,
        "xtick.major.size": 0,
        "ytick.color": ink,
        "ytick.labelsize": 11,
        "ytick.major.size": 0,
    }


def quality_chart(report: MatryoshkaReport) -> Chart:
    """Quality against bytes of a vector, a line for each metric."""
    metrics = report.metrics[: len(_MARKERS)]
    lines = [[row.metrics[metric] for row in report.rows] for metric in metrics]

    def draw(axes: Axes) -> None:
        for metric, values, marker in zip(metrics, lines, _MARKERS, strict=False):
            axes.plot(values, marker=marker, label=printable(metric))
        low, high = np.min(lines), np.max(lines)
        margin = max(0.06 * (high - low), 0.02)
        axes.set_ylim(low - 2 * margin, high + 3 * margin)
        axes.set_xlim(-0.4, len(report.rows) - 0.6)
        _label_first_line(axes, lines)
        axes.legend(**_ABOVE)
        ticks = [f"{_bytes(row.bytes_per_vector)}\n{row.dim}" for row in report.rows]
        axes.set_xticks(range(len(ticks)), ticks)
        axes.set_xlabel("bytes per vector (float32), components")
        axes.grid(axis="y")

    ends = [
        f"{row.metrics[report.metric]:.3f} with {row.dim} components ({row.bytes_per_vector:,} bytes)"
        for row in (report.rows[0], report.rows[-1])
    ]
    return Chart(
        title=f"{_short(report.model.rpartition('/')[2])}: {report.benchmark}",
        alt=f"{report.metric} is {' and '.join(ends)}.",
        draw=draw,
    )


def separation_chart(separation: Separation) -> Chart:
    """Histograms of the scores of both kinds, each with its own scale, and the threshold."""
    threshold = separation.threshold

    def draw(axes: Axes) -> None:
        scores = np.concatenate([separation.matching, separation.other])
        ends = [scores.min(), scores.max(), *([] if threshold is None else [threshold])]
        edges = np.linspace(min(ends), max(*ends, min(ends) + 1e-6), _BINS + 1)
        for values, name, colour, style in (
            (separation.other, separation.other_name, "C1", "dashed"),
            (separation.matching, separation.matching_name, "C0", "solid"),
        ):
            shares = np.histogram(values, edges)[0] / len(values)
            axes.stairs(shares, edges, fill=True, color=colour, alpha=0.28)
            label = f"{printable(name)} ({len(values):,})"
            axes.stairs(shares, edges, color=colour, linewidth=1.8, linestyle=style, label=label)
        axes.set_ylim(0, axes.get_ylim()[1] * 1.22)
        if threshold is not None:
            right = threshold < (edges[0] + edges[-1]) / 2
            text = axes.annotate(
                f"{printable(separation.threshold_name)} {threshold:.2f}",
                (threshold, 1),
                xycoords=("data", "axes fraction"),
                xytext=(7 if right else -7, -1),
                textcoords="offset points",
                ha="left" if right else "right",
                va="top",
                fontsize=11,
            )
            axes.axvline(threshold, color=text.get_color(), linewidth=1.5, linestyle=(0, (2, 2)))
        axes.set_yticks([])
        axes.set_xlabel(printable(separation.score))
        axes.legend(**_ABOVE)

    alt = f"A matching pair scores above another one in {separation.auc:.0%} of cases."
    if separation.below is not None:
        matching, other = separation.below
        alt += (
            f" Below the threshold are {other:.0%} of those that do not match and {matching:.0%} of those"
            " that do."
        )
    return Chart(title=separation.title, alt=alt, draw=draw)


def parity_chart(report: ParityReport) -> Chart:
    """How many of the nearest texts stay the same, a bar for each backend and precision; at least one."""
    rows = report.rows[::-1]

    def draw(axes: Axes) -> None:
        bars = axes.barh(
            range(len(rows)),
            [100 * row.agreement.recall for row in rows],
            color=["C0" if row in report.runs else "C2" for row in rows],
            height=0.56,
        )
        labels = [f"{100 * row.agreement.recall:.1f} %\ncosine {row.agreement.worst:.4f}" for row in rows]
        axes.bar_label(bars, labels, padding=6, fontsize=10, linespacing=1.25)
        axes.set_yticks(range(len(rows)), [_short(row.name) for row in rows])
        axes.set_xlim(0, 145)
        axes.set_xticks([0, 25, 50, 75, 100])
        axes.grid(axis="x")
        axes.set_xlabel(f"% of the {rows[0].agreement.k} nearest texts that stay the same", loc="left")

    worst = min(report.rows, key=lambda row: row.agreement.recall)
    alt = (
        f"{report.model}: the fewest of the nearest texts stay the same with {worst.name},"
        f" {worst.agreement.recall:.1%}."
    )
    return Chart(title="Compared with full precision", alt=alt, draw=draw, height=84 + 40 * len(rows))


def speed_chart(reports: Sequence[SpeedReport]) -> Chart:
    """Texts per second, time of one query, time to open and memory, a bar for each way to run the model."""
    one_model = len({report.model for report in reports}) == 1
    names = [_short(each.run if one_model else f"{each.model}, {each.run}") for each in reports]
    panels = {
        "texts/s": [report.texts_per_second for report in reports],
        "ms a query": [report.query_ms for report in reports],
        "s to open": [report.load_seconds for report in reports],
        "MB at most": [(report.peak_bytes or 0) / 1e6 for report in reports],
    }

    def draw(axes: Sequence[Axes]) -> None:
        places = range(len(reports))
        for number, (panel, (title, values)) in enumerate(zip(axes, panels.items(), strict=True)):
            bars = panel.barh(places, values, color=f"C{number}", height=0.5)
            labels = [_figure(value) if value else "unknown" for value in values]
            panel.bar_label(bars, labels, padding=5, fontsize=11)
            panel.set_title(title)
            panel.set_yticks(places, names if number % 2 == 0 else [""] * len(names))
            panel.set_xticks([])
            panel.spines["bottom"].set_visible(False)
            panel.set_xlim(0, max(*values, 1e-9) * 1.6)
            panel.set_ylim(len(reports) - 0.4, -0.6)  # the first on top

    fastest = max(reports, key=lambda report: report.texts_per_second)
    alt = (
        f"{fastest.run} embeds {fastest.texts_per_second:,.0f} texts a second, takes"
        f" {fastest.query_ms:.2f} ms for a query and {fastest.load_seconds:.2f} s to open."
    )
    height = 130 + 52 * len(reports)
    return Chart(title="Speed and memory", alt=alt, draw=draw, height=height, grid=(2, 2))


def _label_first_line(axes: Axes, lines: Sequence[Sequence[float]]) -> None:
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
            fontsize=11,
        )


def _bytes(count: int) -> str:
    return f"{count:,} B" if count < 10_000 else f"{count / 1024:,.0f} KiB"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _short(name: str) -> str:
    name = printable(name)
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"
