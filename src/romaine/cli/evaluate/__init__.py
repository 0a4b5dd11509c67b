"""`romaine eval`: measure quality, speed and how far ways to run a model agree."""

from __future__ import annotations

from importlib import import_module

import typer

_COMMANDS = ("sts", "memory", "abstention", "retrieval", "matryoshka", "parity", "speed", "mteb")

app = typer.Typer(help="Measure quality, speed, and how far ways to run a model agree.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Measure quality, speed, and how far ways to run a model agree."""


for _name in _COMMANDS:
    import_module(f"romaine.cli.evaluate.{_name}").register(app)
