"""How commands that measure give their answer: tables or JSON, and a report where one is asked for."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from romaine import __version__
from romaine.cli import options, terminal
from romaine.cli.terminal import print_json, print_text
from romaine.embedder import DEFAULT_MODEL, Embedder

if TYPE_CHECKING:
    from romaine.evaluate.report import Report, Table

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder for report.html, its charts as PNGs, and report.json."),
]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The options that say what is measured."""

    model: options.Model = DEFAULT_MODEL
    backend: options.Backend = "auto"

    def embedder(self, dim: int | None = None) -> Embedder:
        """An embedder of it, not loaded yet."""
        return Embedder(self.model, backend=self.backend, dim=dim)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The options that say how figures are given."""

    as_json: options.Json = False
    out: Out = None

    def prepare(self) -> None:
        """Makes sure that a report can be written before anything long is measured for it.

        Raises:
            MissingExtraError: If one is asked for and cannot be drawn here.
            OptionError: If the folder cannot be written.
        """
        if self.out is not None:
            from romaine.evaluate.report import require_report

            require_report(self.out)

    def give(self, report: Report, figures: Mapping[str, Any]) -> None:
        """Prints what was measured and writes the report, with the command that is running.

        Args:
            report: What was measured, for people.
            figures: The same as JSON values.
        """
        from romaine.evaluate.report import tables_of

        if self.as_json:
            print_json(figures)
        else:
            console = terminal.console(markup=False)
            for table in tables_of(report):
                _print(console, table)
        command, made = command_line(), report.created.isoformat()
        data = {"command": command, "romaine": __version__, "measured": made, **figures}
        self.write(replace(report, command=command), data)

    def write(self, report: Report, data: Mapping[str, Any]) -> None:
        """Writes the report if one is asked for."""
        from romaine.evaluate.report import write_report

        if self.out is not None:
            written = write_report(report, self.out, data=data)
            print_text(f"wrote {written.page} and {len(written.pictures)} pictures", to_stderr=True)


def command_line() -> str:
    """The command that is running, to be run again."""
    return shlex.join(["romaine", *sys.argv[1:]])


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
