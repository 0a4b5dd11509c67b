"""Windows of a text given as character ranges, for runtimes that take texts rather than token ids."""

from __future__ import annotations

from collections.abc import Sequence


def char_windows(
    offsets: Sequence[tuple[int, int]], words: Sequence[int | None], *, length: int, room: int
) -> list[tuple[int, int]]:
    """Cuts a text into ranges of at most `room` tokens each, before a word that does not fit as a whole.

    A single word of more than `room` tokens is cut inside.

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
