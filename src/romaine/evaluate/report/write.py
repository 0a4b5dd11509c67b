"""Writes a report: the page, its figures as PNGs for light and dark, and the figures as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from romaine.errors import OptionError
from romaine.evaluate.report.canvas import DARK, LIGHT, png, require_matplotlib, svg
from romaine.evaluate.report.charts import charts_of
from romaine.evaluate.report.content import Report
from romaine.evaluate.report.page import render_page

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
        MissingExtraError: If matplotlib is not installed.
        OptionError: If the folder cannot be written, or is a file.
    """
    require_matplotlib()
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
        MissingExtraError: If matplotlib is not installed.
        OptionError: If the folder cannot be written.
    """
    require_matplotlib()
    charts = list(charts_of(report))
    page = render_page(report, {chart.name: (chart, svg(chart)) for chart in charts})
    files = {
        f"{chart.name}-{scheme}.png": png(chart, palette)
        for chart in charts
        for scheme, palette in (("light", LIGHT), ("dark", DARK))
    }
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / PAGE).write_text(page, encoding="utf-8")
        for name, content in files.items():
            (target / name).write_bytes(content)
        if data is not None:
            text = json.dumps(data, indent=2, ensure_ascii=True)
            (target / DATA).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error.strerror) from None
    return WrittenReport(
        page=target / PAGE,
        data=target / DATA if data is not None else None,
        pictures=tuple(target / name for name in files),
    )


def _unwritable(folder: str | os.PathLike[str], why: str | None) -> OptionError:
    return OptionError(f"the report cannot be written to {os.fspath(folder)!r}: {why}; choose another folder")
