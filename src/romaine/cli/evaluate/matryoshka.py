"""`romaine eval matryoshka`: what shorter vectors cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from romaine.cli import options
from romaine.cli.evaluate.dims import Dims, NumbersInARow
from romaine.cli.evaluate.output import Out, command_line, deliver, prepare
from romaine.cli.evaluate.retrieval import Split


def register(app: typer.Typer) -> None:
    """Adds the command to the group."""
    app.command("matryoshka", cls=NumbersInARow)(matryoshka)


def matryoshka(
    benchmark: Annotated[str, typer.Argument(help="sts, memory or retrieval.", show_default=False)],
    paths: Annotated[
        list[Path],
        typer.Argument(help="What that benchmark takes: files, or a BEIR folder.", show_default=False),
    ],
    model: options.Model = "little-gem",
    backend: options.Backend = "auto",
    dims: Dims = None,
    mode: Annotated[
        str,
        typer.Option("--mode", help="For memory. dense: cosine alone; hybrid: dims find candidates only."),
    ] = "dense",
    split: Split = None,
    as_json: options.Json = False,
    out: Out = None,
) -> None:
    """Measure a benchmark at every dimension: bytes of a vector, quality, latency."""
    prepare(out)
    from romaine.embedder import Embedder
    from romaine.evaluate.benchmarks import Benchmark, benchmark_across_dims
    from romaine.evaluate.report import Report

    found = benchmark_across_dims(
        Benchmark.parse(benchmark),
        paths,
        embedder=Embedder(model, backend=backend),
        dims=dims or None,
        mode=mode,
        split=split,
    )
    report = Report(
        title="Matryoshka",
        model=found.model,
        facts={"Benchmark": found.benchmark, "Components": ", ".join(str(row.dim) for row in found.rows)},
        matryoshka=(found,),
        command=command_line(),
    )
    deliver(report, found.to_json(), as_json=as_json, out=out)
