"""Distilling a teacher into a static table: one vector a token, a text is their mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from romaine.arrays import FloatArray
from romaine.errors import OptionError, VectorError
from romaine.progress import progress_bar
from romaine.train.initial import initial_table, token_odds
from romaine.train.losses import relational_loss
from romaine.train.teacher import Advance, Teacher, teach

SLICES = (32, 64, 128, 256)
"""Matryoshka dimensions below the full one."""

_LOSS_WINDOW = 20
"""Steps whose mean is reported as one point of the loss curve."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a table is trained.

    Attributes:
        dim: Components of the table.
        steps: Optimiser steps.
        batch: Texts in a step; the loss compares each with every other.
        learning_rate: Peak of Adam's rate, reached after `warm_up` steps, then falling to zero as a cosine.
            Much more of it brings the table nearer to the teacher on STS, and loses what the initial weights
            of the tokens are worth for retrieval.
        listwise: Weight of the divergence of neighbours against the squared difference of cosines.
        sif: Constant of the initial token weights; see `initial_table`.
        max_tokens: Tokens of a text that count in training, for teacher and student alike.
        warm_up: Steps until the rate is at its peak.
        seed: Of the order of texts and the random components.
    """

    dim: int = 384
    steps: int = 600
    batch: int = 512
    learning_rate: float = 0.002
    listwise: float = 0.3
    sif: float = 1e-3
    max_tokens: int = 64
    warm_up: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in {
            "dim": 1,
            "steps": 1,
            "batch": 2,
            "max_tokens": 1,
            "warm_up": 1,
            "seed": 0,
        }.items():
            if getattr(self, name) < least:
                raise OptionError(f"{name}={getattr(self, name)} is not possible; it is at least {least}")
        for name in ("learning_rate", "sif"):
            if not 0 < getattr(self, name) < float("inf"):
                raise OptionError(f"{name}={getattr(self, name)} is not possible; it is above 0 and finite")
        if not 0 <= self.listwise < float("inf"):
            raise OptionError(f"listwise={self.listwise} is not possible; it is at least 0 and finite")

    @property
    def dims(self) -> tuple[int, ...]:
        """The Matryoshka dimensions, ascending, the full one last."""
        return (*(dim for dim in SLICES if dim < self.dim), self.dim)

    def rate(self, step: int) -> float:
        """The learning rate at a step, as a fraction of its peak."""
        return min(1.0, (step + 1) / self.warm_up) * 0.5 * (1 + cos(pi * step / self.steps))


@dataclass(frozen=True, kw_only=True, eq=False)
class Distilled:
    """A trained table.

    Attributes:
        table: float32 (vocab, dim); the mean of a text's rows, made unit length, is its vector.
        dims: Matryoshka dimensions it was trained for.
        losses: Mean loss of every 20 steps, in order.
        texts: How many texts it learned from.
    """

    table: FloatArray
    dims: tuple[int, ...]
    losses: tuple[float, ...]
    texts: int


def distill(
    teacher: Teacher,
    texts: Sequence[str],
    *,
    recipe: Recipe | None = None,
    cache: Path | None = None,
    device: str = "cpu",
    show_progress: bool = False,
) -> Distilled:
    """Trains a static table to find the same texts alike as the teacher does.

    The same texts, recipe and teacher give the same table on one machine with one number of threads.

    Args:
        teacher: Whose similarities and vocabulary are taken over.
        texts: What to learn from; short ones, like those to be embedded later.
        recipe: How; the default recipe if None.
        cache: Folder where the teacher's vectors are kept for the next run, or None.
        device: Torch device of the student.
        show_progress: Whether to show bars on stderr.

    Raises:
        OptionError: If fewer than two texts have any token.
        VectorError: If the loss is no longer finite.
    """
    recipe = recipe or Recipe()
    rows = _tokenised(teacher, texts, recipe.max_tokens)
    if len(rows) < 2:
        raise OptionError(
            f"{len(rows)} texts with tokens are too few to compare; give at least two, better 10,000"
        )
    vocab = teacher.tokenizer.get_vocab_size()
    singles = [[token] for token in range(vocab)]
    with progress_bar("teacher, tokens", vocab, show=show_progress) as advance:
        token_vectors = teach(teacher, singles, cache=cache, advance=advance)
    with progress_bar("teacher, texts", len(rows), show=show_progress) as advance:
        goals = teach(teacher, rows, cache=cache, advance=advance)
    odds = token_odds(rows, vocab)
    start = initial_table(token_vectors, odds, dim=recipe.dim, sif=recipe.sif, seed=recipe.seed)
    with progress_bar("training", recipe.steps, show=show_progress) as advance:
        table, losses = _Training(start, rows, goals, recipe, device).run(advance)
    return Distilled(table=table, dims=recipe.dims, losses=losses, texts=len(rows))


def _tokenised(teacher: Teacher, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    encodings = teacher.tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [encoding.ids[:max_tokens] for encoding in encodings if encoding.ids]


class _Training:
    """One run of the optimiser over the texts."""

    def __init__(
        self, start: FloatArray, rows: Sequence[Sequence[int]], goals: FloatArray, recipe: Recipe, device: str
    ) -> None:
        self._flat = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
        self._ends = np.cumsum([len(row) for row in rows])
        self._goals = goals
        self._recipe = recipe
        self._device = device
        self._table = torch.nn.Parameter(torch.tensor(start, device=device))
        self._adam = torch.optim.Adam([self._table], lr=recipe.learning_rate)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._adam, recipe.rate)

    def run(self, advance: Advance) -> tuple[FloatArray, tuple[float, ...]]:
        losses: list[float] = []
        for step, batch in enumerate(self._batches(), 1):
            loss = self._step(batch)
            if not np.isfinite(loss):
                raise VectorError(
                    f"the loss is {loss} at step {step}; lower learning_rate={self._recipe.learning_rate}"
                    " or check the teacher's vectors"
                )
            losses.append(loss)
            advance(1)
        table = np.array(self._table.detach().cpu().numpy(), dtype=np.float32)
        points = [losses[i : i + _LOSS_WINDOW] for i in range(0, len(losses), _LOSS_WINDOW)]
        return table, tuple(float(np.mean(point)) for point in points)

    def _batches(self) -> Iterator[NDArray[np.intp]]:
        """Each text at most once a round; a rest smaller than a batch is left out of its round."""
        rng = np.random.default_rng(self._recipe.seed)
        size = min(self._recipe.batch, len(self._ends))
        order = np.empty(0, dtype=np.intp)
        for _ in range(self._recipe.steps):
            if len(order) < size:
                order = rng.permutation(len(self._ends))
            yield order[:size]
            order = order[size:]

    def _step(self, batch: NDArray[np.intp]) -> float:
        starts = self._ends[batch - 1] * (batch > 0)
        lengths = self._ends[batch] - starts
        tokens = np.concatenate([self._flat[s : s + n] for s, n in zip(starts, lengths, strict=True)])
        vectors = functional.embedding_bag(
            torch.from_numpy(tokens).to(self._device),
            self._table,
            torch.from_numpy(np.cumsum(lengths) - lengths).to(self._device),
            mode="mean",
        )
        goals = torch.from_numpy(self._goals[batch]).to(self._device)
        loss = relational_loss(vectors, goals, dims=self._recipe.dims, listwise=self._recipe.listwise)
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        self._schedule.step()
        return loss.item()
