"""Embeds records step by step into a .npy, .jsonl or .parquet file."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from romaine.bulk.files import open_part, rows_of_format
from romaine.bulk.records import Block, GivenRecords, Input, Record
from romaine.checks import positive_int
from romaine.embedder import Embedder
from romaine.errors import InputFileError, OptionError, UnknownNameError
from romaine.processes import Bytes, Place, cores_of_each, in_processes

_TEXTS_PER_STEP = 8192
_TEXTS_PER_JOB = 1024
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
    rows: Callable[[list[Record], NDArray[Any]], Bytes]

    def __post_init__(self) -> None:
        if self.role not in _ROLES:
            raise UnknownNameError("role", self.role, _ROLES)

    def on_threads(self, threads: int) -> Steps:
        """The same on so many threads, unless the embedder was told how many."""
        return replace(self, embedder=self.embedder.on_threads(threads))

    def __call__(self, block: Block) -> tuple[Bytes]:
        """The output rows of a block."""
        records = block.records()
        return (self.rows(records, self.vectors([record.text for record in records])),)

    def vectors(self, texts: list[str]) -> NDArray[Any]:
        """The vectors of some texts."""
        embed = self.embedder.embed_queries if self.role == "query" else self.embedder.embed_documents
        return embed(texts)

    def run(
        self,
        records: Input | Iterable[Record],
        *,
        workers: int,
        skip: int = 0,
        place: Callable[[int], Place | None] = lambda _rows: None,
    ) -> Iterator[tuple[int, Bytes | None]]:
        """Yields how many records each step has, and their output rows, in order.

        Args:
            records: The input.
            workers: Processes that embed; 1 for none but this.
            skip: Records at the beginning that are left out.
            place: Called with the number of records of each step, in order: where a worker is to put their
                rows, for which None is yielded then.

        Raises:
            InputFileError: If there are not as many records as are to be skipped.
        """
        source = records if isinstance(records, Input) else GivenRecords(records)
        size = _TEXTS_PER_STEP if workers == 1 else min(_TEXTS_PER_JOB, _TEXTS_PER_STEP)
        blocks = _after(source.blocks(size), skip)
        if workers == 1:
            yield from ((block.rows, *self(block)) for block in blocks)
            return
        waiting: deque[tuple[int, Place | None]] = deque()

        def jobs() -> Iterator[tuple[Block, Place | None]]:
            for block in blocks:
                waiting.append((block.rows, place(block.rows)))
                yield block, waiting[-1][1]

        for made, size in in_processes(self.on_threads(cores_of_each(workers)), jobs(), workers=workers):
            count, placed = waiting.popleft()
            yield count, None if placed else made.read(size)


def _after(blocks: Iterator[Block], skip: int) -> Iterator[Block]:
    left = skip
    for block in blocks:
        if left < block.rows:
            yield block.without(left)
        left = max(0, left - block.rows)
    if left:
        raise InputFileError(
            f"the input has {skip - left} texts, but {skip} are done already: it is another input"
        )


def embed_to_file(
    embedder: Embedder,
    records: Input | Iterable[Record],
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
        on_progress(file.rows)
        for count, rows in steps.run(records, workers=workers, skip=file.rows, place=file.place):
            file.append(rows, count)
            on_progress(count)
        file.finish(out)
    finally:
        file.close()
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
