"""What the memory needs of an embedder, and memories embedded with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from inspect import getattr_static
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.memory.token_codec import pack, telling

_PATIENCE = 16

DUPLICATE_THRESHOLD = 0.95
"""Cosine from which two facts count as the same, for embedders that do not say."""

if TYPE_CHECKING:
    from romaine.embedder import Embedder
    from romaine.token_vectors import TokenVectors


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


class TokenEmbedder(MemoryEmbedder, Protocol):
    """What late interaction needs besides; `romaine.Embedder` has it where its model gives token vectors."""

    def embed_tokens(
        self, texts: Iterable[str], *, query: bool = False, previous: Sequence[str | None] | None = None
    ) -> list[TokenVectors]:
        """Vectors of the tokens of texts, each encoded after what was said before it."""
        ...


_FUNNEL_DIM = 64
_NEEDED = tuple(name for name in vars(MemoryEmbedder) if not name.startswith("_"))


def name_of(embedder: MemoryEmbedder) -> str:
    """Returns what to call an embedder in messages: its model.

    Raises:
        OptionError: If it is no embedder.
    """
    lacks = [name for name in _NEEDED if getattr_static(embedder, name, None) is None]
    if lacks:
        raise OptionError(
            f"embedder is of type {type(embedder).__name__}, which has no {', '.join(lacks)}: give a"
            " romaine.Embedder, e.g. Embedder(dim=64), not a model's name and not a framework's embedder"
        )
    return str(getattr(getattr(embedder, "card", None), "id", type(embedder).__name__))


def with_funnel(embedder: Embedder) -> Embedder:
    """Returns an embedder whose `dim` is the usual first stage of search, if the model is trained for it."""
    return embedder.with_dim(_FUNNEL_DIM) if _FUNNEL_DIM in embedder.dims else embedder


@dataclass(frozen=True)
class Draft:
    """A document text that is to be embedded, with the turn before it.

    Attributes:
        text: What is embedded for the memory alone.
        previous: Document text of the turn before, or None.
    """

    text: str
    previous: str | None = None

    @property
    def in_context(self) -> str | None:
        """What is embedded for the memory with the turn before it, or None if there is none."""
        return None if self.previous is None else f"{self.previous}\n{self.text}"


@dataclass(frozen=True)
class Embedded:
    """Vectors of memories, unit or zero, float32 (n, full_dim) each.

    Attributes:
        vectors: Of each memory's document text.
        contexts: Of the previous turn and this one, or the same as `vectors` where there is none.
        tokens: Packed vectors of the tokens of each, or None if none are kept.
    """

    vectors: FloatArray
    contexts: FloatArray
    tokens: list[bytes] | None = None


class NotEmbedded(Exception):  # noqa: N818 - not an error: the write begins anew
    """A write needs more texts embedded than it should make others wait for."""

    def __init__(self, drafts: Sequence[Draft]) -> None:
        super().__init__(f"{len(drafts)} texts")
        self.drafts = drafts


class Encoder:
    """Embeds memories at full_dim, and remembers what it embedded for one write.

    What a write will need is embedded before it begins, as far as that can be told; the few texts that turn
    out to be missing inside are embedded there, while other writers wait.

    Args:
        embedder: The embedder, at any dim.
        keeps_tokens: Whether vectors of tokens are kept as well; the embedder must give some.

    Attributes:
        patience: How many texts may be embedded inside a write; None for any number.
    """

    def __init__(self, embedder: MemoryEmbedder, *, keeps_tokens: bool = False) -> None:
        self.patience: int | None = _PATIENCE
        self._full = embedder.with_dim(None)
        self._vectors: dict[str, FloatArray] = {}
        self._tokens: dict[Draft, bytes] | None = {} if keeps_tokens else None

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
        if self._tokens is not None:
            self._prepare_tokens(self._tokens, drafts)
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

    def _prepare_tokens(self, tokens: dict[Draft, bytes], drafts: Sequence[Draft]) -> None:
        """Makes the tokens that are missing, and in the same go the vectors of all that they stand in."""
        new = [draft for draft in dict.fromkeys(drafts) if draft not in tokens]
        for draft, (packed, pooled) in zip(new, packed_tokens(self._full, new), strict=True):
            tokens[draft] = packed
            self._vectors[draft.in_context or draft.text] = pooled

    def prepare_inside(self, drafts: Sequence[Draft]) -> None:
        """Embeds what is missing, inside a write.

        Raises:
            NotEmbedded: If that is too much.
        """
        if self.patience is not None and len(self.missing(drafts)) > self.patience:
            raise NotEmbedded(drafts)
        self.prepare(drafts)

    def embedded(self, drafts: Sequence[Draft]) -> Embedded:
        """Vectors of drafts that have been prepared."""
        dim = self._full.full_dim
        vectors = np.empty((len(drafts), dim), dtype=np.float32)
        contexts = np.empty((len(drafts), dim), dtype=np.float32)
        for index, draft in enumerate(drafts):
            vectors[index] = self._vectors[draft.text]
            in_context = draft.in_context
            contexts[index] = vectors[index] if in_context is None else self._vectors[in_context]
        kept = self._tokens
        return Embedded(vectors, contexts, None if kept is None else [kept[draft] for draft in drafts])

    def clear(self) -> None:
        """Forgets what was embedded."""
        self._vectors.clear()
        if self._tokens is not None:
            self._tokens.clear()

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        return self._full.count_tokens(texts)


def packed_tokens(embedder: MemoryEmbedder, drafts: Sequence[Draft]) -> list[tuple[bytes, FloatArray]]:
    """Packed vectors of the tokens of each draft, and the vector of the draft in its context."""
    if not drafts:
        return []
    found = cast("TokenEmbedder", embedder).embed_tokens(
        [draft.text for draft in drafts], previous=[draft.previous for draft in drafts]
    )
    return [(pack(each.vectors[telling(each.rarity)]), each.pooled) for each in found]


def duplicate_threshold(embedder: MemoryEmbedder) -> float:
    """Cosine from which two facts count as the same for this embedder's model."""
    card = getattr(embedder, "card", None)
    return float(getattr(card, "duplicate_threshold", DUPLICATE_THRESHOLD))
