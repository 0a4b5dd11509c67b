"""Tasks at work: what each draws in a step, and its loss on the student's vectors of that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from romaine.errors import OptionError
from romaine.train import losses
from romaine.train.batches import Rounds, dice_at
from romaine.train.mining import clusters
from romaine.train.objectives import Chat, Contrastive, Relational, Scored, Task
from romaine.train.searching import ChatWorker, ContrastiveWorker
from romaine.train.surroundings import Draw, Surroundings, Worker
from romaine.train.teacher import Side

_CLUSTERS_AT_ONCE = 24


def worker(task: Task, around: Surroundings, key: tuple[int, ...]) -> Worker:
    """Puts a task to work.

    Args:
        task: What.
        around: With what.
        key: Seed, phase and place in the phase; everything the task draws depends on it.
    """
    if isinstance(task, Relational):
        return _RelationalWorker(task, around, key)
    if isinstance(task, Contrastive):
        return ContrastiveWorker(task, around, key)
    if isinstance(task, Chat):
        return ChatWorker(task, around, key)
    return _ScoredWorker(task, around, key)


class _RelationalWorker:
    def __init__(self, task: Relational, around: Surroundings, key: tuple[int, ...]) -> None:
        self._task, self._around, self._key = task, around, key
        self._texts = np.unique(np.concatenate([around.corpus.sets[name].texts for name in task.data]))
        self._texts = self._texts[around.tokens.lengths[self._texts] > 0]
        if len(self._texts) == 1:
            raise OptionError(
                f"data={list(task.data)} has one text left, and a relational loss compares texts"
            )
        self._rounds = Rounds(len(self._texts), task.batch, key)
        self._clusters: list[NDArray[np.int64]] = []
        if task.clustered:
            self._clusters = clusters(around.panel.vectors(self._texts, Side.DOCUMENT), seed=key[0])

    def draw(self, step: int) -> Draw:
        dice = dice_at(*self._key, step)
        clustered = self._clusters and dice.random() < self._task.clustered
        texts = self._texts[self._neighbours(dice) if clustered else self._rounds.at(step)]
        goal = self._around.panel.similarities(texts, texts)
        task = self._task

        def loss(vectors: Tensor) -> Tensor:
            return self._around.slices.mean(
                lambda unit: losses.relational(
                    unit, goal, listwise=task.listwise, temperature=task.temperature
                ),
                vectors,
            )

        return Draw(self._around.tokens.take(texts), loss)

    def _neighbours(self, dice: np.random.Generator) -> NDArray[np.int64]:
        count = min(_CLUSTERS_AT_ONCE, len(self._clusters))
        chosen = dice.choice(len(self._clusters), count, replace=False)
        most = max(2, self._task.batch // count)
        return np.concatenate([dice.permutation(self._clusters[group])[:most] for group in chosen])


class _ScoredWorker:
    def __init__(self, task: Scored, around: Surroundings, key: tuple[int, ...]) -> None:
        self._task, self._around = task, around
        sets = [around.corpus.sets[name] for name in task.data]
        self._pairs = np.concatenate([found.scored for found in sets])
        self._scores = np.concatenate([_as_share(found.scores) for found in sets])
        self._rounds = Rounds(len(self._pairs), task.batch, key)

    def draw(self, step: int) -> Draw:
        chosen = self._rounds.at(step)
        left, right = self._pairs[chosen].T
        scores = self._around.tensor(self._scores[chosen])
        task, count = self._task, len(chosen)

        def loss(vectors: Tensor) -> Tensor:
            return self._around.slices.mean(
                lambda a, b: losses.scored(a, b, scores, form=task.form, scale=task.scale),
                vectors[:count],
                vectors[count:],
            )

        return Draw(self._around.tokens.take(np.concatenate([left, right])), loss)


def _as_share(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores as a share of the largest; STS's 0 to 5 becomes 0 to 1."""
    return scores / np.float32(scores.max(initial=0) or 1)
