"""`romaine eval speed`: texts per second, latency, time to open and memory."""

from __future__ import annotations

from typing import Annotated

import typer

from romaine.cli import options
from romaine.cli.evaluate.output import Out, command_line, deliver, prepare


def register(app: typer.Typer) -> None:
    """Adds the command to the group."""
    app.command("speed")(speed)


def speed(
    models: Annotated[
        list[str],
        typer.Option("--model", "-m", help="Bundled model, catalog name, hub id or folder; again for more."),
    ] = ["little-gem"],  # noqa: B006 - typer copies it
    backend: options.Backend = "auto",
    every_backend: Annotated[
        bool, typer.Option("--every-backend", help="Each installed backend and ONNX file that can run it.")
    ] = False,
    dim: options.Dim = None,
    threads: options.Threads = None,
    rounds: Annotated[int, typer.Option(help="Processes and rounds of which the medians are told.")] = 3,
    as_json: options.Json = False,
    out: Out = None,
) -> None:
    """Measure speed and memory, each model in a new process of its own."""
    prepare(out)
    from romaine.errors import OptionError
    from romaine.evaluate.report import Report
    from romaine.evaluate.runs import find_runs
    from romaine.evaluate.speed import measure_speed
    from romaine.evaluate.subject import Subject

    if every_backend and backend != "auto":
        raise OptionError(f"--backend {backend} and --every-backend exclude each other; leave one out")
    subjects = [Subject(model=model, backend=backend, dim=dim, threads=threads) for model in models]
    if every_backend:
        subjects = [run.of(subject) for subject in subjects for run in find_runs(subject).found]
    found = [measure_speed(subject, rounds=rounds) for subject in subjects]
    report = Report(
        title="Speed",
        model=", ".join(dict.fromkeys(each.model for each in found)),
        facts={"Threads": str(threads) if threads is not None else "as the runtime likes"},
        speed=tuple(found),
        command=command_line(),
    )
    deliver(report, {"runs": [each.to_json() for each in found]}, as_json=as_json, out=out)
