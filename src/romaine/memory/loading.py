"""What an index loads of the rows of an engine: columns, checked, and as vectors and terms."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import accumulate, compress, pairwise
from operator import eq
from typing import Any

from romaine.memory.codec import VectorFormat, vector_checksums
from romaine.memory.rows import BLANK, CATEGORIES, KINDS, columns_described, witnessed
from romaine.memory.stored import IndexRows, Segment
from romaine.memory.terms import TermIds

_TERMS, _VECTOR, _CONTEXT, _CHECKSUM, _PREVIOUS = range(12, 17)


def index_rows_of(
    columns: Sequence[Sequence[Any]],
    how: VectorFormat,
    dim: int,
    *,
    witness: Segment | None,
    terms_of: Callable[[Sequence[Any]], Sequence[TermIds]],
) -> IndexRows:
    """The columns of `LOADED` as an index takes them, of what is not damaged.

    Args:
        columns: n values each, or nothing where there are no rows; vectors and terms are bytes.
        how: How vectors are kept.
        dim: Components of one.
        witness: Only what its character witnessed; None for all.
        terms_of: Turns terms as they are kept into such.
    """
    columns = columns or BLANK
    if witness is not None:
        columns = _where(columns, [witnessed(witness, known_by) for known_by in columns[4]])
    found, columns = columns[0], _sound(columns, how.size(dim))
    damaged = [] if len(columns[0]) == len(found) else sorted({*found}.difference(columns[0]))
    terms, vectors, contexts = columns[_TERMS : _TERMS + 3]
    unpacked = how.unpack(vectors, dim), how.unpack(contexts, dim)
    return columns_described(columns, terms_of(terms), *unpacked, damaged)


def _sound(columns: Sequence[Sequence[Any]], size: int) -> Sequence[Sequence[Any]]:
    """Rows with a kind and category there are and whole vectors of `size` bytes."""
    may_be: tuple[tuple[int, Callable[[Any], Any] | None, Collection[Any]], ...] = (
        (1, None, KINDS.keys()),
        (2, None, CATEGORIES.keys()),
        (_TERMS, lambda terms: len(terms) % 4, {0}),
        (_VECTOR, len, {size}),
        (_CONTEXT, len, {size}),
    )
    for number, of, allowed in may_be:
        values = columns[number] if of is None else list(map(of, columns[number]))
        if not set(values).issubset(allowed):
            columns = _where(columns, [value in allowed for value in values])
    sums = vector_checksums(columns[_VECTOR], columns[_CONTEXT], columns[_PREVIOUS])
    return _where(columns, list(map(eq, sums, columns[_CHECKSUM])))


def cut(values: TermIds, lengths: Iterable[int]) -> list[TermIds]:
    """Returns parts of so many values each, one after another."""
    ends = list(accumulate(lengths, initial=0))
    return [values[start:end] for start, end in pairwise(ends)]


def _where(columns: Sequence[Sequence[Any]], mask: Sequence[bool]) -> Sequence[Sequence[Any]]:
    """The rows of columns where a mask is True."""
    return columns if all(mask) else [list(compress(column, mask)) for column in columns]
