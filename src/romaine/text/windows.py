"""Cuts token sequences to a model's window and wraps each window in the model's special tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from romaine.errors import OptionError, TextTooLongError
from romaine.text.pieces import Pieces, Truncate
from romaine.text.ragged import Ragged, offsets_of, positions


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
    room = _room(max_tokens, len(prefix) + len(suffix))
    if room is None or not (counts > room).any():
        return _pieces(tokens, np.arange(len(tokens)), prefix, suffix)
    over = np.flatnonzero(counts > room)
    if truncate is Truncate.ERROR:
        raise _too_long(int(over[0]), int(counts[over[0]]) + len(prefix) + len(suffix), max_tokens, len(over))
    if truncate is Truncate.END:
        first = tokens.cut(tokens.offsets[:-1], np.minimum(counts, room))
        return _pieces(first, np.arange(len(tokens)), prefix, suffix, truncated=len(over))
    windows = np.maximum(-(-counts // room), 1)
    owner = np.repeat(np.arange(len(tokens)), windows)
    skipped = positions(np.zeros(len(tokens), dtype=np.int64), offsets_of(windows)) * room
    all_windows = tokens.cut(tokens.offsets[:-1][owner] + skipped, np.minimum(counts[owner] - skipped, room))
    return _pieces(all_windows, owner, prefix, suffix)


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


def _room(max_tokens: int | None, special: int) -> int | None:
    if max_tokens is None:
        return None
    if max_tokens <= special:
        raise OptionError(
            f"a window of {max_tokens} tokens has no room for text besides {special} special tokens;"
            f" it must be at least {special + 1}"
        )
    return max_tokens - special


def _pieces(
    tokens: Ragged, owner: NDArray[np.int64], prefix: Sequence[int], suffix: Sequence[int], truncated: int = 0
) -> Pieces:
    inputs = wrap(tokens, prefix, suffix)
    return Pieces(inputs=inputs, lengths=inputs.lengths, owner=owner, truncated=truncated)


def _too_long(index: int, count: int, limit: int | None, over: int) -> TextTooLongError:
    others = f" ({over - 1} more are too long)" if over > 1 else ""
    return TextTooLongError(
        f"text {index} has {count} tokens, the model's window is {limit}{others}. Shorten it, or pass"
        " truncate='end' to keep its beginning or truncate='pool' to embed it window by window."
    )
