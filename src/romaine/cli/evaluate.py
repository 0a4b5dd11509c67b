"""`romaine eval`: measure how well a memory finds what was said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli import options

if TYPE_CHECKING:
    from romaine.evaluate.memory import MemoryReport

app = typer.Typer(help="Measure quality: recall of a memory.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Measure quality: recall of a memory."""


@app.command("memory")
def memory(
    files: Annotated[list[Path], typer.Argument(help="LoCoMo or REALTALK files.", show_default=False)],
    model: options.Model = "little-gem",
    backend: options.Backend = "auto",
    dim: options.Dim = None,
    mode: Annotated[
        str, typer.Option("--mode", help="hybrid: as recall ranks by default; dense: cosine alone.")
    ] = "hybrid",
    as_json: options.Json = False,
) -> None:
    """Ask every question of long conversations and count how often the turns that answer it are found."""
    from romaine.embedder import Embedder
    from romaine.evaluate.memory import Mode, evaluate_memory

    chosen = Mode.parse(mode)
    report = evaluate_memory(files, embedder=Embedder(model, backend=backend), dim=dim, mode=chosen)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        _print(report)


def _print(report: MemoryReport) -> None:
    from rich.console import Console
    from rich.table import Table

    rows = {
        "questions": f"{report.questions:,}",
        "hit@1": f"{report.hit_at_1:.3f}",
        **{f"recall@{k}": f"{value:.3f}" for k, value in report.recall.items()},
        "mrr@10": f"{report.mrr_at_10:.3f}",
        "queries/s": f"{report.queries_per_second:,.0f}",
        "index MB": f"{report.index_bytes / 1e6:.1f}",
    }
    table = Table(title=f"{report.mode.value}, {report.model}, dim {report.dim}", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, value)
    Console().print(table)
