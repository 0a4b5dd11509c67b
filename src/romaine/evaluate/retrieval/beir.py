"""Reads the folder layout of BEIR (Thakur et al. 2021): corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv.

    corpus.jsonl    {"_id": "d1", "title": "may be missing or empty", "text": "..."}
    queries.jsonl   {"_id": "q1", "text": "..."}
    qrels/test.tsv  query-id <tab> corpus-id <tab> score, with a header line

An error names the file and the line and never shows what stands there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from romaine.bounded.parsing import parse_json, read_line
from romaine.errors import FormatError, InputFileError, UnknownNameError

_CORPUS, _QUERIES, _QRELS = "corpus.jsonl", "queries.jsonl", "qrels"
_DEFAULT_SPLIT = "test"
_QREL_COLUMNS = ("query-id", "corpus-id", "score")


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document.

    Attributes:
        id: The collection's id of it.
        text: Title and text, one space between them.
    """

    id: str
    text: str


Judgements = Mapping[str, Mapping[str, int]]
"""How relevant a document is to a query, by query id and document id; 0 is not at all."""


@dataclass(frozen=True, kw_only=True)
class BeirFolder:
    """A collection on disk. Its corpus is read as a stream, however large it is.

    Attributes:
        path: The folder.
        split: Which judgements are used, e.g. "test".
    """

    path: Path
    split: str

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    def documents(self) -> Iterator[Document]:
        """Yields the documents in the order of the file.

        Raises:
            InputFileError: Naming the line that is malformed or repeats an id.
        """
        for id_, record, where in _records(self.path / _CORPUS):
            parts = [_text(record, "title", where, needed=False), _text(record, "text", where)]
            yield Document(id=id_, text=" ".join(part for part in parts if part))

    def queries(self) -> dict[str, str]:
        """The queries' texts by id, in the order of the file.

        Raises:
            InputFileError: As `documents`.
        """
        return {id_: _text(record, "text", where) for id_, record, where in _records(self.path / _QUERIES)}

    def judgements(self) -> dict[str, dict[str, int]]:
        """The judgements of the split.

        Raises:
            InputFileError: Naming the line that is malformed or judges a pair again.
        """
        judged: dict[str, dict[str, int]] = {}
        for first, (line, where) in enumerate(_lines(self.path / _QRELS / f"{self.split}.tsv")):
            try:
                columns = line.decode("utf-8-sig").rstrip("\r\n").split("\t")
            except UnicodeDecodeError:
                raise InputFileError(f"{where} is not UTF-8 text; save the file as UTF-8") from None
            if first == 0 and tuple(columns) == _QREL_COLUMNS:
                continue
            if len(columns) != len(_QREL_COLUMNS) or not all(columns):
                raise InputFileError(f"{where}: {', '.join(_QREL_COLUMNS)} with tabs between them are needed")
            query, document, score = columns
            documents = judged.setdefault(query, {})
            if document in documents:
                raise InputFileError(f"{where}: this query and document were judged before; keep one line")
            try:
                documents[document] = int(score)
            except ValueError:
                raise InputFileError(f"{where}: the score must be a whole number") from None
        return judged


def open_beir(folder: str | os.PathLike[str], *, split: str | None = None) -> BeirFolder:
    """Looks at a folder and chooses the judgements; reads nothing yet.

    Args:
        folder: The folder.
        split: Name of a file in qrels/ without ".tsv"; None for the only one, or "test" where there are more.

    Raises:
        InputFileError: If it is not laid out as BEIR does.
        UnknownNameError: If there is no such split.
    """
    path = Path(folder)
    for name in (_CORPUS, _QUERIES):
        if not (path / name).is_file():
            raise InputFileError(
                f"{os.fspath(folder)!r} is no BEIR folder: {name} is missing;"
                f" {_CORPUS}, {_QUERIES} and {_QRELS}/{_DEFAULT_SPLIT}.tsv are needed"
            )
    splits = sorted(file.stem for file in (path / _QRELS).glob("*.tsv"))
    if not splits:
        raise InputFileError(
            f"{os.fspath(folder)!r} is no BEIR folder: {_QRELS}/{_DEFAULT_SPLIT}.tsv is missing"
        )
    chosen = split if split is not None else splits[0] if len(splits) == 1 else _DEFAULT_SPLIT
    if chosen not in splits:
        raise UnknownNameError("split", chosen, splits)
    return BeirFolder(path=path, split=chosen)


def _lines(path: Path) -> Iterator[tuple[bytes, str]]:
    """Yields each line that is not blank and where it stands."""
    try:
        with path.open("rb") as stream:
            number = 1
            while line := read_line(stream, f"{path}, line {number}"):
                if line.strip():
                    yield line, f"{path}, line {number}"
                number += 1
    except OSError as error:
        raise InputFileError(f"{path} cannot be read ({error.strerror}); check the path") from None
    except FormatError as error:
        raise InputFileError(str(error)) from None


def _records(path: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yields id, object and place of each line."""
    seen: set[str] = set()
    for line, where in _lines(path):
        try:
            record = parse_json(line, where)
        except FormatError as error:
            raise InputFileError(str(error)) from None
        if not isinstance(record, dict):
            raise InputFileError(f"{where}: a JSON object is needed, got {type(record).__name__}")
        id_ = record.get("_id")
        if isinstance(id_, int) and not isinstance(id_, bool):
            id_ = str(id_)
        if not isinstance(id_, str) or not id_:
            raise InputFileError(f'{where}: "_id" must be a string that is not empty')
        if id_ in seen:
            raise InputFileError(f'{where}: this "_id" stands in an earlier line, too; each must be its own')
        seen.add(id_)
        yield id_, record, where


def _text(record: Mapping[str, Any], key: str, where: str, *, needed: bool = True) -> str:
    value = record.get(key)
    if value is None and not needed:
        return ""
    if not isinstance(value, str):
        raise InputFileError(f'{where}: "{key}" must be a string, got {type(value).__name__}')
    return value.strip()
