"""`romaine eval mteb`: tasks and benchmarks of the mteb library."""

from __future__ import annotations

from typing import Annotated

import typer

from romaine.cli import options
from romaine.cli.evaluate.output import Out, command_line, deliver, prepare


def register(app: typer.Typer) -> None:
    """Adds the command to the group."""
    app.command("mteb")(mteb)


def mteb(
    tasks: Annotated[
        list[str],
        typer.Argument(
            help="Tasks or benchmarks of mteb, e.g. STSBenchmark or NanoBEIR.", show_default=False
        ),
    ],
    model: options.Model = "little-gem",
    backend: options.Backend = "auto",
    dim: options.Dim = None,
    prompts: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt", help='Put before texts of a task, task type or role: "Clustering=clustering: ".'
        ),
    ] = None,
    as_json: options.Json = False,
    out: Out = None,
) -> None:
    """Run tasks of MTEB. Their data is fetched from the hub."""
    prepare(out)
    from romaine.embedder import Embedder
    from romaine.evaluate.mteb import evaluate_mteb
    from romaine.evaluate.report import Report, Table

    embedder = Embedder(model, backend=backend, dim=dim)
    found = evaluate_mteb(tasks, embedder=embedder, prompts=_parsed(prompts or []), show_progress=not as_json)
    rows = tuple((score.task, score.type, score.metric, score.value) for score in found.scores)
    table = Table(
        title=f"{found.model}, dim {found.dim}, mteb {found.mteb}",
        columns=("task", "type", "metric", "value"),
        rows=(*rows, ("mean", "", "", found.mean)),
    )
    report = Report(
        title="MTEB",
        model=found.model,
        facts={"Backend": found.backend, "Components": str(found.dim), "mteb": found.mteb},
        tables=(table,),
        command=command_line(),
    )
    deliver(report, found.to_json(), as_json=as_json, out=out)


def _parsed(prompts: list[str]) -> dict[str, str]:
    from romaine.errors import OptionError

    parsed = {}
    for prompt in prompts:
        key, equals, text = prompt.partition("=")
        if not key or not equals:
            raise OptionError(f"--prompt {prompt!r} is not KEY=TEXT, e.g. Clustering='clustering: '")
        parsed[key] = text
    return parsed
