"""Cuts input files into partitions that can be read apart: stretches of lines, runs of row groups."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from romaine.bulk.records import Record, read_jsonl, read_lines
from romaine.errors import InputFileError, OptionError, RomaineError, one_line

FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
"""Formats by ending; all other files are lines."""

_READ = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A part of the input that is embedded into a file of its own.

    Attributes:
        path: The file, as its file system names it.
        version: What changes when the file does.
        format: "lines", "jsonl" or "parquet".
        begin: The first byte of lines that begin here, or the first row group.
        end: The byte or row group after the last one.
        first: Number of its first row or line in all of the input; -1 before that is known.
        rows: Texts in it; -1 before that is known.
    """

    path: str
    version: str
    format: str
    begin: int
    end: int
    first: int = -1
    rows: int = -1


@contextmanager
def file_system(url: str) -> Iterator[tuple[Any, str]]:
    """The fsspec file system of an address, and what it calls it.

    Args:
        url: A path or e.g. "s3://bucket/folder".

    Raises:
        OptionError: If there is no such kind of file system, or a package is missing for it.
        InputFileError: If it fails.
    """
    from fsspec.core import url_to_fs

    try:
        yield url_to_fs(url)
    except RomaineError:
        raise
    except ImportError as error:
        raise OptionError(f"{url}: {one_line(error)}") from None
    except (OSError, ValueError) as error:
        raise InputFileError(f"{url} cannot be used ({one_line(error)})") from None


def partitions_of(files: Any, source: str, *, format_: str, size: int) -> list[Partition]:
    """Cuts a file, or all files of a folder in the order of their names.

    Args:
        files: The file system.
        source: The file or folder.
        format_: "lines", "jsonl", "parquet", or "auto" to go by their endings.
        size: Bytes of a partition, more or less.

    Raises:
        InputFileError: If nothing is there.
    """
    if files.isdir(source):
        names = sorted(name for name in files.find(source) if not _hidden(name[len(source) :]))
    else:
        names = [source] if files.exists(source) else []
    if not names:
        raise InputFileError(f"{source} is not there or has no files in it")
    found: list[Partition] = []
    for name in names:
        suffix = "." + name.rpartition(".")[2]
        kind = FORMATS.get(suffix, "lines") if format_ == "auto" else format_
        about = {"path": name, "version": str(files.ukey(name)), "format": kind}
        if kind == "parquet":
            cuts = _cuts_of_groups(files, name, size)
        else:
            total = int(files.size(name))
            cuts = [(begin, min(begin + size, total)) for begin in range(0, total, size)]
        found += [Partition(**about, begin=begin, end=end) for begin, end in cuts]
    return found


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "_")) for part in name.split("/"))


def _cuts_of_groups(files: Any, name: str, size: int) -> list[tuple[int, int]]:
    from romaine.bulk.parquet import row_groups

    with files.open(name, "rb") as file:
        groups = row_groups(file)
    cuts, begin, weight = [], 0, 0
    for number, (_, group_bytes) in enumerate(groups, 1):
        weight += group_bytes
        if weight >= size or number == len(groups):
            cuts.append((begin, number))
            begin, weight = number, 0
    return cuts


def count_rows(files: Any, partition: Partition) -> tuple[int, int]:
    """Lines that begin in a partition, or rows of its row groups, and how many of them are texts."""
    with files.open(partition.path, "rb") as file:
        if partition.format == "parquet":
            from romaine.bulk.parquet import row_groups

            count = sum(rows for rows, _ in row_groups(file)[partition.begin : partition.end])
            return count, count
        lines = texts = 0
        for line in _lines(file, partition):
            lines += 1
            texts += partition.format == "lines" or not line.isspace()
        return lines, texts


def read_partition(files: Any, partition: Partition, *, field: str) -> Iterator[Record]:
    """The records of a partition.

    Raises:
        InputFileError: As the readers of its format, naming the file.
    """
    try:
        with files.open(partition.path, "rb") as file:
            if partition.format == "parquet":
                from romaine.bulk.parquet import read_parquet

                groups = range(partition.begin, partition.end)
                yield from read_parquet(file, field=field, groups=list(groups), first=partition.first)
            elif partition.format == "jsonl":
                yield from read_jsonl(_lines(file, partition), field=field, first=partition.first)
            else:
                yield from read_lines(_lines(file, partition), first=partition.first)
    except InputFileError as error:
        where = "" if partition.path in str(error) else f"{partition.path}: "
        raise InputFileError(f"{where}{error}") from None


def _lines(file: IO[bytes], partition: Partition) -> Iterator[str]:
    position = max(partition.begin - 1, 0)
    file.seek(position)
    reader = io.BufferedReader(file, _READ)  # type: ignore[type-var]
    if partition.begin:
        position += len(reader.readline())  # ends the line that began before
    while position < partition.end and (line := reader.readline()):
        position += len(line)
        yield line.decode("utf-8", "surrogateescape")
