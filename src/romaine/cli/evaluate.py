"""`romaine eval`: measure how well a memory finds what was said, and when it says nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli import evaluate_sts, options

if TYPE_CHECKING:
    from romaine.evaluate.memory import MemoryReport

app = typer.Typer(
    help="Measure quality: what a memory finds, and when it says nothing.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Measure quality: what a memory finds, and when it says nothing."""


evaluate_sts.register(app)


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


@app.command("abstention")
def abstention(
    files: Annotated[list[Path], typer.Argument(help="LoCoMo or REALTALK files.", show_default=False)],
    model: options.Model = "little-gem",
    backend: options.Backend = "auto",
    loss: Annotated[
        float, typer.Option(help="How much recall@5 of answerable questions silence may cost.")
    ] = 0.02,
    as_json: options.Json = False,
) -> None:
    """Calibrate a model's min_score="auto": when to say nothing because the answer is not in the chat.

    Asks the questions of each conversation of every other one. Figures are leave-one-conversation-out.
    """
    from romaine.embedder import Embedder
    from romaine.evaluate.calibration import calibrate

    report = calibrate(files, embedder=Embedder(model, backend=backend).warm_up(), loss=loss)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
        return
    typer.echo(f"silent on {report.silent:.1%} of {report.unanswerable:,} questions that have no answer here")
    typer.echo(
        f"recall@5 of {report.answerable:,} others {report.recall:.3f}, lost by silence {report.lost:.3f}"
    )


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
