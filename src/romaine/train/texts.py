"""Training texts: files of any of the known shapes -> a balanced, de-duplicated, reproducible sample."""

from __future__ import annotations

import csv
import gzip
import heapq
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TextIO

from romaine.errors import OptionError

_TEXT_KEYS = ("text", "query", "positive", "negative", "sentence1", "sentence2", "anchor", "definition")


def sample_texts(
    paths: Sequence[str | Path], *, limit: int, seed: int = 0, max_chars: int = 400
) -> list[str]:
    """Reads texts, drops repeats, and keeps the same number from each source as far as they last.

    Which texts are kept depends on their content and the seed alone, not on the order of lines: every text
    gets a keyed hash, and the smallest hashes of each source win (bottom-k sampling, Cohen and Kaplan 2007).
    A text that several sources have counts for the first of them.

    Args:
        paths: Files; see `read_records` for the shapes.
        limit: How many texts to return at most.
        seed: Key of the hash.
        max_chars: Longer texts are cut here, at a space.

    Returns:
        The texts in the order of their hashes, which is a shuffle of all sources.

    Raises:
        OptionError: If a file is missing, of an unknown kind, damaged, or no text is found.
    """
    key = seed.to_bytes(8, "little", signed=True)
    seen: set[int] = set()
    kept: dict[str, list[tuple[int, str]]] = {}
    for source, text in _clean(paths, max_chars):
        rank = int.from_bytes(
            blake2b(text.encode("utf-8", "replace"), digest_size=8, key=key).digest(), "big"
        )
        if rank in seen:
            continue
        seen.add(rank)
        heap = kept.setdefault(source, [])
        # heapq keeps the smallest on top, so ranks are negated: the top is the one to lose.
        if len(heap) < limit:
            heapq.heappush(heap, (-rank, text))
        else:
            heapq.heappushpop(heap, (-rank, text))
    if not kept:
        raise OptionError(
            f"no text found in {', '.join(map(str, paths)) or 'no files'}; give at least one text"
        )
    shares = fill_evenly({source: len(heap) for source, heap in kept.items()}, limit)
    chosen = [pair for source, heap in kept.items() for pair in heapq.nlargest(shares[source], heap)]
    return [text for _, text in sorted(chosen, reverse=True)]


def fill_evenly(available: Mapping[str, int], total: int) -> dict[str, int]:
    """Splits `total` evenly over sources; what a small source cannot fill goes to the others."""
    shares: dict[str, int] = {}
    left = total
    for place, (source, count) in enumerate(sorted(available.items(), key=lambda item: (item[1], item[0]))):
        shares[source] = min(count, left // (len(available) - place))
        left -= shares[source]
    return shares


def read_records(path: Path) -> Iterator[tuple[str, str]]:
    """Yields (source, text) of a file, optionally gzipped, without holding it in memory.

    * ``.jsonl``: a JSON string a line, or an object with ``turns`` ([[speaker, text], ...]) or any of
      ``text``, ``query``, ``positive``, ``negative``, ``sentence1``, ``sentence2``, ``anchor``,
      ``definition``; its ``source``, if any, names the source.
    * ``.csv`` and ``.tsv``: the first two columns, without a header (the layout of STS files).
    * ``.txt``: one text a line.

    Raises:
        OptionError: If the file is missing, of another kind, or damaged.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")
    readers = {".jsonl": _read_jsonl, ".csv": _read_table, ".tsv": _read_table, ".txt": _read_lines}
    if kind not in readers:
        raise OptionError(f"{path} is of an unknown kind; allowed: {', '.join(readers)}, each also with .gz")
    try:
        with _open(path) as file:
            yield from readers[kind](file, path)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise OptionError(f"{path} cannot be read: {error}") from error


def _clean(paths: Iterable[str | Path], max_chars: int) -> Iterator[tuple[str, str]]:
    for path in map(Path, paths):
        for source, text in read_records(path):
            text = text.strip()
            if len(text) > max_chars:
                text = text[:max_chars].rsplit(maxsplit=1)[0]
            if text:
                yield source, text


def _open(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8")
    return path.open(encoding="utf-8", newline="")


def _read_jsonl(file: TextIO, path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise OptionError(f"{path}, line {number} is not JSON: {error}") from error
        if isinstance(record, str):
            yield path.name, record
            continue
        if not isinstance(record, dict):
            raise OptionError(
                f"{path}, line {number} must be a JSON string or object, got {type(record).__name__}"
            )
        source = str(record.get("source", path.name))
        turns = record.get("turns", [])
        for text in [turn[-1] for turn in turns if turn] + [record.get(key) for key in _TEXT_KEYS]:
            if isinstance(text, str):
                yield source, text


def _read_table(file: TextIO, path: Path) -> Iterator[tuple[str, str]]:
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    for row in csv.reader(file, delimiter=delimiter):
        for text in row[:2]:
            yield path.name, text


def _read_lines(file: TextIO, path: Path) -> Iterator[tuple[str, str]]:
    for line in file:
        yield path.name, line
