"""Data files of every known shape as a stream of examples, and a balanced sample of them."""

from __future__ import annotations

import csv
import heapq
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeAlias, TypeVar

from romaine.errors import InputFileError
from romaine.evaluate.sts import iter_scored_pairs
from romaine.train.cleaning import UNREADABLE, cut, hash64, kind_of, open_text
from romaine.train.dictionaries import read_dictionary, read_wordnet
from romaine.train.recipe import PAIRED, DataKind, DataSource

T = TypeVar("T")

Spans: TypeAlias = Sequence[tuple[int, int]]
"""First and last of lines, counted from 1; empty for all lines."""

_LEFT = ("query", "anchor", "sentence1", "question", "word")
_RIGHT = ("positive", "sentence2", "answer", "definition")
_TEXT_KEYS = ("text", *_LEFT, *_RIGHT, "negative")


@dataclass(frozen=True)
class Example:
    """One record of a data file.

    Attributes:
        source: Where in the file it comes from.
        texts: One text; or a query, what answers it, and perhaps what seems to and does not; or two texts
            with a score; or the turns of a dialogue.
        score: The similarity people gave two texts.
        speakers: Of the turns of a dialogue.
    """

    source: str
    texts: tuple[str, ...]
    score: float | None = None
    speakers: tuple[str, ...] = ()

    def rank(self, key: bytes) -> int:
        """A 64-bit keyed hash of what it says."""
        return hash64("\x1f".join([*self.texts, *([] if self.score is None else [str(self.score)])]), key)


def sample_examples(
    examples: Iterable[Example], source: DataSource, key: bytes
) -> tuple[list[Example], dict[str, int]]:
    """A balanced, reproducible sample of a file's examples without repeats, and how many were read.

    Which examples are kept depends on their content and the key alone, not on the order of lines: each gets a
    keyed hash, and the smallest hashes of each source win (bottom-k sampling, Cohen and Kaplan 2007). The
    file is never held.
    """
    seen: set[int] = set()
    kept: dict[str, list[tuple[int, int, Example]]] = {}
    read = 0
    for example in examples:
        if source.sources and example.source not in source.sources:
            continue
        read += 1
        texts = tuple(cut(text, source.max_chars) for text in example.texts)
        example = Example(example.source, texts, example.score, example.speakers)
        rank = example.rank(key)
        if rank in seen or not any(example.texts):
            continue
        seen.add(rank)
        most = source.sources.get(example.source, source.limit)
        heap = kept.setdefault(example.source, [])
        # heapq keeps the smallest on top, so ranks are negated: the top is the one to lose.
        push = heapq.heappush if len(heap) < most else heapq.heappushpop
        push(heap, (-rank, -read, example))
    shares = fill_evenly({name: len(heap) for name, heap in kept.items()}, source.limit)
    chosen = [entry for name, heap in kept.items() for entry in heapq.nlargest(shares[name], heap)]
    sample = [example for _, _, example in sorted(chosen, key=lambda entry: -entry[0])]
    return sample, {"read": read, "without repeats": len(seen), "sampled": len(sample)}


def is_held_out(example: Example, kind: DataKind, share: float, key: bytes) -> bool:
    """Whether an example is held out: dialogues as a whole, pairs with all that have the same positive."""
    if kind is not DataKind.DIALOGUES and kind not in PAIRED:
        return False
    keyed = example.texts[1:2] if kind in PAIRED else example.texts
    return hash64("\x1f".join(keyed), key + b"held") < share * 2**64


def fill_evenly(available: Mapping[str, int], total: int) -> dict[str, int]:
    """Splits `total` evenly over sources; what a small source cannot fill goes to the others."""
    shares: dict[str, int] = {}
    left = total
    for place, (source, count) in enumerate(sorted(available.items(), key=lambda item: (item[1], item[0]))):
        shares[source] = min(count, left // (len(available) - place))
        left -= shares[source]
    return shares


def read_examples(path: Path, kind: DataKind, *, lines: Spans = ()) -> Iterator[Example]:
    """Yields the records of a file without holding it in memory.

    * texts: ``.jsonl`` (a string a line, or an object with ``turns`` or any of ``text``, ``query``,
      ``positive``, ``negative``, ``sentence1``, ``sentence2``, ``anchor``, ``definition``, ...), ``.csv`` and
      ``.tsv`` (the first two columns, no header), ``.txt`` (a text a line).
    * pairs: ``.jsonl`` objects with ``query`` (or ``anchor``, ``question``) and ``positive`` (or ``answer``,
      ``definition``), optionally ``negative``; ``.csv`` and ``.tsv`` with two or three columns.
    * scored: ``.csv`` of sentence1, sentence2, score without a header, or ``.jsonl`` objects with those keys.
    * dialogues: ``.jsonl`` objects with ``turns``: [[speaker, text], ...].
    * dictionary: the ``.index`` of a dictd dictionary, its ``.dict.dz`` or ``.dict`` beside it.
    * wordnet: a ``data.*`` file of WordNet.

    All but a dictionary and WordNet may end in ``.gz``. An object's ``source`` names its source, else the
    file does. `lines` are the spans of lines, in CSV of rows, that are read; dictionaries have none.

    Raises:
        InputFileError: If the file is missing, of another kind or damaged; with the line's number, never its
            text.
    """
    if kind in (DataKind.DICTIONARY, DataKind.WORDNET):
        read = read_dictionary if kind is DataKind.DICTIONARY else read_wordnet
        yield from (Example(path.name, entry) for entry in read(path))
        return
    if kind is DataKind.SCORED and kind_of(path) == ".csv":
        for number, (left, right, score) in enumerate(iter_scored_pairs(path), 1):
            if _within(number, lines):
                yield Example(path.name, (left, right), score)
        return
    readers: dict[str, Callable[[Path, DataKind, Spans], Iterator[Example]]] = {".jsonl": _json_lines}
    if kind in (DataKind.TEXTS, DataKind.PAIRS):
        readers |= {".csv": _columns, ".tsv": _columns}
    if kind is DataKind.TEXTS:
        readers |= {".txt": _lines}
    if kind_of(path) not in readers:
        allowed = [*readers, ".csv"] if kind is DataKind.SCORED else list(readers)
        raise InputFileError(f"{path} cannot be read as {kind.value}; allowed: {', '.join(allowed)}")
    try:
        yield from readers[kind_of(path)](path, kind, lines)
    except UNREADABLE as error:
        raise InputFileError(f"{path} cannot be read: {error}") from error


def _within(number: int, lines: Spans) -> bool:
    return not lines or any(first <= number <= last for first, last in lines)


def _json_lines(path: Path, kind: DataKind, lines: Spans) -> Iterator[Example]:
    for number, line in _numbered(path, iter, lines):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if isinstance(record, str):
                record = {"text": record}
            made = list(_of_json(record, kind, str(record.get("source", path.name))))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            raise InputFileError(
                f"{path}, line {number} is not a JSON record of kind {kind.value};"
                " docs/training.md shows the shapes"
            ) from None
        yield from made


def _of_json(record: Mapping[str, Any], kind: DataKind, source: str) -> Iterator[Example]:
    """The examples in an object of JSON; what does not fit raises one of the errors `_json_lines` names."""
    if kind is DataKind.TEXTS:
        _, turns = _turns(record) if "turns" in record else ((), ())
        texts = [record[key] for key in _TEXT_KEYS if isinstance(record.get(key), str)]
        yield from (Example(source, (text,)) for text in (*turns, *texts))
    elif kind is DataKind.DIALOGUES:
        speakers, turns = _turns(record)
        yield Example(source, turns, speakers=speakers)
    else:
        pair = _string(record, _LEFT), _string(record, _RIGHT)
        if kind is DataKind.PAIRS:
            yield _pair(source, *pair, record.get("negative"))
        elif math.isfinite(score := float(record["score"])):
            yield Example(source, pair, score)
        else:
            raise ValueError


def _pair(source: str, query: str, positive: str, negative: str | None = None) -> Example:
    negatives = (negative,) if negative is not None and negative.strip() else ()
    return Example(source, (query, positive, *negatives))


def _turns(record: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Speakers and texts of a dialogue's turns."""
    turns = [(str(speaker), text) for speaker, text in record["turns"]]
    if not all(isinstance(text, str) for _, text in turns):
        raise TypeError
    return tuple(speaker for speaker, _ in turns), tuple(text for _, text in turns)


def _string(record: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    text = next((record[key] for key in keys if key in record), None)
    if not isinstance(text, str):
        raise TypeError
    return text


def _columns(path: Path, kind: DataKind, lines: Spans) -> Iterator[Example]:
    delimiter = "\t" if kind_of(path) == ".tsv" else ","
    for number, row in _numbered(path, lambda file: csv.reader(file, delimiter=delimiter), lines):
        if not row:
            continue
        if kind is DataKind.TEXTS:
            yield from (Example(path.name, (text,)) for text in row[:2])
        elif len(row) in (2, 3):
            yield _pair(path.name, *row)
        else:
            raise InputFileError(f"{path}, row {number}: {len(row)} columns instead of 2 or 3")


def _lines(path: Path, _kind: DataKind, lines: Spans) -> Iterator[Example]:
    yield from (Example(path.name, (line,)) for _, line in _numbered(path, iter, lines))


def _numbered(path: Path, rows: Callable[[TextIO], Iterator[T]], lines: Spans) -> Iterator[tuple[int, T]]:
    number = 0
    with open_text(path) as file:
        try:
            for number, row in enumerate(rows(file), 1):
                if _within(number, lines):
                    yield number, row
        except UNREADABLE as error:
            raise InputFileError(f"{path} cannot be read after row {number}: {error}") from error
