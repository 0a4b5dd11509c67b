"""Where charts are drawn: the only file that imports matplotlib. No display, no pyplot, no global state kept.

Every chart is drawn by one function in three palettes: light and dark for the PNGs, and CSS variables for the
page, which then follows the reader's colour scheme.
"""

from __future__ import annotations

import importlib.util
import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from romaine.errors import MissingExtraError
from romaine.evaluate.report.content import printable

Axes = Any
"""`matplotlib.axes.Axes`."""

_PIXELS_PER_INCH = 72  # so that a point of matplotlib is a pixel of the page
_PNG_SCALE = 2.5
_PNG_MARGIN = 8 / _PIXELS_PER_INCH  # inches, around the axes
_SETTINGS: Mapping[str, Any] = MappingProxyType(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "romaine",
        "text.parse_math": False,  # a model may be called $x$
        "font.family": "DejaVu Sans",
        "font.size": 12,
        "axes.unicode_minus": False,
    }
)


@dataclass(frozen=True, kw_only=True)
class Palette:
    """Colours by what they are for.

    Attributes:
        paper: Behind everything.
        ink: Text that matters.
        muted: Text that explains.
        grid: Lines to read values by.
        series: Data, in order; told apart without red and green.
        alarm: What is refused.
    """

    paper: str
    ink: str
    muted: str
    grid: str
    series: tuple[str, str, str, str]
    alarm: str


LIGHT = Palette(
    paper="#ffffff",
    ink="#17212b",
    muted="#5a6775",
    grid="#e3e8ee",
    series=("#0a7d58", "#d2600f", "#3f57c8", "#8b5a9b"),
    alarm="#b3261e",
)
DARK = Palette(
    paper="#151b22",
    ink="#e9eef4",
    muted="#9daab8",
    grid="#2b3540",
    series=("#46c696", "#f39a55", "#8ea2ff", "#c79ad6"),
    alarm="#ff8a80",
)
# Colours that mark where the page puts its own; no chart draws with these for their looks.
_MARKS = Palette(
    paper="#010100",
    ink="#010101",
    muted="#010102",
    grid="#010103",
    series=("#010104", "#010105", "#010106", "#010107"),
    alarm="#010108",
)


def css_variables(palette: Palette) -> str:
    """The palette as CSS declarations, e.g. ``--ink:#17212b;``."""
    return "".join(f"--{name}:{colour};" for name, colour in _named(palette))


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Something to be drawn.

    Attributes:
        name: For files and anchors, e.g. "speed".
        title: Its heading.
        alt: What it shows, for those who do not see it.
        draw: Draws on axes with a palette.
        width: In pixels of the page.
        height: In pixels of the page.
        grid: Rows and columns of axes that `draw` is given, as a flat list where there are several.
    """

    name: str
    title: str
    alt: str
    draw: Callable[[Axes, Palette], None]
    width: int = 420
    height: int = 300
    grid: tuple[int, int] = (1, 1)


def require_matplotlib() -> None:
    """Makes sure that charts can be drawn, without importing what draws them.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("the report", "eval")


def png(chart: Chart, palette: Palette) -> bytes:
    """The chart as a PNG with its title."""
    with _drawn(chart, palette, titled=True) as figure:
        stream = io.BytesIO()
        figure.savefig(
            stream,
            format="png",
            dpi=_PIXELS_PER_INCH * _PNG_SCALE,
            facecolor=palette.paper,
            metadata={"Software": None, "Title": printable(chart.title)},
        )
    return stream.getvalue()


def svg(chart: Chart) -> str:
    """The chart as an SVG element to stand in a page that defines the variables of `css_variables`."""
    with _drawn(chart, _MARKS, titled=False) as figure:
        stream = io.StringIO()
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(stream, format="svg", transparent=True, metadata=metadata)
    element = stream.getvalue()
    element = element[element.index("<svg") :]
    element = re.sub(r'\s(xmlns(:\w+)?|version|width|height)="[^"]*"', "", element, count=5)
    element = re.sub(r'\bid="', f'id="{chart.name}-', element)
    element = re.sub(r'(url\(|href=")#', rf"\1#{chart.name}-", element)
    for (name, mark), _ in zip(_named(_MARKS), _named(LIGHT), strict=True):
        element = element.replace(mark, f"var(--{name})")
    return element.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)


@contextmanager
def _drawn(chart: Chart, palette: Palette, *, titled: bool) -> Iterator[Any]:
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError:
        raise MissingExtraError("the report", "eval") from None
    settings: Any = dict(_SETTINGS)  # matplotlib's stubs know every key by name
    size = (chart.width / _PIXELS_PER_INCH, chart.height / _PIXELS_PER_INCH)
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A model's name may hold letters that the PNG's font lacks; they become boxes there.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        margin = _PNG_MARGIN if titled else 0
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=margin, h_pad=margin))
        axes = figure.subplots(*chart.grid, squeeze=False).ravel().tolist()
        for each in axes:
            _prepare(each, palette)
        chart.draw(axes[0] if len(axes) == 1 else axes, palette)
        if titled:
            figure.suptitle(
                printable(chart.title), x=0.015, ha="left", color=palette.ink, fontsize=14, fontweight="bold"
            )
        yield figure


def _prepare(axes: Axes, palette: Palette) -> None:
    axes.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(palette.grid)
    axes.tick_params(colors=palette.muted, length=0, labelsize=11)
    axes.xaxis.label.set_color(palette.muted)
    axes.yaxis.label.set_color(palette.muted)
    axes.set_axisbelow(True)


def _named(palette: Palette) -> list[tuple[str, str]]:
    plain = [(name, getattr(palette, name)) for name in ("paper", "ink", "muted", "grid", "alarm")]
    return plain + [(f"series-{number}", colour) for number, colour in enumerate(palette.series, 1)]
