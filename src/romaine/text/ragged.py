"""`Ragged`: token sequences of different lengths in one flat array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Ragged:
    """Token ids of n sequences, one after another.

    Attributes:
        ids: All ids, int32 or int64 (total,).
        offsets: Where each sequence begins, and the total, int64 (n + 1,).
    """

    ids: NDArray[Any]
    offsets: NDArray[np.int64]

    @classmethod
    def from_lists(cls, sequences: Sequence[Sequence[int]]) -> Ragged:
        """Joins lists of ids."""
        lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
        total = int(lengths.sum())
        ids = np.fromiter(chain.from_iterable(sequences), dtype=np.int32, count=total)
        return cls(ids, offsets_of(lengths))

    @classmethod
    def concatenate(cls, parts: Sequence[Ragged]) -> Ragged:
        """Joins collections of sequences, in order."""
        if len(parts) == 1:
            return parts[0]
        ids = [np.empty(0, dtype=np.int32), *(part.ids for part in parts)]
        lengths = [np.empty(0, dtype=np.int64), *(part.lengths for part in parts)]
        return cls(np.concatenate(ids), offsets_of(np.concatenate(lengths)))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence, int64 (n,)."""
        lengths: NDArray[np.int64] = self.offsets[1:] - self.offsets[:-1]  # np.diff takes longer for one text
        return lengths

    def take(self, indices: NDArray[np.intp]) -> Ragged:
        """The sequences at `indices`, in that order; a run of neighbours shares memory with this one."""
        if len(indices) and indices[-1] - indices[0] + 1 == len(indices) and (np.diff(indices) == 1).all():
            first, last = int(indices[0]), int(indices[-1]) + 1
            begin, end = self.offsets[first], self.offsets[last]
            return Ragged(self.ids[begin:end], self.offsets[first : last + 1] - begin)
        return self.cut(self.offsets[:-1][indices], self.lengths[indices])

    def cut(self, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Ragged:
        """Stretches of `ids` as sequences of their own, by where they start and their lengths, both (m,)."""
        offsets = offsets_of(lengths)
        return Ragged(self.ids[positions(starts, offsets)], offsets)

    def padded(self, pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The sequences as a rectangle, padded on the right.

        Returns:
            ids and mask (1 where there is a token), both int64 (n, longest).
        """
        lengths = self.lengths
        kept = np.arange(int(lengths.max(initial=0))) < lengths[:, None]
        ids = np.full(kept.shape, pad_id, dtype=np.int64)
        ids[kept] = self.ids
        return ids, kept.astype(np.int64)

    def to_lists(self) -> list[list[int]]:
        """The sequences as lists of ints."""
        flat = self.ids.tolist()
        bounds = self.offsets.tolist()
        return [flat[begin:end] for begin, end in pairwise(bounds)]


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where sequences of these lengths begin when laid one after another, and their total, int64 (n + 1,)."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def positions(starts: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices that lead from a flat array laid out by `offsets` to stretches beginning at `starts`.

    Args:
        starts: Where each stretch begins, (n,).
        offsets: Layout of the stretches one after another, (n + 1,).

    Returns:
        int64 (offsets[-1],): for each place in the layout, its place in the array `starts` points into.
    """
    return np.repeat(starts - offsets[:-1], offsets[1:] - offsets[:-1]) + np.arange(offsets[-1])
