"""`romaine eval sts`: how well cosines rank pairs of texts as people do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from romaine.cli import options

_DIMS = "--dims"


class _NumbersInARow(TyperCommand):
    """Takes ``--dims 384 64 32`` like ``--dims 384 --dims 64 --dims 32``, for which click has no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses as usual after spreading the numbers. `Any`, as typer carries its own copy of click."""
        return super().parse_args(ctx, _spread(args))


def register(app: typer.Typer) -> None:
    """Adds the command to the group."""
    app.command("sts", cls=_NumbersInARow)(sts)


def sts(
    file: Annotated[
        Path, typer.Argument(help="CSV of sentence1, sentence2, score without a header.", show_default=False)
    ],
    model: options.Model = "little-gem",
    backend: options.Backend = "auto",
    dims: Annotated[
        list[int] | None,
        typer.Option(_DIMS, help="One or more dimensions: --dims 384 64. All of the model's if not given."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Measure Spearman's correlation of cosines with the similarity that people gave to pairs of texts."""
    from romaine.embedder import Embedder
    from romaine.evaluate.sts import evaluate_sts

    report = evaluate_sts(file, embedder=Embedder(model, backend=backend), dims=dims or None)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
        return
    typer.echo(f"{report.model} ({report.backend}), {report.pairs:,} pairs, Spearman")
    for dim, value in report.spearman.items():
        typer.echo(f"{dim:>6}  {value:.4f}")


def _spread(args: list[str]) -> list[str]:
    """Repeats the option's name before each further number that follows it."""
    spread: list[str] = []
    in_dims = False
    for arg in args:
        if in_dims and arg.isdecimal() and spread[-1] != _DIMS:
            spread.append(_DIMS)
        in_dims = arg == _DIMS or (in_dims and arg.isdecimal())
        spread.append(arg)
    return spread
