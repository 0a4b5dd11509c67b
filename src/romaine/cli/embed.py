"""`romaine embed`: a file or stdin of texts -> vectors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.bulk import embed_to_file
from romaine.checks import positive_int
from romaine.cli import options
from romaine.cli.terminal import print_text
from romaine.distributed import embed_files
from romaine.embedder import DEFAULT_MODEL, Embedder
from romaine.embedder_options import EmbedderOptions
from romaine.errors import InputFileError, OptionError
from romaine.options import keywords, meanings

if TYPE_CHECKING:
    from romaine.bulk.records import Input


class InputFormat(str, Enum):
    """How texts stand in the input."""

    AUTO = "auto"
    LINES = "lines"
    JSONL = "jsonl"
    PARQUET = "parquet"


_BY_SUFFIX = {
    ".jsonl": InputFormat.JSONL,
    ".ndjson": InputFormat.JSONL,
    ".parquet": InputFormat.PARQUET,
}


class Engine(str, Enum):
    """Where texts are embedded."""

    LOCAL = "local"
    RAY = "ray"


_WORKERS = meanings(embed_to_file)["workers"]
_ON_RAY = meanings(embed_files)


class TextRole(str, Enum):
    """What the texts are, which decides the prompt."""

    DOCUMENT = "document"
    QUERY = "query"


def embed(
    source: Annotated[str, typer.Argument(help="A file of texts, or - for stdin.")] = "-",
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", help="A .npy, .jsonl or .parquet file; JSONL to stdout if not given."),
    ] = None,
    model: options.Model = DEFAULT_MODEL,
    *,
    role: Annotated[TextRole, typer.Option(help="Which prompt of the model to use.")] = TextRole.DOCUMENT,
    input_format: Annotated[
        InputFormat,
        typer.Option(
            "--format", help="auto reads .jsonl and .ndjson files as JSONL, .parquet as Parquet, else lines."
        ),
    ] = InputFormat.AUTO,
    field: Annotated[
        str, typer.Option(help="Where the text stands: a key of JSON, a column of Parquet.")
    ] = "text",
    how: Annotated[EmbedderOptions, Embedder],
    engine: Annotated[
        Engine,
        typer.Option(help="This machine, or a Ray cluster; then --out is a folder of parts."),
    ] = Engine.LOCAL,
    workers: Annotated[
        int | None,
        typer.Option(help=_WORKERS + " On Ray: as many actors at most, and all that there is room for."),
    ] = None,
    address: Annotated[str | None, typer.Option(help=_ON_RAY["address"])] = None,
    gpus_per_worker: Annotated[float, typer.Option(help=_ON_RAY["num_gpus"])] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Embed texts, one a line, as JSONL or Parquet, without ever holding all of them in memory."""
    from romaine.bulk import Steps
    from romaine.bulk.files import jsonl_rows
    from romaine.progress import progress_bar

    if out is None and resume:
        raise OptionError("--resume needs --out FILE: what went to stdout cannot be continued")
    if workers is not None:
        positive_int("--workers", workers)
    embedder = Embedder(model, **keywords(how))
    if engine is Engine.RAY:
        if out is None or source == "-":
            raise OptionError("--engine ray needs a file or folder to read, not stdin, and --out FOLDER")
        with progress_bar("embedding", None) as advance:
            count = embed_files(
                source,
                out,
                model=embedder,
                role=role.value,
                format=input_format.value,
                field=field,
                address=address,
                concurrency=workers,
                num_cpus=how.threads or 1,
                num_gpus=gpus_per_worker,
                resume=resume,
                overwrite=overwrite,
                on_progress=advance,
            )
        _tell(embedder, count, out)
        return
    if address is not None or gpus_per_worker:
        raise OptionError("--address and --gpus-per-worker are for --engine ray")
    target = None if out is None else Path(out)
    with _input(source, input_format, field) as texts:
        if target is None:
            steps = Steps(embedder=embedder, role=role.value, rows=jsonl_rows)
            for _, rows in steps.run(texts, workers=workers or 1):
                sys.stdout.buffer.write(rows or b"")
            sys.stdout.buffer.flush()
            return
        with progress_bar("embedding", None) as advance:
            count = embed_to_file(
                embedder,
                texts,
                target,
                role=role.value,
                workers=workers or 1,
                resume=resume,
                overwrite=overwrite,
                on_progress=advance,
            )
    _tell(embedder, count, out)


def _tell(embedder: Embedder, count: int, out: object) -> None:
    made = f"{count} vectors of {embedder.dim} components ({embedder.precision.value})"
    print_text(f"{made} in {out}", to_stderr=True)


@contextmanager
def _input(source: str, how: InputFormat, field: str) -> Iterator[Input]:
    from romaine.bulk.records import LineFile

    if how is InputFormat.AUTO:
        how = _BY_SUFFIX.get(Path(source).suffix, InputFormat.LINES)
    if source != "-" and not Path(source).is_file():
        raise InputFileError(f"{source} is not there or no file; give a file of texts, or - for stdin")
    if how is InputFormat.PARQUET:
        from romaine.bulk.parquet import ParquetTexts

        if source == "-":
            raise OptionError("--format parquet needs a file, not stdin: what is in it stands at its end")
        yield ParquetTexts(Path(source), field=field)
        return
    with nullcontext(sys.stdin.buffer) if source == "-" else Path(source).open("rb") as file:
        yield LineFile(file, field=field if how is InputFormat.JSONL else None)
