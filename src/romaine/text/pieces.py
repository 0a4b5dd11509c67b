"""Texts cut to a model's window, and what to do with those that do not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from romaine.choice import Choice


class Truncate(Choice):
    """What happens to a text longer than the model's window."""

    END = "end"
    ERROR = "error"
    POOL = "pool"


class PieceBatch(Protocol):
    """An ordered collection of model inputs that can be re-ordered and cut; opaque to the `Embedder`."""

    def __len__(self) -> int: ...

    def take(self, indices: NDArray[np.intp]) -> PieceBatch:
        """The pieces at `indices`, in that order."""
        ...


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """Texts cut to the model's window.

    Attributes:
        inputs: The pieces themselves, in a form only the backend knows.
        lengths: Tokens in each piece, special tokens counted, int64 (n_pieces,).
        owner: Index of the text each piece belongs to, ascending, int64 (n_pieces,). Each text owns at
            least one.
        truncated: How many texts lost tokens.
    """

    inputs: PieceBatch
    lengths: NDArray[np.int64]
    owner: NDArray[np.int64]
    truncated: int = 0
