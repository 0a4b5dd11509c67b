"""Groups pieces into batches that stay within a token budget."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from romaine.errors import OptionError


def batches(
    lengths: ArrayLike,
    *,
    batch_tokens: int,
    max_pieces: int | None = None,
    uniform_above: int | None = None,
    pads: bool = True,
) -> Iterator[NDArray[np.intp]]:
    """Yields indices of the pieces of one batch at a time; each piece is in exactly one batch.

    Args:
        lengths: Tokens of each piece, (n,).
        batch_tokens: The most tokens a batch may cost, at least 1: pieces times the longest of them when
            `pads`, else the tokens themselves. A piece longer than that gets a batch of its own.
        max_pieces: The most pieces of a batch, or None.
        uniform_above: When `pads`, pieces longer than this share a batch only with pieces of the very same
            length.
        pads: Whether a batch is padded to its longest piece. Then batches run from the longest pieces to the
            shortest, equal ones in their order, so that memory peaks at once and little is padded; else the
            pieces stay in order.

    Raises:
        OptionError: If `batch_tokens` or `max_pieces` is below 1.
    """
    for name, value in (("batch_tokens", batch_tokens), ("max_pieces", max_pieces)):
        if value is not None and value < 1:
            raise OptionError(f"{name}={value} is not possible; it must be at least 1")
    tokens = np.asarray(lengths, dtype=np.int64)
    if pads:
        return _padded(tokens, batch_tokens, max_pieces, uniform_above)
    return _in_order(tokens, batch_tokens, max_pieces)


def _padded(
    tokens: NDArray[np.int64], batch_tokens: int, max_pieces: int | None, uniform_above: int | None
) -> Iterator[NDArray[np.intp]]:
    order = np.argsort(-tokens, kind="stable")
    descending = -tokens[order]
    start = 0
    while start < len(order):
        longest = -int(descending[start])
        size = max(1, batch_tokens // max(longest, 1))
        end = min(start + size, start + (max_pieces or size), len(order))
        if uniform_above is not None and longest > uniform_above:
            end = min(end, int(np.searchsorted(descending, -longest, side="right")))
        yield order[start:end]
        start = end


def _in_order(
    tokens: NDArray[np.int64], batch_tokens: int, max_pieces: int | None
) -> Iterator[NDArray[np.intp]]:
    ends = np.cumsum(tokens)
    start, spent = 0, 0
    while start < len(tokens):
        end = max(start + 1, int(np.searchsorted(ends, spent + batch_tokens, side="right")))
        end = min(end, start + (max_pieces or len(tokens)), len(tokens))
        yield np.arange(start, end)
        start, spent = end, int(ends[end - 1])
