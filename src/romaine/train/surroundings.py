"""What every task works with, and what it hands to the trainer in a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer
from romaine.train.corpus import Corpus
from romaine.train.losses import Matryoshka
from romaine.train.panel import Panel
from romaine.train.questions import QuestionMaker


@dataclass(frozen=True, eq=False)
class Draw:
    """What a task wants the student to see in a step, and what it makes of it.

    Attributes:
        tokens: Of n texts.
        loss: Takes their vectors (n, full_dim), gives a scalar.
    """

    tokens: Ragged
    loss: Callable[[Tensor], Tensor]


class Worker(Protocol):
    """A task at work."""

    def draw(self, step: int) -> Draw:
        """What it wants in a step; a function of the step alone."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Surroundings:
    """What all tasks work with.

    Attributes:
        corpus: Texts and sets.
        tokens: Of every text in the pool.
        tokenizer: For texts that are made in a step.
        panel: The teachers.
        maker: Makes synthetic questions.
        slices: Matryoshka dimensions.
        max_tokens: Of a text.
        device: Torch device.
    """

    corpus: Corpus
    tokens: Ragged
    tokenizer: Tokenizer
    panel: Panel
    maker: QuestionMaker
    slices: Matryoshka
    max_tokens: int
    device: str

    def tokenise(self, texts: Sequence[str]) -> Ragged:
        """Token ids of texts, cut to `max_tokens`."""
        return cut_tokens(self.tokenizer.encode(texts, add_special_tokens=False), self.max_tokens)

    def tensor(self, values: NDArray[Any]) -> Tensor:
        """An array on the device."""
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)


def cut_tokens(tokens: Ragged, most: int) -> Ragged:
    """The first `most` tokens of each sequence."""
    return tokens.cut(tokens.offsets[:-1], np.minimum(tokens.lengths, most))


def alike(
    queries: Tensor, documents: Tensor, where: Tensor, least: float, *, queries_too: bool = True
) -> Tensor:
    """Documents that the student itself cannot tell from a query's positive, or whose query it cannot.

    Args:
        queries: Shape (n, full_dim).
        documents: Shape (m, full_dim).
        where: Index of each query's positive, (n,).
        least: Cosine from which two texts count as the same.
        queries_too: Whether the positives of queries that are the same are left out as well.

    Returns:
        bool (n, m).
    """
    with torch.no_grad():
        unit = functional.normalize(documents, dim=1)
        same = unit[where] @ unit.T > least
        if queries_too:
            asked = functional.normalize(queries, dim=1)
            rows, columns = torch.nonzero(asked @ asked.T > least, as_tuple=True)
            same[rows, where[columns]] = True
        return same
