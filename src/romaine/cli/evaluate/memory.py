"""`romaine eval memory`: how often a memory finds the turns that answer a question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli import options
from romaine.cli.evaluate.output import Out, command_line, deliver, prepare

if TYPE_CHECKING:
    from romaine.embedder import Embedder
    from romaine.evaluate.memory import MemoryReport
    from romaine.evaluate.report import Report
    from romaine.evaluate.separation import Separation

Files = Annotated[list[Path], typer.Argument(help="LoCoMo or REALTALK files.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Adds the command to the group."""
    app.command("memory")(memory)


def memory(
    files: Files,
    model: options.Model = "little-gem",
    backend: options.Backend = "auto",
    dim: options.Dim = None,
    mode: Annotated[
        str, typer.Option("--mode", help="hybrid: as recall ranks by default; dense: cosine alone.")
    ] = "hybrid",
    as_json: options.Json = False,
    out: Out = None,
) -> None:
    """Ask every question of long conversations and count how often the turns that answer it are found."""
    prepare(out)
    from romaine.embedder import Embedder
    from romaine.evaluate.memory import Mode, evaluate_memory

    chosen = Mode.parse(mode)
    embedder = Embedder(model, backend=backend)
    found = evaluate_memory(files, embedder=embedder, dim=dim, mode=chosen)
    separations = _separations(files, embedder) if out is not None and found.conversations > 1 else ()
    deliver(_report(found, separations), found.to_json(), as_json=as_json, out=out)


def _separations(files: list[Path], embedder: Embedder) -> tuple[Separation, ...]:
    """Every question asked of every conversation; a chart needs questions of at least two of them."""
    from romaine.errors import OptionError
    from romaine.evaluate.separation import separation_of_questions
    from romaine.formats.locomo import read_conversations

    conversations = [each for file in files for each in read_conversations(file)]
    try:
        return (separation_of_questions(conversations, embedder.warm_up()),)
    except OptionError:
        return ()


def _report(found: MemoryReport, separations: tuple[Separation, ...]) -> Report:
    from romaine.evaluate.report import Cell, Report, Table

    rows: tuple[tuple[Cell, ...], ...] = (
        ("questions", found.questions),
        ("hit@1", found.hit_at_1),
        *((f"recall@{k}", value) for k, value in found.recall.items()),
        ("mrr@10", found.mrr_at_10),
        ("queries/s", f"{found.queries_per_second:,.0f}"),
        ("index MB", f"{found.index_bytes / 1e6:.1f}"),
    )
    title = f"{found.mode.value}, {found.model}, dim {found.dim}"
    return Report(
        title="Recall of a memory",
        model=found.model,
        facts={
            "Ranking": found.mode.value,
            "Components": str(found.dim),
            "Conversations": str(found.conversations),
            "Questions": f"{found.questions:,}",
        },
        tables=(Table(title=title, columns=("", "value"), rows=rows),),
        separations=separations,
        command=command_line(),
    )
