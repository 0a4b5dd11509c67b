"""The Matryoshka funnel: a scan of short slices finds candidates, the full vectors decide among them.

A Matryoshka model puts most of a vector's meaning into its first components. Scanning only those, sliced and
made unit length again, reads a fraction of the memory an exact scan reads, and almost always has the best
rows among its best few hundred. Those are scored again with all components.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray, slice_dim, top_k
from romaine.errors import DimensionError
from romaine.memory.columns import Column

EXACT_ROWS = 4096
"""Up to this many rows are scored with all components at once: a funnel would save nothing."""


def pool_size(rows: int, *, k: int, dim: int, full_dim: int) -> int:
    """How many rows the scan of slices hands on, so that the true top `k` are among them.

    The error of a sliced cosine grows as the slice gets shorter, and the number of rows within that error of
    the k-th best grows with the rows. Measured on 100,000 vectors, where this rule keeps recall@10 above 0.99
    against the exact scan; `benchmarks/memory.py` measures it again.

    Args:
        rows: Rows that are searched.
        k: Rows that are wanted.
        dim: Components of a slice.
        full_dim: Components of a vector.
    """
    if dim >= full_dim:
        return min(rows, k)
    shortness = math.sqrt(full_dim / dim)
    return min(rows, max(EXACT_ROWS // 16, round(shortness * (20 * k + rows / 400))))


class VectorIndex:
    """Vectors of rows, searched by cosine through the funnel. Rows are numbered as they are added.

    Not safe for changing and searching at once; many threads may search.

    Args:
        full_dim: Components of a vector.
        dim: Components of a slice, 1 to full_dim.

    Raises:
        DimensionError: If `dim` is not possible.
    """

    def __init__(self, *, full_dim: int, dim: int) -> None:
        if not 1 <= dim <= full_dim:
            raise DimensionError(f"dim={dim!r} is not possible: these vectors have {full_dim} components")
        self.full_dim = full_dim
        self.dim = dim
        self._full = Column(np.float32, full_dim)
        # Where the slice is the whole vector, one array serves as both.
        self._slices = Column(np.float32, dim) if dim < full_dim else self._full

    def __len__(self) -> int:
        return len(self._full)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._full.nbytes + (self._slices.nbytes if self._slices is not self._full else 0)

    def add(self, vectors: FloatArray) -> None:
        """Adds rows at the end.

        Args:
            vectors: Unit or zero vectors, float32 (n, full_dim).
        """
        self._check(vectors)
        self._full.append(vectors)
        if self._slices is not self._full:
            self._slices.append(slice_dim(vectors, self.dim))

    def replace(self, rows: NDArray[np.intp], vectors: FloatArray) -> None:
        """Gives `rows` (n,) other vectors, (n, full_dim)."""
        self._check(vectors)
        self._full.values[rows] = vectors
        if self._slices is not self._full:
            self._slices.values[rows] = slice_dim(vectors, self.dim)

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drops the rows where `mask` (rows,) is False and renumbers the others in order."""
        self._full.keep(mask)
        if self._slices is not self._full:
            self._slices.keep(mask)

    def scan(self, query: FloatArray, *, dim: int | None = None) -> FloatArray:
        """Cosines of slices with every row, float32 (rows,).

        Args:
            query: Unit vector, float32 (full_dim,).
            dim: Components to compare, up to the index's own; fewer cost less and find less.

        Raises:
            DimensionError: If `dim` is more than the index's slices have.
        """
        dim = self.dim if dim is None else dim
        if not 1 <= dim <= self.dim:
            raise DimensionError(f"dim={dim!r} is not possible: the scan has 1 to {self.dim} components")
        slices = self._slices.values
        if dim < self.dim:
            slices = slice_dim(slices, dim)
        return np.asarray(slices @ slice_dim(query, dim), dtype=np.float32)

    def cosines(self, query: FloatArray, rows: NDArray[np.intp] | None = None) -> FloatArray:
        """Cosines with all components, float32 (n,).

        Args:
            query: Unit vector, float32 (full_dim,).
            rows: Rows to compare; None for every row.
        """
        vectors = self._full.values if rows is None else self._full.values[rows]
        return np.asarray(vectors @ query, dtype=np.float32)

    def pool(
        self,
        query: FloatArray,
        visible: NDArray[np.intp],
        *,
        k: int,
        dim: int | None = None,
        size: int | None = None,
    ) -> NDArray[np.intp]:
        """Rows that almost surely hold the `k` nearest to `query`, in no particular order.

        Args:
            query: Unit vector, float32 (full_dim,).
            visible: Rows that may be found, ascending.
            k: How many are wanted.
            dim: As in `scan`.
            size: How many rows to hand on; None for `pool_size`.
        """
        dim = self.dim if dim is None else dim
        size = pool_size(len(visible), k=k, dim=dim, full_dim=self.full_dim) if size is None else size
        if len(visible) <= max(size, EXACT_ROWS):
            return visible
        similarities = self.scan(query, dim=dim)
        if len(visible) < len(similarities):
            similarities = similarities[visible]
        nearest = np.argpartition(similarities, len(similarities) - size)[-size:]
        return visible[nearest]

    def search(
        self,
        query: FloatArray,
        *,
        k: int,
        mask: NDArray[np.bool_] | None = None,
        dim: int | None = None,
    ) -> tuple[NDArray[np.intp], FloatArray]:
        """The `k` nearest rows, best first, rows of equal cosine in order of insertion.

        Args:
            query: Unit vector, float32 (full_dim,).
            k: How many.
            mask: Which rows may be found, bool (rows,); None for all.
            dim: As in `scan`.

        Returns:
            Rows, intp (up to k,), and their cosines with all components, float32.
        """
        visible = np.arange(len(self)) if mask is None else np.flatnonzero(mask)
        rows = np.sort(self.pool(query, visible, k=k, dim=dim))
        cosines = self.cosines(query, rows)
        best = top_k(cosines, k)
        return rows[best], cosines[best]

    def _check(self, vectors: FloatArray) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.full_dim:
            raise DimensionError(
                f"vectors of shape {vectors.shape} do not fit: this index holds {self.full_dim} components"
            )
