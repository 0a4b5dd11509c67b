"""How every `romaine eval` command gives its answer: tables or JSON, and a report where one is asked for."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from romaine import __version__
from romaine.cli import terminal
from romaine.cli.terminal import print_json, print_text

if TYPE_CHECKING:
    from romaine.evaluate.report import Report, Table

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder for report.html, its charts as PNGs, and report.json."),
]


def prepare(out: Path | None) -> None:
    """Makes sure that a report can be written before anything long is measured for it.

    Raises:
        MissingExtraError: If one is asked for and cannot be drawn here.
        OptionError: If the folder cannot be written.
    """
    if out is not None:
        from romaine.evaluate.report import require_report

        require_report(out)


def command_line() -> str:
    """The command that is running, to be run again."""
    return shlex.join(["romaine", *sys.argv[1:]])


def deliver(report: Report, figures: Mapping[str, Any], *, as_json: bool, out: Path | None) -> None:
    """Prints what was measured and writes the report.

    Args:
        report: What was measured, for people.
        figures: The same as JSON values.
        as_json: Whether JSON is printed instead of tables.
        out: Where the report goes, or None for no report.
    """
    from romaine.evaluate.report import tables_of, write_report

    if as_json:
        print_json(figures)
    else:
        console = terminal.console(markup=False)
        for table in tables_of(report):
            _print(console, table)
    if out is not None:
        data = {"command": report.command, "romaine": __version__, "measured": report.created.isoformat()}
        written = write_report(report, out, data=data | dict(figures))
        print_text(f"wrote {written.page} and {len(written.pictures)} pictures", to_stderr=True)


def _print(console: Any, table: Table) -> None:
    from rich.table import Table as RichTable

    from romaine.evaluate.report import show

    if table.title:
        console.print(f"\n{table.title}", style="bold")
    shown = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number, name in enumerate(table.columns):
        shown.add_column(name, justify="left" if number == 0 else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*(show(value) for value in row))
    console.print(shown)
    if table.note:
        console.print(table.note, style="dim")
