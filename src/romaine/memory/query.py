"""What is looked for, made of a question or of the last messages of a chat."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from romaine.arrays import FloatArray, l2_normalize
from romaine.errors import OptionError, TextTypeError, VectorError
from romaine.memory.language import DEFAULT, Analyzer, SaidTime, said_times
from romaine.memory.terms import Forms, word_terms

if TYPE_CHECKING:
    from romaine.token_vectors import TokenVectors

LATEST_WEIGHT = 0.7
"""Share of the latest message alone in the vector of several; the rest is "previous, newline, latest"."""

QUESTION_WEIGHT = 0.5
"""Share of what a message asks in its vector, where it says other things as well; the rest is the whole."""

_SENTENCE_END = re.compile(r"(?<=[.!?\u2026])\s+|(?<=[\u3002\uff01\uff1f])\s*|\n+")
_MESSAGES_READ = 2  # older ones have been answered, and drown what is asked now


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is looked for.

    Attributes:
        text: The latest message.
        messages: All that were given, the latest last.
        vector: Its embedding, unit or zero, float32 (full_dim,).
        terms: Its distinct words in all forms that a text may have them in, stop words left out.
        names: Those of them that look like names.
        times: The times that the text names.
        analyzer: What made its terms.
        tokens: Vectors of its tokens, or None without late interaction.
    """

    text: str
    vector: FloatArray
    terms: tuple[Forms, ...]
    names: tuple[Forms, ...] = ()
    times: tuple[SaidTime, ...] = ()
    messages: tuple[str, ...] = ()
    analyzer: Analyzer = DEFAULT
    tokens: TokenVectors | None = None


def messages_of(query: str | Sequence[str]) -> list[str]:
    """Checks a query and returns its messages, the latest last.

    Raises:
        TextTypeError: If it is neither a str nor a sequence of str.
        OptionError: If it is an empty sequence.
    """
    messages = [query] if isinstance(query, str) else query
    if not isinstance(messages, Sequence) or not all(isinstance(message, str) for message in messages):
        raise TextTypeError(f"a query is a str or the last few messages as str, got {type(query).__name__}")
    if not messages:
        raise OptionError("query=[] is empty: give one str or the last few messages, the latest last")
    return list(messages)


def build_query(
    query: str | Sequence[str],
    embed: Callable[[list[str]], FloatArray],
    analyzer: Analyzer,
    *,
    vector: FloatArray | None = None,
    embed_tokens: Callable[[str], TokenVectors] | None = None,
) -> Query:
    """Makes a query of one text or of the last few messages.

    A short latest message often leaves out what it is about ("Where is it?"), which the one before says. So
    both are also embedded together, and the two vectors are averaged with most weight on the latest alone.
    Words are looked for from the latest message; if it holds none but stop words, from the one before as
    well. If the latest asks something among other sentences, what it asks is embedded once more and has half
    of its vector: greetings and news around a question would drown it.

    Args:
        query: One text, or messages with the latest last.
        embed: Embeds texts that search: n texts -> float32 (n, full_dim).
        analyzer: Of the file.
        vector: What to search with by meaning, as `query_vector` gives it, so that nothing is embedded.
        embed_tokens: Embeds the tokens of the latest message; None without late interaction.

    Raises:
        TextTypeError: If it is neither a str nor a sequence of str.
        OptionError: If it is an empty sequence.
    """
    given = messages_of(query)
    messages = given[-_MESSAGES_READ:]
    latest = messages[-1]
    question = _question_in(latest, analyzer) if vector is None else None
    texts = [latest, *([question] if question else ()), *(["\n".join(messages)] if len(messages) > 1 else ())]
    words = analyzer.words(latest)
    if all(word.is_stop for word in words):
        words = analyzer.words("\n".join(messages))
    content = [word for word in words if not word.is_stop]
    tokens = None if vector is not None or embed_tokens is None else embed_tokens(latest)
    if vector is None:
        # with its tokens comes the vector of the latest one
        first = [] if tokens is None else [tokens.pooled]
        others = texts[len(first) :]
        rows = [*first, *(np.asarray(embed(others), dtype=np.float32) if others else ())]
        vector = np.asarray(rows[0], dtype=np.float32)
        if question:
            vector = l2_normalize((1 - QUESTION_WEIGHT) * vector + QUESTION_WEIGHT * rows[1])
        if len(messages) > 1:
            vector = l2_normalize(LATEST_WEIGHT * vector + (1 - LATEST_WEIGHT) * rows[-1])
    return Query(
        text=latest,
        messages=tuple(given),
        vector=vector,
        terms=word_terms(content or words),
        names=word_terms(word for word in content if word.is_name),
        times=said_times(latest),
        analyzer=analyzer,
        tokens=tokens,
    )


def query_vector(vector: ArrayLike, full_dim: int) -> FloatArray:
    """Checks a vector that was embedded elsewhere.

    Args:
        vector: One vector of any length above zero, (full_dim,).
        full_dim: Components of what the memory stores.

    Returns:
        Unit or zero, float32 (full_dim,).

    Raises:
        VectorError: If it has another shape or holds values that are not finite.
    """
    unit = l2_normalize(vector)
    if unit.shape != (full_dim,):
        raise VectorError(
            f"vector has shape {unit.shape}; this memory is searched with all ({full_dim},) components of its"
            " embedder: embed the query with dim=None"
        )
    return unit


def _question_in(message: str, analyzer: Analyzer) -> str | None:
    """The sentences of a message that ask about something, None if there are none or no others."""
    sentences = [sentence for sentence in _SENTENCE_END.split(message) if sentence.strip()]
    if len(sentences) == 1:
        return None
    asking = [
        sentence
        for sentence in sentences
        if analyzer.asks(sentence) and not all(word.is_stop for word in analyzer.words(sentence))
    ]
    return " ".join(asking) if 0 < len(asking) < len(sentences) else None


def named_speakers(text: str, speakers: Iterable[str], analyzer: Analyzer) -> frozenset[str]:
    """Tells which of `speakers` a text names, by any word of their name that is not a stop word."""
    keys = analyzer.name_keys(text)
    return frozenset(speaker for speaker in speakers if not keys.isdisjoint(_name_keys(speaker, analyzer)))


@lru_cache(maxsize=4096)
def _name_keys(name: str, analyzer: Analyzer) -> frozenset[str]:
    return analyzer.name_keys(name) or frozenset(word.token for word in analyzer.words(name))
