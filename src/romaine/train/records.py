"""Data files of every known shape as a stream of records, one at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeAlias, TypeVar

from romaine.errors import InputFileError
from romaine.evaluate.sts import iter_scored_pairs
from romaine.train.cleaning import UNREADABLE, kind_of, open_text
from romaine.train.dictionaries import read_dictionary, read_wordnet
from romaine.train.recipe import DataKind

T = TypeVar("T")

_LEFT = ("query", "anchor", "sentence1", "question", "word")
_RIGHT = ("positive", "sentence2", "answer", "definition")
_TEXT_KEYS = ("text", *_LEFT, *_RIGHT, "negative")


@dataclass(frozen=True)
class TextRecord:
    """A text on its own."""

    source: str
    text: str


@dataclass(frozen=True)
class PairRecord:
    """A query, what answers it, and what seems to and does not, if anything."""

    source: str
    query: str
    positive: str
    negative: str | None = None


@dataclass(frozen=True)
class ScoredRecord:
    """Two texts and the similarity people gave them."""

    source: str
    left: str
    right: str
    score: float


@dataclass(frozen=True)
class DialogueRecord:
    """A conversation: (speaker, text) of each turn."""

    source: str
    turns: tuple[tuple[str, str], ...]


Record: TypeAlias = TextRecord | PairRecord | ScoredRecord | DialogueRecord


def read_records(path: Path, kind: DataKind) -> Iterator[Record]:
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

    All but a dictionary, WordNet and a ``.csv`` of scored pairs may end in ``.gz``. An object's ``source``
    names its source, else the file does.

    Raises:
        InputFileError: If the file is missing, of another kind or damaged; with the line's number, never its
            text.
    """
    if kind is DataKind.DICTIONARY:
        yield from (PairRecord(path.name, word, text) for word, text in read_dictionary(path))
        return
    if kind is DataKind.WORDNET:
        yield from (PairRecord(path.name, word, text) for word, text in read_wordnet(path))
        return
    suffix = kind_of(path)
    if kind is DataKind.SCORED and path.suffix.lower() == ".csv":
        yield from (ScoredRecord(path.name, *row) for row in iter_scored_pairs(path))
        return
    readers: dict[str, Callable[[Path, DataKind], Iterator[Record]]] = {".jsonl": _json_lines}
    if kind in (DataKind.TEXTS, DataKind.PAIRS):
        readers |= {".csv": _columns, ".tsv": _columns}
    if kind is DataKind.TEXTS:
        readers |= {".txt": _lines}
    if suffix not in readers:
        allowed = [*readers, ".csv"] if kind is DataKind.SCORED else list(readers)
        raise InputFileError(f"{path} cannot be read as {kind.value}; allowed: {', '.join(allowed)}")
    try:
        yield from readers[suffix](path, kind)
    except UNREADABLE as error:
        raise InputFileError(f"{path} cannot be read: {error}") from error


def _json_lines(path: Path, kind: DataKind) -> Iterator[Record]:
    makers = {
        DataKind.TEXTS: _texts,
        DataKind.PAIRS: _pair,
        DataKind.SCORED: _scored,
        DataKind.DIALOGUES: _dialogue,
    }
    for number, line in _numbered(path, iter):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            if isinstance(record, str):
                record = {"text": record}
            source = str(record.get("source", path.name))
            made = list(makers[kind](record, source))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            raise InputFileError(
                f"{path}, line {number} is not a JSON record of kind {kind.value};"
                " docs/training.md shows the shapes"
            ) from None
        yield from made


def _texts(record: Mapping[str, Any], source: str) -> Iterator[Record]:
    if "turns" in record:
        yield from (TextRecord(source, text) for _, text in _turns(record))
    for key in _TEXT_KEYS:
        if isinstance(text := record.get(key), str):
            yield TextRecord(source, text)


def _pair(record: Mapping[str, Any], source: str) -> Iterator[Record]:
    negative = record.get("negative")
    if not isinstance(negative, str | None):
        raise TypeError
    yield PairRecord(source, _string(record, _LEFT), _string(record, _RIGHT), negative)


def _scored(record: Mapping[str, Any], source: str) -> Iterator[Record]:
    score = float(record["score"])
    if score - score != 0:
        raise ValueError
    yield ScoredRecord(source, _string(record, _LEFT), _string(record, _RIGHT), score)


def _dialogue(record: Mapping[str, Any], source: str) -> Iterator[Record]:
    yield DialogueRecord(source, tuple(_turns(record)))


def _turns(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for speaker, text in record["turns"]:
        if not isinstance(text, str):
            raise TypeError
        yield str(speaker), text


def _string(record: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    text = next(record[key] for key in keys if key in record) if any(k in record for k in keys) else None
    if not isinstance(text, str):
        raise TypeError
    return text


def _columns(path: Path, kind: DataKind) -> Iterator[Record]:
    delimiter = "\t" if kind_of(path) == ".tsv" else ","
    for number, row in _numbered(path, lambda file: csv.reader(file, delimiter=delimiter)):
        if not row:
            continue
        if kind is DataKind.TEXTS:
            yield from (TextRecord(path.name, text) for text in row[:2])
        elif len(row) in (2, 3):
            yield PairRecord(path.name, *row)
        else:
            raise InputFileError(f"{path}, row {number}: {len(row)} columns instead of 2 or 3")


def _lines(path: Path, _kind: DataKind) -> Iterator[Record]:
    yield from (TextRecord(path.name, line) for _, line in _numbered(path, iter))


def _numbered(path: Path, rows: Callable[[TextIO], Iterator[T]]) -> Iterator[tuple[int, T]]:
    number = 0
    with open_text(path) as file:
        try:
            for number, row in enumerate(rows(file), 1):
                yield number, row
        except UNREADABLE as error:
            raise InputFileError(f"{path} cannot be read after row {number}: {error}") from error
