"""`romaine eval abstention`: when a memory should say nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from romaine.cli import options
from romaine.cli.evaluate.memory import Files
from romaine.cli.evaluate.output import Out, command_line, deliver, prepare


def register(app: typer.Typer) -> None:
    """Adds the command to the group."""
    app.command("abstention")(abstention)


def abstention(
    files: Files,
    model: options.Model = "little-gem",
    backend: options.Backend = "auto",
    loss: Annotated[
        float, typer.Option(help="How much recall@5 of answerable questions silence may cost.")
    ] = 0.02,
    as_json: options.Json = False,
    out: Out = None,
) -> None:
    """Calibrate a model's min_score="auto": when to say nothing because the answer is not in the chat.

    Asks the questions of each conversation of every other one. Figures are leave-one-conversation-out.
    """
    prepare(out)
    from romaine.embedder import Embedder
    from romaine.evaluate.calibration import calibrate
    from romaine.evaluate.report import Report, Table

    embedder = Embedder(model, backend=backend).warm_up()
    found = calibrate(files, embedder=embedder, loss=loss)
    rows = (
        ("silent on", f"{found.silent:.1%}", f"of {found.unanswerable:,} questions without an answer here"),
        ("recall@5", f"{found.recall:.3f}", f"of {found.answerable:,} others, never silent"),
        ("lost by silence", f"{found.lost:.3f}", "of that"),
    )
    report = Report(
        title="When to say nothing",
        model=embedder.card.id,
        tables=(Table(title="leave-one-conversation-out", columns=("", "value", "about"), rows=rows),),
        command=command_line(),
    )
    deliver(report, found.to_json(), as_json=as_json, out=out)
