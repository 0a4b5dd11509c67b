"""What a language is to the memory: an `Analyzer`, which makes of texts what they are found by."""

from __future__ import annotations

import re
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

_MARK = re.compile("[?\uff1f\u061f\u055e\u1367\u2047-\u2049\u203d\u2e2e\ufe56\ufe16]")


@dataclass(frozen=True)
class Word:
    """A word of a query.

    Attributes:
        token: As written, without regard to case and the like.
        forms: Any of which a text holds among its terms if it has this word, one at least.
        is_stop: Whether it says nothing of what a query is after.
        is_name: Whether it looks like a name: a memory that does not know it holds no answer.
    """

    token: str
    forms: tuple[str, ...]
    is_stop: bool = False
    is_name: bool = False


@lru_cache(maxsize=1 << 17)
def number(term: str) -> int:
    """Returns the number of a term."""
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


class Analyzer(ABC):
    """Makes of texts what they are found by. The same text must always give the same.

    Only `terms` is needed. Called from many threads.

    Attributes:
        id: What a file names it by.
        version: To be raised with any change of what `terms` gives; files then get new terms when opened.
    """

    id: str
    version: int

    @abstractmethod
    def terms(self, text: str) -> list[str]:
        """Returns what a text is found by, in its order, repetitions and stop words kept."""

    def words(self, text: str) -> list[Word]:
        """Returns the words of a query, in its order."""
        return [Word(term, (term,)) for term in self.terms(text)]

    def name_keys(self, text: str) -> frozenset[str]:
        """Returns what tells whether a query names a speaker: theirs and the speaker's have one in common."""
        return frozenset(word.token for word in self.words(text) if not word.is_stop)

    def numbers(self, text: str) -> list[int]:
        """Returns the same as numbers, CRC-32 each, in which form a memory keeps them."""
        return list(map(number, self.terms(text)))

    def asks(self, text: str) -> bool:
        """Tells whether a text holds a question."""
        return _MARK.search(text) is not None
