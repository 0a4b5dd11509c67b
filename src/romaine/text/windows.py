"""Cuts token sequences to a model's window and wraps each window in the model's special tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from romaine.errors import OptionError, TextTooLongError
from romaine.text.pieces import Pieces, Truncate
from romaine.text.ragged import Ragged, offsets_of, positions

_NO_LIMIT = np.iinfo(np.int64).max


def split(
    tokens: Ragged,
    *,
    max_tokens: int | None,
    truncate: Truncate,
    prefix: Sequence[int] = (),
    suffix: Sequence[int] = (),
) -> Pieces:
    """Cuts each text's tokens to the window.

    Args:
        tokens: The texts' tokens without special tokens.
        max_tokens: The window, special tokens counted, or None if there is no limit.
        truncate: END keeps the first window, POOL makes as many windows as needed, ERROR refuses.
        prefix: Special tokens put before each window.
        suffix: Special tokens put after each window.

    Returns:
        Pieces whose `inputs` is a `Ragged`; an empty text owns one piece.

    Raises:
        TextTooLongError: With ERROR, naming the first text over the limit.
        OptionError: If the window has no room for a single token besides the special ones.
    """
    counts = tokens.lengths
    special = len(prefix) + len(suffix)
    if max_tokens is not None and max_tokens <= special:
        raise OptionError(
            f"a window of {max_tokens} tokens has no room for text besides {special} special tokens;"
            f" it must be at least {special + 1}"
        )
    room = _NO_LIMIT if max_tokens is None else max_tokens - special
    owner = np.arange(len(tokens))
    over = np.flatnonzero(counts > room)
    if over.size and truncate is Truncate.ERROR:
        raise too_long(over, counts + special, max_tokens)
    if over.size and truncate is Truncate.END:
        tokens = tokens.cut(tokens.offsets[:-1], np.minimum(counts, room))
    elif over.size:
        windows = np.maximum(-(-counts // room), 1)
        owner = np.repeat(owner, windows)
        skipped = positions(np.zeros(len(tokens), dtype=np.int64), offsets_of(windows)) * room
        tokens = tokens.cut(tokens.offsets[:-1][owner] + skipped, np.minimum(counts[owner] - skipped, room))
    inputs = wrap(tokens, prefix, suffix)
    truncated = len(over) if truncate is Truncate.END else 0
    return Pieces(inputs=inputs, lengths=inputs.lengths, owner=owner, truncated=truncated)


def wrap(tokens: Ragged, prefix: Sequence[int], suffix: Sequence[int]) -> Ragged:
    """Puts `prefix` before and `suffix` after each sequence."""
    if not prefix and not suffix:
        return tokens
    offsets = offsets_of(tokens.lengths + len(prefix) + len(suffix))
    ids = np.empty(offsets[-1], dtype=tokens.ids.dtype)
    ids[offsets[:-1, None] + np.arange(len(prefix))] = np.asarray(prefix, dtype=ids.dtype)
    ids[offsets[1:, None] - np.arange(len(suffix), 0, -1)] = np.asarray(suffix, dtype=ids.dtype)
    ids[positions(offsets[:-1] + len(prefix), tokens.offsets)] = tokens.ids
    return Ragged(ids, offsets)


def too_long(over: NDArray[np.intp], counts: NDArray[np.int64], limit: int | None) -> TextTooLongError:
    """The error that names the first of the texts `over` the limit, of all texts' `counts` of tokens."""
    others = f" ({len(over) - 1} more are too long)" if len(over) > 1 else ""
    return TextTooLongError(
        f"text {over[0]} has {counts[over[0]]} tokens, the model's window is {limit}{others}. Shorten it, or"
        " pass truncate='end' to keep its beginning or truncate='pool' to embed it window by window."
    )


def char_windows(
    offsets: Sequence[tuple[int, int]], words: Sequence[int | None], *, length: int, room: int
) -> list[tuple[int, int]]:
    """Cuts a text into ranges of characters of at most `room` tokens each, for runtimes that take texts.

    It is cut before a word that does not fit as a whole; a single word of more than `room` tokens, inside.

    Args:
        offsets: First and last character of each token, (n,).
        words: Number of the word each token belongs to, or None where the tokenizer knows no words, (n,).
        length: Characters of the text.
        room: Tokens that fit one window, at least 1.

    Returns:
        Ranges that follow each other and together cover the text.
    """
    bounds = [0]
    start = 0
    while start + room < len(offsets):
        end = start + room
        whole = end
        while whole > start and words[whole] is not None and words[whole] == words[whole - 1]:
            whole -= 1
        start = whole if whole > start else end
        bounds.append(offsets[start][0])
    return list(zip(bounds, [*bounds[1:], length], strict=True))
