"""What every text goes through before it is learned from: cutting, de-duplicating, decontaminating."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, TextIO

from romaine.errors import InputFileError

GRAM = 13
"""Words in a row that a training text may not share with a measuring set (Brown et al. 2020, GPT-3)."""

_WHOLE = 5
"""Words from which a text shorter than `GRAM` may not be in a measuring set as a whole."""

UNREADABLE = (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error)
"""What reading a file line by line may raise, packed or not."""

_WORD = re.compile(r"\w+(?:'\w+)?")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower())


def text_key(text: str) -> int:
    """A 64-bit hash of a text that is blind to case, punctuation and spacing."""
    return hash64(" ".join(words_of(text) or [text.strip()]))


def hash64(text: str, key: bytes = b"") -> int:
    """A keyed hash of 64 bits, the same in every process."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8, key=key).digest(), "big")


def cut(text: str, max_chars: int) -> str:
    """Strips a text and cuts it at the last space within `max_chars`."""
    text = text.strip()
    return text if len(text) <= max_chars else text[:max_chars].rsplit(maxsplit=1)[0]


class Contamination:
    """What measuring sets say, so that training texts which repeat it are left out.

    A text is contaminated if any `GRAM` words in a row are also in a measuring text, or, where it is shorter
    than that and has at least five words, if it is one of them as a whole.

    Args:
        texts: The measuring texts; only hashes of them are kept.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._grams: set[int] = set()
        self._wholes: set[int] = set()
        for text in texts:
            words = words_of(text)
            self._grams.update(_grams(words))
            if _WHOLE <= len(words) < GRAM:
                self._wholes.add(hash64(" ".join(words)))

    def holds(self, text: str) -> bool:
        """Whether a training text repeats a measuring text."""
        words = words_of(text)
        if len(words) < GRAM:
            return len(words) >= _WHOLE and hash64(" ".join(words)) in self._wholes
        return any(gram in self._grams for gram in _grams(words))


def measuring_texts(paths: Sequence[str | Path]) -> Iterator[str]:
    """Yields every text of measuring files, whatever their shape.

    ``.csv`` and ``.tsv`` give their cells, ``.json`` (LoCoMo among them) and ``.jsonl`` every string in them,
    ``.txt`` its lines; each also with ``.gz``.

    Raises:
        InputFileError: If a file cannot be read or is of another kind.
    """
    readers: dict[str, Callable[[TextIO], Iterator[str]]] = {
        ".csv": _cells,
        ".tsv": _cells,
        ".json": _document,
        ".jsonl": _documents,
        ".txt": iter,
    }
    for path in map(Path, paths):
        kind = kind_of(path)
        if kind not in readers:
            raise InputFileError(f"{path} is of an unknown kind; measuring files are {', '.join(readers)}")
        try:
            with open_text(path) as file:
                yield from readers[kind](file)
        except (*UNREADABLE, ValueError, RecursionError) as error:
            raise InputFileError(f"{path} cannot be read ({error})") from error


def kind_of(path: Path) -> str:
    """The suffix that says what a file holds: the last one that is not ``.gz``."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def open_text(path: Path) -> TextIO:
    """Opens a file as UTF-8 text, with or without a byte order mark, unpacking gzip."""
    if path.suffix.lower() == ".gz":
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _cells(file: TextIO) -> Iterator[str]:
    delimiter = "\t" if kind_of(Path(file.name)) == ".tsv" else ","
    for row in csv.reader(file, delimiter=delimiter):
        yield from row


def _document(file: TextIO) -> Iterator[str]:
    yield from _strings(json.load(file))


def _documents(file: TextIO) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                yield from _strings(json.loads(line))
            except (ValueError, RecursionError):
                raise ValueError(f"line {number} is not JSON") from None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _grams(words: Sequence[str]) -> Iterator[int]:
    # Python's own hash differs from process to process, which is no matter for sets that never leave one
    for start in range(len(words) - GRAM + 1):
        yield hash(tuple(words[start : start + GRAM]))
