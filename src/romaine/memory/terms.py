"""Terms: what an analyzer finds in a text, as numbers.

A term is a 32-bit number, the CRC-32 of what the analyzer calls it. Numbers need no shared vocabulary, so
what one process writes another can search, and a memory's terms fit in one small blob. Among 50,000 stems
about 0.3 pairs collide.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from romaine.memory.language import Analyzer, Word, number

TermIds = NDArray[np.uint32]

Forms = tuple[int, ...]
"""Terms any of which stands for one word of a query."""

QUESTION_MARK = number("?")
"""The term that a text with a question in it has besides its words."""


def term_ids(text: str, analyzer: Analyzer) -> TermIds:
    """Returns the terms of a text to be searched.

    Args:
        text: Any str.
        analyzer: Of the file.

    Returns:
        uint32 (terms,) in the order of the text, repetitions and stop words kept, and `QUESTION_MARK` at the
        end if the text asks something.
    """
    ids = analyzer.numbers(text)
    if analyzer.asks(text):
        ids.append(QUESTION_MARK)
    return np.fromiter(ids, np.uint32, len(ids))


def word_terms(words: Iterable[Word]) -> tuple[Forms, ...]:
    """Returns the distinct terms of a query's words, in their order."""
    return tuple(dict.fromkeys(tuple(map(number, word.forms)) for word in words))


def document_text(text: str, speaker: str | None) -> str:
    """Returns what stands for a memory in both searches: its text, after its speaker's name if it has one."""
    return f"{speaker}: {text}" if speaker else text
