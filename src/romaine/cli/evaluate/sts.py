"""`romaine eval sts`: how well cosines rank pairs of texts as people do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from romaine.cli import options
from romaine.cli.evaluate.dims import Dims, NumbersInARow
from romaine.cli.evaluate.output import Out, command_line, deliver, prepare


def register(app: typer.Typer) -> None:
    """Adds the command to the group."""
    app.command("sts", cls=NumbersInARow)(sts)


def sts(
    file: Annotated[
        Path, typer.Argument(help="CSV of sentence1, sentence2, score without a header.", show_default=False)
    ],
    model: options.Model = "little-gem",
    backend: options.Backend = "auto",
    dims: Dims = None,
    as_json: options.Json = False,
    out: Out = None,
) -> None:
    """Measure Spearman's correlation of cosines with the similarity that people gave to pairs of texts."""
    prepare(out)
    from romaine.embedder import Embedder
    from romaine.errors import OptionError
    from romaine.evaluate.report import Report, Table
    from romaine.evaluate.separation import separation_of_pairs
    from romaine.evaluate.sts import evaluate_sts, read_scored_pairs

    embedder = Embedder(model, backend=backend)
    pairs = read_scored_pairs(file)
    found = evaluate_sts(pairs, embedder=embedder, dims=dims or None)
    rows = tuple((dim, 4 * dim, value) for dim, value in found.spearman.items())
    table = Table(
        title=f"{found.model} ({found.backend}), {found.pairs:,} pairs",
        columns=("dim", "bytes", "Spearman"),
        rows=rows,
    )
    separations = []
    if out is not None:
        try:
            separations.append(separation_of_pairs(pairs, embedder))
        except OptionError:  # the scores have another scale, or there are no pairs of one kind
            separations.clear()
    report = Report(
        title="Similarity of sentences",
        model=found.model,
        facts={"Backend": found.backend, "File": file.name, "Pairs": f"{found.pairs:,}"},
        tables=(table,),
        separations=tuple(separations),
        command=command_line(),
    )
    deliver(report, found.to_json(), as_json=as_json, out=out)
