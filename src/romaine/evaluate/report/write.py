"""Writes a report: the page, its charts as PNGs for light and dark, and the figures as JSON."""

from __future__ import annotations

import importlib.util
import json
import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from romaine import __version__
from romaine.errors import MissingExtraError, OptionError
from romaine.evaluate.report.cards import Card, cards_of, checks_table
from romaine.evaluate.report.charts import COLOURS, SCHEMES, Chart, picture
from romaine.evaluate.report.content import Report, printable, show

if TYPE_CHECKING:
    from jinja2 import Template

PAGE = "report.html"
DATA = "report.json"


@dataclass(frozen=True, kw_only=True)
class WrittenReport:
    """What was written.

    Attributes:
        page: The HTML file.
        data: The JSON file, None if no data was given.
        pictures: The PNGs, two of each chart: NAME-light.png and NAME-dark.png.
    """

    page: Path
    data: Path | None
    pictures: tuple[Path, ...]


def require_report(folder: str | os.PathLike[str]) -> None:
    """Makes sure that a report can be written; to be called before anything long is measured for it.

    Args:
        folder: Where to. Nothing is made yet.

    Raises:
        MissingExtraError: If matplotlib or jinja2 is not installed.
        OptionError: If the folder cannot be written, or is a file.
    """
    if not all(map(importlib.util.find_spec, ("matplotlib", "jinja2"))):
        raise MissingExtraError("the report", "eval")
    target = Path(folder)
    try:
        there = next(path for path in (target, *target.absolute().parents) if path.exists())
    except OSError as error:  # a name that is too long, or a folder that may not be entered
        raise _unwritable(folder, error.strerror) from None
    if not there.is_dir():
        raise _unwritable(folder, f"{os.fspath(there)!r} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unwritable(folder, "Permission denied")


def write_report(
    report: Report, folder: str | os.PathLike[str], *, data: Mapping[str, Any] | None = None
) -> WrittenReport:
    """Writes `report.html`, PNGs of its charts and `report.json`; files of these names are replaced.

    Args:
        report: What is told.
        folder: Where to; made if it is not there.
        data: What `report.json` is to hold; None for no such file.

    Raises:
        MissingExtraError: If matplotlib or jinja2 is not installed.
        OptionError: If the folder cannot be written.
    """
    require_report(folder)
    files = {PAGE: render_page(report).encode()}
    for card in cards_of(report):
        if card.chart is not None:
            for scheme in SCHEMES:
                files[f"{card.name}-{scheme}.png"] = picture(card.chart, scheme, form="png")
    pictures = [name for name in files if name != PAGE]
    if data is not None:
        files[DATA] = f"{json.dumps(data, indent=2)}\n".encode()
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (target / name).write_bytes(content)
    except OSError as error:
        raise _unwritable(folder, error.strerror) from None
    return WrittenReport(
        page=target / PAGE,
        data=target / DATA if data is not None else None,
        pictures=tuple(target / name for name in pictures),
    )


def render_page(report: Report) -> str:
    """The page: HTML that loads and runs nothing, in light and dark, for any width.

    Raises:
        MissingExtraError: If matplotlib or jinja2 is not installed.
    """
    sections: dict[str, list[Card]] = {}
    for card in cards_of(report):
        sections.setdefault(card.section, []).append(card)
    return _template().render(report=report, sections=sections, colours=COLOURS, version=__version__)


@cache
def _template() -> Template:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError:
        raise MissingExtraError("the report", "eval") from None

    def data_uri(chart: Chart, scheme: str) -> Markup:
        svg = picture(chart, scheme, form="svg")
        return Markup("data:image/svg+xml;base64,") + b64encode(svg).decode("ascii")

    environment = Environment(
        loader=PackageLoader("romaine.evaluate.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # Names may hold what cannot stand in HTML; what is HTML already was looked at before.
        finalize=lambda value: value if isinstance(value, Markup) else printable(str(value)),
    )
    environment.filters |= {"checks_table": checks_table, "data_uri": data_uri, "show": show}
    return environment.get_template("page.html.j2")


def _unwritable(folder: str | os.PathLike[str], why: str | None) -> OptionError:
    return OptionError(f"the report cannot be written to {os.fspath(folder)!r}: {why}; choose another folder")
