"""The option ``--dims 384 64``, which takes several numbers in a row."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

_DIMS = "--dims"

Dims = Annotated[
    list[int] | None,
    typer.Option(_DIMS, help="One or more dimensions: --dims 384 64. All of the model's if not given."),
]


class NumbersInARow(TyperCommand):
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
