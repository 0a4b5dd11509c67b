"""The Matryoshka funnel: a scan of short slices finds candidates, the full vectors decide among them.

A Matryoshka model puts most of a vector's meaning into its first components. Scanning only those, sliced and
made unit length again, reads a fraction of the memory an exact scan reads, and almost always has the best
rows among its best few hundred. Those are scored again with all components.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray, slice_dim
from romaine.errors import DimensionError
from romaine.memory.columns import Vectors
from romaine.memory.locks import aside
from romaine.side_by_side import in_halves

EXACT_ROWS = 16_384
"""Up to this many rows are scored with all components at once: a funnel would save nothing."""

_vecdot = getattr(np, "vecdot", None)  # since numpy 2.0; twice as fast as einsum where rows are in the cache
_ASIDE_ROWS = 512  # products of so many rows take longer than giving a turn away and waiting for the next
_UNSHARED = 8_192  # components that OpenBLAS multiplies without sharing them: fewer than 9,216
_SHARED_ROWS = 1_024  # rows from anywhere that are worth another thread
_EVERY, _LOOKED_AT = 16, 4  # of so many values one is looked at first, where they are so often as many
_GATHER_COST = 6  # collecting a row from anywhere costs as much as comparing this many in a row

FIRST_POOL = 256
"""Rows that are always scored with all components; they tell how far a slice's cosine may be off."""

LARGEST_POOL = 5_120
"""Rows that are scored with all components at most, so that no query takes much longer than others."""

MARGIN = 1.5
"""How many standard deviations of that error a row may be short of the k-th best and still be tried.

Over 5,000 to 100,000 chat turns, 32 to 256 of 384 components and questions as well as turns for queries, this
keeps recall@10 above 0.99 against the exact scan, with 280 to 600 rows tried for most queries at 64
components; a fixed number would have to be 3,000 there. `benchmarks/memory.py` measures it again.
"""


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
        self._full = Vectors(full_dim)
        # Where the slice is the whole vector, one array serves as both.
        self._slices = Vectors(dim) if dim < full_dim else self._full

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
        self._full.append(vectors)
        if self._slices is not self._full:
            self._slices.append(slice_dim(vectors, self.dim))

    def replace(self, rows: NDArray[np.intp], vectors: FloatArray) -> None:
        """Gives `rows` (n,) other vectors, (n, full_dim)."""
        self._full.replace(rows, vectors)
        if self._slices is not self._full:
            self._slices.replace(rows, slice_dim(vectors, self.dim))

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
        products = np.empty(len(self), dtype=np.float32)
        part = slice_dim(query, dim)
        for where, block in self._slices.blocks():
            with aside():
                _scan(block if dim == self.dim else slice_dim(block, dim), part, out=products[where])
        return products

    def cosines(self, query: FloatArray, rows: NDArray[np.intp] | None = None) -> FloatArray:
        """Cosines with all components, float32 (n,).

        Args:
            query: Unit vector, float32 (full_dim,).
            rows: Rows to compare, each once, and ascending if they are all; None for every row.
        """
        if rows is None:
            return _products(self._full, query)
        if len(rows) * _GATHER_COST >= len(self):
            cosines = _products(self._full, query)
            return cosines if len(rows) == len(self) else cosines[rows]
        cosines = np.empty(len(rows), dtype=np.float32)

        def compare(some: slice) -> None:
            for vectors, places in self._full.pieces(rows[some]):
                cosines[some][places] = _products_of_rows(vectors, query)

        with _aside_for(len(rows)):
            if len(rows) < _SHARED_ROWS or len(self) <= EXACT_ROWS:
                compare(slice(None))
            else:
                in_halves(compare, len(rows))
        return cosines

    def take(self, rows: NDArray[np.intp]) -> FloatArray:
        """The vectors of rows (n,), copied: float32 (n, full_dim)."""
        return self._full.take(rows)

    def pool(
        self, query: FloatArray, visible: NDArray[np.intp], *, k: int, dim: int | None = None
    ) -> NDArray[np.intp]:
        """Rows that almost surely hold the `k` nearest to `query`, and as a rule others that are near.

        How many are tried depends on the query: the first rows show how much slices and full vectors
        disagree, and every row within that reach of the k-th best is scored with all components.

        Args:
            query: Unit vector, float32 (full_dim,).
            visible: Rows that may be found, ascending.
            k: How many are wanted.
            dim: As in `scan`.

        Returns:
            The nearest of those tried, `FIRST_POOL` or 2 k of them, or all visible rows where they are few;
            in no particular order.
        """
        if len(visible) <= max(EXACT_ROWS, k):
            return visible
        size = max(FIRST_POOL, 2 * k)
        similarities = self._similarities(query, visible, dim)
        first = _largest(similarities, size)
        if dim in (None, self.dim) and self.dim == self.full_dim:
            return visible[first]
        cosines = self.cosines(query, visible[first])
        kth_best = np.partition(cosines, len(cosines) - k)[len(cosines) - k]
        reach = kth_best - MARGIN * (cosines - similarities[first]).std()
        if similarities[first].min() <= reach:
            return visible[first]
        near = np.flatnonzero(similarities >= reach)
        if len(near) > LARGEST_POOL:
            near = near[_largest(similarities[near], max(LARGEST_POOL, size))]
        near = visible[near]
        return near[_largest(self.cosines(query, near), size)]

    def rough_pool(
        self, query: FloatArray, rows: NDArray[np.intp], *, dim: int | None = None
    ) -> NDArray[np.intp]:
        """Those of `rows` (n,) whose slices are nearest, `FIRST_POOL` at most, in no particular order."""
        return rows[_largest(self.scan(query, dim=dim)[rows], FIRST_POOL)]

    def _similarities(self, query: FloatArray, visible: NDArray[np.intp], dim: int | None) -> FloatArray:
        """Cosines of slices with the visible rows, float32 (visible,)."""
        similarities = self.scan(query, dim=dim)
        return similarities[visible] if len(visible) < len(similarities) else similarities


def _largest(values: FloatArray, count: int) -> NDArray[np.intp]:
    """Indices of the `count` largest values, in no particular order."""
    if count >= len(values):
        return np.arange(len(values))
    among = None
    if len(values) > _LOOKED_AT * _EVERY * count:
        # one in so many tells where about twice as many begin, among which the largest are
        sample = values[::_EVERY]
        rank = len(sample) - 1 - 2 * count // _EVERY
        above = np.flatnonzero(values >= np.partition(sample, rank)[rank])
        if len(above) >= count:
            among, values = above, values[above]
    largest = np.argpartition(values, len(values) - count)[-count:]
    return largest if among is None else among[largest]


def _products(vectors: Vectors, query: FloatArray) -> FloatArray:
    """Cosine of the query with every row, or with as many first components as it has, float32 (n,)."""
    products = np.empty(len(vectors), dtype=np.float32)
    for where, block in vectors.blocks():
        products[where] = dots(block if len(query) == block.shape[1] else slice_dim(block, len(query)), query)
    return products


def dots(vectors: FloatArray, query: FloatArray) -> FloatArray:
    """Dot product of every row with the query, float32 (n,).

    Not by one `@`: BLAS would share so small a product among threads, and wait a scheduler's turn of several
    milliseconds for them whenever another process keeps the cores busy. Row by row it does not.
    """
    with _aside_for(len(vectors)):
        return _products_of_rows(vectors, query)


def _aside_for(rows: int) -> AbstractContextManager[None]:
    """Gives the turn away while products of so many rows are made, if that is worth it."""
    return aside() if rows >= _ASIDE_ROWS else nullcontext()


def _products_of_rows(vectors: FloatArray, query: FloatArray) -> FloatArray:
    if _vecdot is None:
        return np.asarray(np.einsum("ij,j->i", vectors, query), dtype=np.float32)
    return np.asarray(_vecdot(vectors, query), dtype=np.float32)


def _scan(slices: FloatArray, query: FloatArray, *, out: FloatArray) -> None:
    """Dot product of every row with the query into `out` (n,), rounded as it comes.

    By `@` over bundles of rows so few that BLAS does not share them among threads; many rows are read at the
    speed of memory then, in a little more than half the time that row by row takes.
    """
    width = max(1, _UNSHARED // max(len(query), 1))
    whole = len(slices) // width * width
    bundles = slices[:whole].reshape(-1, width, slices.shape[1])
    products = out[:whole].reshape(-1, width)
    in_halves(lambda some: np.matmul(bundles[some], query, out=products[some]), len(bundles))
    out[whole:] = _products_of_rows(slices[whole:], query)
