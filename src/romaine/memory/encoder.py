"""What the memory needs of an embedder, and memories embedded with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.memory.change import Embedded
from romaine.memory.records import Memory
from romaine.memory.terms import document_text

DUPLICATE_THRESHOLD = 0.95
"""Cosine from which two facts count as the same, for embedders that do not say."""


class MemoryEmbedder(Protocol):
    """What the memory needs of an embedder; `romaine.Embedder` has it all."""

    @property
    def dim(self) -> int:
        """Components of the funnel's first stage."""
        ...

    @property
    def full_dim(self) -> int:
        """Components of what is stored."""
        ...

    @property
    def fingerprint(self) -> str:
        """Identifies the vector space, whatever `dim` is."""
        ...

    def with_dim(self, dim: int | None) -> MemoryEmbedder:
        """The same embedder at another dimension; None for `full_dim`."""
        ...

    def embed_documents(self, texts: Iterable[str]) -> NDArray[Any]:
        """Unit or zero vectors (n, dim) of texts that are to be found."""
        ...

    def embed_queries(self, texts: Iterable[str]) -> NDArray[Any]:
        """Unit or zero vectors (n, dim) of texts that search."""
        ...

    def count_tokens(self, texts: Iterable[str]) -> list[int]:
        """Tokens of each text."""
        ...


@dataclass(frozen=True)
class Draft:
    """A memory that is to be embedded, with the turn before it.

    Attributes:
        memory: What is to be stored.
        previous: Document text of the turn before, or None.
    """

    memory: Memory
    previous: str | None = None

    @property
    def text(self) -> str:
        """What is embedded for the memory alone."""
        return document_text(self.memory.text, self.memory.speaker)

    @property
    def in_context(self) -> str | None:
        """What is embedded for the memory with the turn before it, or None if there is none."""
        return None if self.previous is None else f"{self.previous}\n{self.text}"


class Encoder:
    """Embeds memories at full_dim, and remembers what it embedded for one write.

    A write is planned on what the file holds, which another process may change before the write begins; then
    it is planned again, and only what the new plan adds is embedded.

    Args:
        embedder: The embedder, at any dim.
    """

    def __init__(self, embedder: MemoryEmbedder) -> None:
        self._full = embedder.with_dim(None)
        self._vectors: dict[str, FloatArray] = {}

    def missing(self, drafts: Sequence[Draft]) -> list[str]:
        """Texts of these drafts that have not been embedded, each once."""
        wanted: dict[str, None] = {}
        for draft in drafts:
            wanted[draft.text] = None
            if draft.in_context is not None:
                wanted[draft.in_context] = None
        return [text for text in wanted if text not in self._vectors]

    def prepare(self, drafts: Sequence[Draft]) -> None:
        """Embeds what is missing."""
        texts = self.missing(drafts)
        if not texts:
            return
        vectors = np.asarray(self._full.embed_documents(texts))
        if vectors.dtype != np.float32 or vectors.shape != (len(texts), self._full.full_dim):
            raise OptionError(
                f"the embedder gave {vectors.dtype} {vectors.shape} for {len(texts)} texts; a memory needs"
                f" float32 ({len(texts)}, {self._full.full_dim}): use precision='float32'"
            )
        self._vectors.update(zip(texts, vectors, strict=True))

    def embedded(self, drafts: Sequence[Draft]) -> Embedded:
        """Vectors of drafts that have been prepared."""
        dim = self._full.full_dim
        vectors = np.empty((len(drafts), dim), dtype=np.float32)
        contexts = np.empty((len(drafts), dim), dtype=np.float32)
        for index, draft in enumerate(drafts):
            vectors[index] = self._vectors[draft.text]
            in_context = draft.in_context
            contexts[index] = vectors[index] if in_context is None else self._vectors[in_context]
        return Embedded(vectors, contexts)

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        return self._full.count_tokens(texts)


def duplicate_threshold(embedder: MemoryEmbedder) -> float:
    """Cosine from which two facts count as the same for this embedder's model."""
    card = getattr(embedder, "card", None)
    return float(getattr(card, "duplicate_threshold", DUPLICATE_THRESHOLD))
