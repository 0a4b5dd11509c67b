"""The vectors of one large list from several processes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from romaine.arrays import FloatArray
from romaine.processes import in_processes
from romaine.truncation import Truncations, TruncationWarning

_TEXTS_PER_SHARE = 2048


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Gives in each process the vectors of a share of the texts.

    Attributes:
        sliced: Gives the unit vectors of texts, float32 (n, dim); loads its model anew there.
        truncations: Where it counts the texts that it cuts.
    """

    sliced: Callable[[Sequence[str]], FloatArray]
    truncations: Truncations

    def __call__(self, texts: Sequence[str]) -> list[memoryview]:
        """How many texts were cut, int64, and the vectors."""
        before = self.truncations.count
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TruncationWarning)  # the process that started us says it
            vectors = self.sliced(texts)
        return [np.array([self.truncations.count - before]).data, vectors.data]

    def run(
        self, texts: Sequence[str], dim: int, *, workers: int, advance: Callable[[int], None]
    ) -> tuple[FloatArray, int]:
        """The vectors of all texts, float32 (n, dim), and how many texts were cut.

        Args:
            texts: n texts.
            dim: Components of the vectors.
            workers: How many processes.
            advance: Told how many more texts are done.

        Raises:
            WorkerError: If a process ends before its work does.
        """
        vectors, cut = np.empty((len(texts), dim), dtype=np.float32), np.zeros(1, dtype=np.int64)
        size = max(1, min(_TEXTS_PER_SHARE, -(-len(texts) // workers)))
        starts = range(0, len(texts), size)
        shares = ((texts[start : start + size], None) for start in starts)
        total = 0
        for start, (made, _) in zip(starts, in_processes(self, shares, workers=workers), strict=True):
            some = vectors[start : start + size]
            made.read_into(cut.data, some.data)
            total += int(cut[0])
            advance(len(some))
        return vectors, total
