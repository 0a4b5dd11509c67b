"""Embeds records step by step into a .npy, .jsonl or .parquet file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from romaine.bulk.files import open_part, rows_of_format
from romaine.bulk.records import Record
from romaine.checks import positive_int
from romaine.embedder import Embedder
from romaine.errors import InputFileError, OptionError, UnknownNameError

_TEXTS_PER_STEP = 8192
_TEXTS_PER_JOB = 2048
"""Texts that a worker gets at a time."""

_ROLES = ("document", "query")


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Makes the bytes of output rows from records.

    Attributes:
        embedder: Gives the vectors.
        role: "document" or "query".
        rows: Gives the bytes that records and their vectors are in the output.
    """

    embedder: Embedder
    role: str
    rows: Callable[[list[Record], NDArray[Any]], bytes]

    def __post_init__(self) -> None:
        if self.role not in _ROLES:
            raise UnknownNameError("role", self.role, _ROLES)

    def on_threads(self, threads: int) -> Steps:
        """The same on so many threads, unless the embedder was told how many."""
        return replace(self, embedder=self.embedder.on_threads(threads))

    def __call__(self, batch: list[Record]) -> bytes:
        """The output rows of some records."""
        return self.rows(batch, self.vectors([record.text for record in batch]))

    def vectors(self, texts: list[str]) -> NDArray[Any]:
        """The vectors of some texts."""
        embed = self.embedder.embed_queries if self.role == "query" else self.embedder.embed_documents
        return embed(texts)

    def run(self, records: Iterable[Record], *, workers: int) -> Iterator[tuple[list[Record], bytes]]:
        """Yields a few thousand records at a time and their output rows, in order."""
        size = _TEXTS_PER_STEP if workers == 1 else min(_TEXTS_PER_JOB, _TEXTS_PER_STEP)
        batches = _batches(records, size)
        if workers == 1:
            yield from ((batch, self(batch)) for batch in batches)
        else:
            from romaine.bulk.workers import run_in_workers

            yield from run_in_workers(self, batches, workers=workers)


def _batches(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    source = iter(records)
    while batch := list(islice(source, size)):
        yield batch


def embed_to_file(
    embedder: Embedder,
    records: Iterable[Record],
    out: Path,
    *,
    role: str = "document",
    workers: int = 1,
    resume: bool = False,
    overwrite: bool = False,
    on_progress: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Embeds `records` into `out`, holding a few thousand of them in memory at a time.

    Until all is done the vectors stand in `OUT.part`, with the settings in `OUT.part.json`.

    Args:
        embedder: Gives the vectors.
        records: The texts; when resuming, from the beginning again.
        out: A .npy file (array as the embedder's precision says), .jsonl or .parquet file.
        role: "document" or "query".
        workers: Processes that embed, each with the model in memory and its share of the cores; 1 for none
            but this.
        resume: Go on with `OUT.part` if it is there.
        overwrite: Replace `out` or `OUT.part`.
        on_progress: Called with the number of rows of each step, those skipped included.

    Returns:
        Rows in `out`.

    Raises:
        OptionError: If `out` has another ending, exists, or `OUT.part` was made with other settings.
        InputFileError: If the input ends before the rows already done, or has ids that Parquet cannot hold.
        MissingExtraError: If `out` is a .parquet file and pyarrow is not installed.
        WorkerError: If a worker ends before its work does.
    """
    positive_int("workers", workers)
    steps = Steps(embedder=embedder, role=role, rows=rows_of_format(out.suffix))
    part = out.with_name(out.name + ".part")
    note = out.with_name(out.name + ".part.json")
    if not overwrite and out.exists():
        raise OptionError(f"{out} exists; choose another name or pass --overwrite")
    settings = {
        "fingerprint": embedder.fingerprint,
        "dim": embedder.dim,
        "precision": embedder.precision.value,
        "role": role,
    }
    _claim_part(part, note, settings, resume=resume, overwrite=overwrite)
    file = open_part(part, out.suffix, embedder.embed_documents([]))
    try:
        source = iter(records)
        skipped = sum(1 for _ in islice(source, file.rows))
        if skipped < file.rows:
            raise InputFileError(
                f"the input has {skipped} texts, but {part} already holds {file.rows}: it is another input"
            )
        on_progress(skipped)
        for batch, rows in steps.run(source, workers=workers):
            file.append(rows, len(batch))
            on_progress(len(batch))
    finally:
        file.close()
    file.finish(out)
    note.unlink()
    return file.rows


def _claim_part(part: Path, note: Path, settings: dict[str, Any], *, resume: bool, overwrite: bool) -> None:
    """Makes sure an unfinished file is only continued with the settings it was begun with."""
    if part.exists() and not resume:
        if not overwrite:
            raise OptionError(
                f"{part} is an interrupted run; pass --resume to go on with it or --overwrite to begin anew"
            )
        part.unlink()
    if part.exists():
        try:
            begun_with = json.loads(note.read_text())
        except (OSError, ValueError):
            raise OptionError(
                f"{note} is missing or damaged, so {part} cannot be resumed; pass --overwrite"
            ) from None
        if begun_with != settings:
            raise OptionError(
                f"{part} was begun with {begun_with}, now it is {settings};"
                " use the same settings or --overwrite"
            )
    else:
        note.write_text(json.dumps(settings))
