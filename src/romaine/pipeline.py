"""From texts to full vectors: windows, batches, runs, and windows put together again, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray, l2_normalize, layer_norm, slice_dim
from romaine.side_by_side import in_order
from romaine.text.pieces import Pieces, Truncate

if TYPE_CHECKING:
    from romaine.backends.base import Backend
    from romaine.embedder_options import EmbedderOptions

TEXTS_PER_CHUNK = 2048
"""Texts tokenised and sorted by length together; bounds memory, not quality."""

_LEAST_TEXTS = 512
"""Texts that are worth a thread of their own."""


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """How texts go through a backend.

    Attributes:
        truncate: What happens to texts over the window.
        batch_tokens: Padded tokens that go through the model at once.
        batch_size: Texts that do, or None for no limit.
    """

    truncate: Truncate
    batch_tokens: int
    batch_size: int | None

    @classmethod
    def of(cls, options: EmbedderOptions) -> Pipeline:
        """The one that an embedder's options describe."""
        return cls(
            truncate=Truncate.parse(options.truncate),
            batch_tokens=options.batch_tokens,
            batch_size=options.batch_size,
        )

    def run(
        self, backend: Backend, texts: Sequence[str], *, normalise_layer: bool, dim: int | None = None
    ) -> Iterator[Chunk]:
        """Yields the vectors of up to a few thousand texts at a time, in order.

        Args:
            backend: The loaded model.
            texts: Prompts included.
            normalise_layer: Whether vectors are layer-normalised before they are sliced.
            dim: Components to keep, of unit length again; None for the vectors as they are.
        """

        def chunk(start: int) -> Chunk:
            some = texts[start : start + size]
            pieces = backend.split(some, self.truncate)
            vectors = self._encode(backend, pieces)
            if normalise_layer:
                vectors = layer_norm(vectors)
            if len(pieces.owner) != len(some):
                vectors = _joined(vectors, pieces, len(some))
            return Chunk(
                start=start, vectors=vectors if dim is None else slice_dim(vectors, dim), pieces=pieces
            )

        threads = min(getattr(backend, "side_by_side", 1), -(-len(texts) // _LEAST_TEXTS))
        size = TEXTS_PER_CHUNK if threads < 2 else min(TEXTS_PER_CHUNK, -(-len(texts) // threads))
        yield from in_order(chunk, range(0, len(texts), size), threads=threads)

    def _encode(self, backend: Backend, pieces: Pieces) -> FloatArray:
        if not backend.pads:
            return backend.encode(pieces.inputs)
        from romaine.text.batching import batches

        vectors = np.empty((len(pieces.owner), backend.full_dim), dtype=np.float32)
        for indices in batches(
            pieces.lengths,
            batch_tokens=self.batch_tokens,
            max_pieces=self.batch_size,
            uniform_above=backend.uniform_above,
        ):
            vectors[indices] = backend.encode(pieces.inputs.take(indices))
        return vectors


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some texts' vectors.

    Attributes:
        start: Index of the first text.
        vectors: float32 (n, full_dim); the direction counts, not the length.
        pieces: What went through the backend.
    """

    start: int
    vectors: FloatArray
    pieces: Pieces

    @property
    def tokens(self) -> NDArray[np.int64]:
        """Tokens of each text that went through the backend, special ones counted, int64 (n,)."""
        counts = np.bincount(self.pieces.owner, self.pieces.lengths, minlength=len(self.vectors))
        return counts.astype(np.int64)

    @property
    def truncated(self) -> int:
        """How many of the texts lost tokens."""
        return self.pieces.truncated


def _joined(vectors: FloatArray, pieces: Pieces, count: int) -> FloatArray:
    """One vector a text: the unit vectors of its windows, averaged by how many tokens each stands for."""
    weighted = l2_normalize(vectors) * pieces.lengths[:, None].astype(np.float32)
    return np.add.reduceat(weighted, np.searchsorted(pieces.owner, np.arange(count)), axis=0)
