"""Words with their definitions, from dictd dictionaries (Debian's dict-gcide) and WordNet (wordnet-base)."""

from __future__ import annotations

import gzip
import re
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

from romaine.errors import InputFileError
from romaine.train.cleaning import UNREADABLE

_SENSE = re.compile(r"\s+(?=\d+\.\s)")
_NUMBER = re.compile(r"^\d+\.\s+(?:\([^)]*\)\s*)*")
_NOTES = re.compile(r"\[[^\[\]]*\]|\{|\}|--[^-]*$|\\[^\\]*\\")
_SPACES = re.compile(r"\s+")
_FEWEST_WORDS = 3


def read_dictionary(index: Path) -> Iterator[tuple[str, str]]:
    """Yields (headword, first sentence of a sense) of a dictd dictionary.

    The index has a line ``headword TAB offset TAB length`` in dictd's base 64 for each article. Articles are
    read in the order of the file, so that the compressed text is passed over once.

    Args:
        index: The ``.index`` file; ``.dict.dz`` (gzip) or ``.dict`` of the same name is beside it.

    Raises:
        InputFileError: If a file is missing or damaged.
    """
    packed, plain = index.with_suffix(".dict.dz"), index.with_suffix(".dict")
    try:
        with index.open(encoding="utf-8") as file:
            entries = (line for line in file if not line.startswith("00"))
            places = sorted({_place(line, number, index) for number, line in enumerate(entries, 1)})
        with gzip.open(packed, "rb") if packed.is_file() else plain.open("rb") as articles:
            at, last, article = 0, (-1, -1), ""
            for offset, length, word in places:
                if (offset, length) != last:
                    if offset < at:  # an article within another one
                        continue
                    articles.read(offset - at)
                    article = articles.read(length).decode("utf-8", "replace")
                    at, last = offset + length, (offset, length)
                # other headwords lead into this article too: phrases in it, inflected forms
                if article.lower().startswith(word.lower()):
                    for sense in _senses(article):
                        yield word, sense
    except UNREADABLE as error:
        raise InputFileError(f"dictionary {index} cannot be read: {error}") from error


def read_wordnet(path: Path) -> Iterator[tuple[str, str]]:
    """Yields (word, gloss) of every word in every synset of a WordNet ``data.*`` file; see wndb(5WN).

    Raises:
        InputFileError: If the file is missing or damaged.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.startswith("  "):  # the licence
                    continue
                head, bar, gloss = line.partition(" | ")
                words = head.split()
                try:
                    count = int(words[3], 16)
                    names = words[4 : 4 + 2 * count : 2]
                    if not bar or len(names) != count:
                        raise ValueError
                except (ValueError, IndexError):
                    raise InputFileError(f"{path}, line {number} is not a synset of WordNet") from None
                definition = gloss.split('; "')[0].strip()
                for name in names:
                    yield name.partition("(")[0].replace("_", " "), definition
    except (OSError, UnicodeDecodeError) as error:
        raise InputFileError(f"{path} cannot be read: {error}") from error


def _place(line: str, number: int, index: Path) -> tuple[int, int, str]:
    try:
        word, offset, length = line.rstrip("\n").split("\t")[:3]
        return _base64(offset), _base64(length), word
    except ValueError:
        raise InputFileError(f"{index}, entry {number} is not a line of a dictd index") from None


def _base64(digits: str) -> int:
    whole = digits.rjust(-(-len(digits) // 4) * 4, "A")  # zeros in front
    return int.from_bytes(b64decode(whole, validate=True), "big")


def _senses(article: str) -> Iterator[str]:
    """The first sentence of each numbered sense of an article, or of all of it if none is numbered."""
    _, _, body = article.partition("\n")
    senses = _SENSE.split(" " + body.split("\n\n")[0] if not _SENSE.search(body) else body)
    numbered = [sense for sense in senses if sense.strip()[:1].isdigit()] or senses[:1]
    for sense in numbered:
        text = _SPACES.sub(" ", _NOTES.sub(" ", _NUMBER.sub("", sense.strip().split("\n\n")[0]))).strip()
        sentence = re.split(r"(?<=[.;])\s", text)[0].rstrip(";. ")
        if len(sentence.split()) >= _FEWEST_WORDS:
            yield sentence
