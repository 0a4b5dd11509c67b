"""`romaine eval parity`: how far the ways to run a model agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from romaine.cli import options
from romaine.cli.evaluate.output import Out, command_line, deliver, prepare

_BUILT_IN_TEXTS = 200


def register(app: typer.Typer) -> None:
    """Adds the command to the group."""
    app.command("parity")(parity)


def parity(
    texts: Annotated[
        Path | None, typer.Argument(help="A file of texts, one a line; built-in ones if not given.")
    ] = None,
    model: options.Model = "little-gem",
    dim: options.Dim = None,
    threads: options.Threads = None,
    as_json: options.Json = False,
    out: Out = None,
) -> None:
    """Compare every installed backend and every precision of vectors with the model's full precision."""
    prepare(out)
    from romaine.evaluate.parity import measure_parity
    from romaine.evaluate.report import Report
    from romaine.evaluate.speed_worker import chat_texts
    from romaine.evaluate.subject import Subject

    compared = chat_texts(_BUILT_IN_TEXTS) if texts is None else _lines(texts)
    found = measure_parity(Subject(model=model, dim=dim, threads=threads), texts=compared)
    report = Report(
        title="Parity",
        model=found.model,
        facts={
            "Reference": str(found.reference),
            "Components": str(found.dim),
            "Texts": f"{len(compared):,}",
        },
        parity=(found,),
        command=command_line(),
    )
    deliver(report, found.to_json(), as_json=as_json, out=out)


def _lines(path: Path) -> list[str]:
    from romaine.bulk import read_lines
    from romaine.errors import InputFileError

    try:
        with path.open(encoding="utf-8-sig") as file:
            return [record.text for record in read_lines(file)]
    except UnicodeDecodeError:
        raise InputFileError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise InputFileError(f"{path} cannot be read ({error.strerror}); check the path") from None
