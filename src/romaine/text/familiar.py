"""Which pieces of a tokenizer say little: unknown ones, bytes, and letters that stand alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_MARKS = "\u2581\u0120 "  # before a piece that begins a word
_BYTE = re.compile("<0x[0-9A-Fa-f]{2}>")
_LOGOGRAMS = (re.compile("[\u3400-\u9fff]"), 2000)
_SYLLABLES = (re.compile("[\uac00-\ud7a3]"), 500)
"""Scripts of which a letter alone says much, and how many of them a vocabulary that was made for them has."""


class Familiar:
    """Tells them apart by what a token id reads as.

    Args:
        vocabulary: All pieces.
        read: The text of one token id, empty for special ones.
        unknown: The id of what is not in the vocabulary, or None.
    """

    def __init__(self, vocabulary: Iterable[str], read: Callable[[int], str], unknown: int | None) -> None:
        alone = {_bare(piece) for piece in vocabulary}
        self._whole = [
            script
            for script, least in (_LOGOGRAMS, _SYLLABLES)
            if sum(map(bool, map(script.fullmatch, alone))) >= least
        ]
        self._read = read
        self._kinds: dict[int, bool | None] = {} if unknown is None else {unknown: True}

    def count(self, ids: Iterable[int]) -> tuple[int, int]:
        """Returns how many of some tokens are unfamiliar, and how many there are but for signs and digits."""
        kinds = [self._kind(number) for number in ids]
        return kinds.count(True), len(kinds) - kinds.count(None)

    def _kind(self, number: int) -> bool | None:
        """Whether a token is unfamiliar; None if it is no letter at all."""
        if number not in self._kinds:
            piece = _bare(self._read(number))
            kind: bool | None = None
            if "\ufffd" in piece or _BYTE.fullmatch(piece):
                kind = True
            elif any(char.isalpha() for char in piece):
                kind = len(piece) == 1 and not any(script.fullmatch(piece) for script in self._whole)
            self._kinds[number] = kind
        return self._kinds[number]


def _bare(piece: str) -> str:
    return piece.removeprefix("##").strip(_MARKS)
