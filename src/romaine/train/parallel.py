"""What two files say in two languages, found record by record where neither has all of the other's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.train.cleaning import cut, kind_of
from romaine.train.recipe import DataKind, DataSource
from romaine.train.records import Example, read_examples

_LEAST = 0.5
"""Cosine of a teacher that knows both languages below which records are no translations of each other."""

Encode = Callable[[Sequence[str]], FloatArray]
"""Unit vectors (n, dim) of texts by a teacher that knows all languages."""


def parallel_examples(path: Path, translation: Path, source: DataSource, encode: Encode) -> list[Example]:
    """Pairs across languages: each text with its translation, each query with the translated positive.

    Records are in the same order in both files, and some are missing in one or the other; which belong
    together is found by `aligned` from their first texts.

    Args:
        path: A file of pairs, or of scored pairs in ``.csv``.
        translation: The same in another language.
        source: Says which lines of `path` are read, and where texts are cut.
        encode: Tells how alike texts of two languages are.
    """
    kind = DataKind.SCORED if kind_of(path) == ".csv" else DataKind.PAIRS
    ours = list(read_examples(path, kind, lines=source.lines))
    theirs = list(read_examples(translation, kind))
    vectors = [
        encode([cut(example.texts[0], source.max_chars) for example in side]) for side in (ours, theirs)
    ]
    found = []
    for one, other in aligned(*vectors):
        (query, positive), (asked, answer) = ours[one].texts[:2], theirs[other].texts[:2]
        pairs = [(query, asked), (positive, answer)]
        if kind is DataKind.PAIRS:
            pairs += [(query, answer), (asked, positive)]
        found += [Example(path.name, pair) for pair in pairs]
    return found


def aligned(left: FloatArray, right: FloatArray) -> NDArray[np.int64]:
    """Which rows belong together, if both are in the same order: the way with the highest sum of cosines.

    Dynamic programming as for sequences (Needleman and Wunsch 1970); leaving a row out costs nothing, putting
    two together earns what their cosine is above `_LEAST`.

    Args:
        left: Unit vectors (n, dim).
        right: Unit vectors (m, dim).

    Returns:
        int64 (k, 2), ascending in both columns.
    """
    earned = left @ right.T - np.float32(_LEAST)
    best = np.zeros((len(left) + 1, len(right) + 1), dtype=np.float32)
    for row, gains in enumerate(earned, 1):
        best[row, 1:] = np.maximum(best[row - 1, 1:], best[row - 1, :-1] + gains)
        np.maximum.accumulate(best[row], out=best[row])
    pairs = []
    row, column = len(left), len(right)
    while row and column:
        if best[row, column] == best[row - 1, column]:
            row -= 1
        elif best[row, column] == best[row, column - 1]:
            column -= 1
        else:
            row, column = row - 1, column - 1
            pairs.append((row, column))
    return np.asarray(pairs[::-1], dtype=np.int64).reshape(-1, 2)
