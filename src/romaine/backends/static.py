"""The static backend: the mean of token vectors, without any runtime but numpy and the tokenizer."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from romaine.arrays import FloatArray, empty_aligned
from romaine.backends.base import Backend, LoadOptions
from romaine.errors import ModelFormatError
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel
from romaine.models.tables import StaticTable, read_table
from romaine.text.pieces import Pieces, Truncate
from romaine.text.ragged import Ragged, offsets_of
from romaine.text.tokenizer import Tokenizer
from romaine.text.windows import split

_BLOCK_BYTES = 1 << 18
"""Of partial sums: these, the rows added to them and common rows of the table stay in second-level cache."""

_STRETCH = 512
"""Tokens of a text summed in one go; a longer text is summed stretch by stretch."""

_FEW = 8
"""Texts up to which one after another is faster than side by side."""


def load(model: LocalModel, card: ModelCard, options: LoadOptions) -> Backend:
    """Loads a StaticEmbedding, Model2Vec, SSE or romaine table; of `options`, `threads` applies.

    Its files are "weights", "tokenizer", for Model2Vec "config" and for 4-bit SSE "codes".

    Raises:
        ModelFormatError: If files are damaged or do not belong together.
    """
    tokenizer = Tokenizer.from_file(model.path("tokenizer"))
    table = read_table(
        model.path("weights"), config=model.files.get("config"), codes=model.files.get("codes")
    )
    vocab, dim = table.matrix.shape
    if tokenizer.vocab_size > vocab:
        raise ModelFormatError(
            f"{model.id}: the tokenizer has {tokenizer.vocab_size} tokens, the table vectors for {vocab}."
            " They are not of the same model; download both again."
        )
    if dim != card.full_dim:
        raise ModelFormatError(f"{model.id}: the table has {dim} components, its card says {card.full_dim}")
    return StaticBackend(table, tokenizer, threads=options.threads)


class StaticBackend:
    """Mean of the rows of a table, then its dynamic tanh where it has one.

    Special tokens are not added, as in all of these layouts. A text without tokens gives a zero vector, which
    is similar to nothing.

    Args:
        table: The vectors.
        tokenizer: Its tokenizer.
        threads: How many chunks of texts may go through at once, or None for as many as there are processors.
    """

    pads = False
    uniform_above: int | None = None

    def __init__(self, table: StaticTable, tokenizer: Tokenizer, *, threads: int | None = None) -> None:
        self.full_dim = table.matrix.shape[1]
        self.max_tokens = table.max_tokens
        self._table = table
        self.tokenizer = tokenizer
        self.side_by_side = threads or os.cpu_count() or 1

    def split(self, texts: Sequence[str], truncate: Truncate) -> Pieces:
        """Tokenises; only Model2Vec has a window.

        Raises:
            TextTooLongError: With `Truncate.ERROR`, if a text exceeds it.
        """
        tokens = self.tokenizer.encode(texts, add_special_tokens=False)
        return split(tokens, max_tokens=self.max_tokens, truncate=truncate)

    def encode(self, inputs: Ragged) -> FloatArray:
        """Mean vectors of the token ids of n texts, float32 (n, full_dim), not normalised.

        A text's vector is the same bits in any batch.
        """
        tokens = self._without_unknown(inputs) if self._table.drops_unknown else inputs
        vectors = sum_rows(self._table.matrix, tokens)
        counts = tokens.lengths[:, None]
        vectors /= np.maximum(counts, 1).astype(np.float32)
        if self._table.dyt is not None:
            vectors = np.where(counts > 0, self._table.dyt(vectors), np.float32(0))
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, nothing truncated."""
        return self.tokenizer.count(texts, add_special_tokens=False)

    def _without_unknown(self, tokens: Ragged) -> Ragged:
        known = tokens.ids != self.tokenizer.unk_id
        if known.all():
            return tokens
        return Ragged(tokens.ids[known], offsets_of(known.astype(np.int64))[tokens.offsets])


def sum_rows(matrix: FloatArray, tokens: Ragged) -> FloatArray:
    """Adds up the rows of `matrix` that each sequence names, always from its first to its last.

    Args:
        matrix: Shape (vocab, dim).
        tokens: Row numbers, each below vocab.

    Returns:
        float32 (len(tokens), dim); an empty sequence gives zeros.
    """
    lengths = tokens.lengths
    if lengths.max(initial=0) > _STRETCH:
        return _sum_stretches(matrix, tokens)
    sums = np.zeros((len(tokens), matrix.shape[1]), dtype=np.float32)
    if len(tokens) <= _FEW:
        for number, (begin, end) in enumerate(zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)):
            np.add.reduce(matrix[tokens.ids[begin:end]], axis=0, out=sums[number])
        return sums
    longest_first = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
    starts, lengths = tokens.offsets[longest_first], lengths[longest_first]
    ids = tokens.ids.astype(np.intp)  # `take` would turn them into that at every call
    size = max(1, _BLOCK_BYTES // max(1, 4 * matrix.shape[1]))
    shape = min(size, len(tokens)), matrix.shape[1]
    running, rows = empty_aligned(*shape), empty_aligned(*shape)
    for start in range(0, len(starts), size):
        # side by side: all first tokens, then all second ones
        block = slice(start, start + size)
        positions = np.arange(lengths[start])
        columns = ids.take(starts[block] + positions[:, None], mode="clip")
        # how many of the block are longer than 0, 1, 2, ...
        alive = np.searchsorted(-lengths[block], -positions, side="left").tolist()
        running[:] = 0
        for column, count in zip(columns, alive, strict=True):
            # mode="clip" spares take a copy of its output; all ids are rows of the matrix
            matrix.take(column[:count], 0, rows[:count], "clip")
            np.add(running[:count], rows[:count], running[:count])
        sums[longest_first[block]] = running[: alive[0]]
    return sums


def _sum_stretches(matrix: FloatArray, tokens: Ragged) -> FloatArray:
    """Sums long sequences in two steps, so that no step is long, neither in time nor in rounding."""
    stretches = -(-tokens.lengths // _STRETCH)
    first = offsets_of(stretches)
    owner = np.repeat(np.arange(len(tokens)), stretches)
    skipped = (np.arange(first[-1]) - first[owner]) * _STRETCH
    parts = tokens.cut(tokens.offsets[owner] + skipped, np.minimum(tokens.lengths[owner] - skipped, _STRETCH))
    return sum_rows(sum_rows(matrix, parts), Ragged(np.arange(first[-1]), first))
