"""What every task works with, and what it hands to the trainer in a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from romaine.errors import OptionError
from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer
from romaine.train.corpus import Corpus
from romaine.train.losses import Matryoshka
from romaine.train.panel import Panel
from romaine.train.questions import QuestionMaker


@dataclass(frozen=True, eq=False)
class TaskBatch:
    """What a task wants the student to see in a step, and what it makes of it.

    Attributes:
        tokens: Of n texts.
        loss: Takes their vectors (n, full_dim), gives a scalar.
    """

    tokens: Ragged
    loss: Callable[[Tensor], Tensor]


class Sampler(Protocol):
    """A task at work."""

    def batch(self, step: int) -> TaskBatch:
        """What it wants in a step; a function of the step alone."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Context:
    """What all tasks work with; `tokens` are those of every text in the pool, cut to `max_tokens`."""

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


class Epochs:
    """Batches of shuffled items, each item once an epoch; a batch may end one epoch and begin the next.

    Which items a step sees is a function of the key and the step, so that resuming needs no further state. A
    batch holds `count` items at most.

    Raises:
        OptionError: If there are no items.
    """

    def __init__(self, count: int, batch: int, key: tuple[int, ...]) -> None:
        if count < 1:
            raise OptionError("a task has no data left to learn from; see the counts of its data sources")
        self._count, self._batch = count, min(batch, count)
        # a batch meets two epochs at most
        self._order = lru_cache(maxsize=2)(
            lambda epoch: np.random.default_rng((*key, epoch)).permutation(count)
        )

    def at(self, step: int) -> NDArray[np.int64]:
        """The items of a step, int64 (batch,); an item can only be twice in it where two epochs meet."""
        epochs, places = np.divmod(step * self._batch + np.arange(self._batch), self._count)
        parts = [self._order(int(epoch))[places[epochs == epoch]] for epoch in np.unique(epochs)]
        return np.concatenate(parts)


def cut_tokens(tokens: Ragged, most: int) -> Ragged:
    """The first `most` tokens of each sequence."""
    return tokens.cut(tokens.offsets[:-1], np.minimum(tokens.lengths, most))
