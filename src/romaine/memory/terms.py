"""Text to terms for lexical search: tokens, folded, stemmed and hashed.

A term is a 32-bit number, the CRC-32 of its stem. Numbers need no shared vocabulary, so what one process
writes another can search, and a memory's terms fit in one small blob. Among 50,000 stems about 0.3 pairs
collide.

Tokens are what SQLite's `porter unicode61 remove_diacritics 2` makes of a text; scripts written without
spaces, which it leaves as one long token, are cut into overlapping pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from romaine.memory.stemmer import porter_stem

TermIds = NDArray[np.uint32]

TERMS_VERSION = 1
"""To be raised with any change of what `term_ids` gives; files then get new terms when they are opened."""

_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Thai, Kana, Han
_TOKEN = re.compile(f"[{_UNSPACED}]+|[^\\W_{_UNSPACED}]+")
_WORD = re.compile(r"\w+")
_OPENERS = " \t\"'\u201c\u2018(*_"  # may stand between the end of a sentence and the next one's first word
_SENTENCE_ENDS = ".!?:\n\u2026"
_ASCII_TOKEN = re.compile("[a-z0-9]+")
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]")

_FUNCTION_WORDS = """
a about above after again against all also am an and any are aren as at be because been before being below
between both but by can could couldn d did didn do does doesn doing don down during each few for from
further had hadn has hasn have haven having he her here hers herself him himself his how i if in into is isn
it its itself just ll m ma me might more most must mustn my myself needn no nor not now o of off on once
only or other our ours ourselves out over own re s same shan she should shouldn so some such t than that the
their theirs them themselves then there these they this those through to too under until up ve very was wasn
we were weren what when where which while who whom whose why will with won would wouldn y you your yours
yourself yourselves
"""

STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English function words, which say nothing about what a question is after."""


QUESTION_MARK = zlib.crc32(b"?")
"""The term that a text with a question in it has besides its words."""


def tokens(text: str) -> list[str]:
    """Splits a text into lower-case words and numbers without diacritics.

    Args:
        text: Any str; control characters and lone surrogates separate words.
    """
    lowered = text.lower()
    if lowered.isascii():
        return _ASCII_TOKEN.findall(lowered)
    decomposed = unicodedata.normalize("NFKD", lowered)
    folded = "".join(c for c in decomposed if not unicodedata.combining(c))
    found: list[str] = []
    for token in _TOKEN.findall(folded):
        found.extend(_pairs(token) if _UNSPACED_RUN.match(token) else (token,))
    return found


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


@lru_cache(maxsize=1 << 17)
def term_id(token: str) -> int:
    """Returns the number of a token's stem."""
    return zlib.crc32(porter_stem(token).encode("utf-8", "surrogatepass"))


def term_ids(text: str) -> TermIds:
    """Returns the terms of a text to be searched.

    Args:
        text: Any str.

    Returns:
        uint32 (tokens,) in the order of the text, repetitions and stop words kept, and `QUESTION_MARK` at the
        end if the text holds one.
    """
    ids = [term_id(token) for token in tokens(text)]
    if "?" in text or "\uff1f" in text:
        ids.append(QUESTION_MARK)
    return np.array(ids, dtype=np.uint32)


def query_terms(text: str) -> dict[int, str]:
    """Returns the distinct terms a query asks for and the token each was made of, in the query's order.

    Stop words are left out, unless the query holds nothing else.
    """
    words = tokens(text)
    content = [word for word in words if word not in STOP_WORDS] or words
    found: dict[int, str] = {}
    for word in content:
        found.setdefault(term_id(word), word)
    return found


def name_terms(text: str) -> tuple[int, ...]:
    """Returns the distinct terms of the capitalised words of a text, which are names for the most part.

    The first word of a sentence is left out, as its capital says nothing; so are stop words.
    """
    found: dict[int, None] = {}
    for word in _WORD.finditer(text):
        starts = text[: word.start()].rstrip(_OPENERS)[-1:]
        if word[0][0].isupper() and starts and starts not in _SENTENCE_ENDS:
            content = [token for token in tokens(word[0]) if token not in STOP_WORDS]
            found.update(dict.fromkeys(map(term_id, content)))
    return tuple(found)


def document_text(text: str, speaker: str | None) -> str:
    """Returns what stands for a memory in both searches: its text, after its speaker's name if it has one."""
    return f"{speaker}: {text}" if speaker else text
