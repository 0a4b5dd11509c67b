"""`romaine eval`: measure quality, speed and how far ways to run a model agree."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

from romaine.cli.evaluate.memory import abstention, memory
from romaine.cli.evaluate.quality import matryoshka, mteb, retrieval, sts
from romaine.cli.evaluate.running import parity, speed
from romaine.cli.options import takes_options

_DIMS = "--dims"

app = typer.Typer(help="Measure quality, speed, and how far ways to run a model agree.", no_args_is_help=True)


class _NumbersInARow(TyperCommand):
    """Takes ``--dims 384 64 32`` like ``--dims 384 --dims 64 --dims 32``, for which click has no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses as usual after spreading the numbers. `Any`, as typer carries its own copy of click."""
        return super().parse_args(ctx, _spread(args))


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


for _command in (sts, memory, abstention, retrieval, matryoshka, parity, speed, mteb):
    app.command(_command.__name__, cls=_NumbersInARow)(takes_options(_command))
