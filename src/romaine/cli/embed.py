"""`romaine embed`: a file or stdin of texts -> vectors."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import IO, Annotated

import typer

from romaine.cli import options
from romaine.cli.terminal import print_text
from romaine.embedder import DEFAULT_MODEL, Embedder
from romaine.embedder_options import EmbedderOptions
from romaine.errors import InputFileError, OptionError
from romaine.options import keywords


class InputFormat(str, Enum):
    """How texts stand in the input."""

    AUTO = "auto"
    LINES = "lines"
    JSONL = "jsonl"


class TextRole(str, Enum):
    """What the texts are, which decides the prompt."""

    DOCUMENT = "document"
    QUERY = "query"


def embed(
    source: Annotated[str, typer.Argument(help="A file of texts, or - for stdin.")] = "-",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .npy or .jsonl file; JSONL to stdout if not given.")
    ] = None,
    model: options.Model = DEFAULT_MODEL,
    *,
    role: Annotated[TextRole, typer.Option(help="Which prompt of the model to use.")] = TextRole.DOCUMENT,
    input_format: Annotated[
        InputFormat,
        typer.Option("--format", help="auto reads .jsonl and .ndjson files as JSONL, all else as lines."),
    ] = InputFormat.AUTO,
    field: Annotated[str, typer.Option(help="Where the text stands in a JSON object.")] = "text",
    how: Annotated[EmbedderOptions, Embedder],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Embed texts, one a line or as JSONL, without ever holding all of them in memory."""
    from romaine.bulk import embed_in_steps, embed_to_file, jsonl_rows, read_jsonl, read_lines
    from romaine.progress import progress_bar

    if out is None and resume:
        raise OptionError("--resume needs --out FILE: what went to stdout cannot be continued")
    embedder = Embedder(model, **keywords(how))
    jsonl = input_format is InputFormat.JSONL or (
        input_format is InputFormat.AUTO and Path(source).suffix in {".jsonl", ".ndjson"}
    )
    with _open_input(source) as stream:
        records = read_jsonl(stream, field=field) if jsonl else read_lines(stream)
        if out is None:
            for batch, vectors in embed_in_steps(embedder, records, role=role.value):
                sys.stdout.buffer.writelines(jsonl_rows(batch, vectors))
            sys.stdout.buffer.flush()
            return
        with progress_bar("embedding", None) as advance:
            rows = embed_to_file(
                embedder,
                records,
                out,
                role=role.value,
                resume=resume,
                overwrite=overwrite,
                on_progress=advance,
            )
    made = f"{rows} vectors of {embedder.dim} components ({embedder.precision.value})"
    print_text(f"{made} in {out}", to_stderr=True)


@contextmanager
def _open_input(source: str) -> Iterator[IO[str]]:
    """Opens the input so that bytes that are not UTF-8 stay apart in the text instead of ending the run."""
    if source == "-":
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")  # type: ignore[union-attr]
        yield sys.stdin
        return
    if not Path(source).exists() or Path(source).is_dir():
        raise InputFileError(f"{source} is not there or no file; give a file of texts, or - for stdin")
    with Path(source).open(encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
        yield stream
