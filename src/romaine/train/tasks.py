"""Tasks at work: what each draws in a step, and its loss on the student's vectors of that."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.train import losses
from romaine.train.chats import long_chat
from romaine.train.context import Context, Epochs, Sampler, TaskBatch
from romaine.train.objectives import ChatTask, ContrastiveTask, RelationalTask, ScoredTask, Task
from romaine.train.teacher import Side

_ALIKE = 0.95
"""Cosine of the student itself from which two texts count as the same, so that neither is a negative."""

_NEAREST = 50  # documents a pair's hard negatives are drawn from
_BLOCK = 1024  # queries whose hard negatives are looked for at once


def sampler_for(task: Task, context: Context, key: tuple[int, ...]) -> Sampler:
    """Puts a task to work; all it draws depends on the key: seed, phase and place in the phase."""
    if isinstance(task, RelationalTask):
        return _RelationalSampler(task, context, key)
    if isinstance(task, ContrastiveTask):
        return _ContrastiveSampler(task, context, key)
    if isinstance(task, ChatTask):
        return _ChatSampler(task, context, key)
    assert isinstance(task, ScoredTask)
    return _ScoredSampler(task, context, key)


class _RelationalSampler:
    def __init__(self, task: RelationalTask, context: Context, key: tuple[int, ...]) -> None:
        self._task, self._context = task, context
        texts = np.unique(np.concatenate([context.corpus.sets[name].texts for name in task.data]))
        self._texts = texts[context.tokens.lengths[texts] > 0]
        if len(self._texts) == 1:
            raise OptionError(
                f"data={list(task.data)} has one text left, and a relational loss compares texts"
            )
        self._epochs = Epochs(len(self._texts), task.batch, key)

    def batch(self, step: int) -> TaskBatch:
        texts = self._texts[self._epochs.at(step)]
        goal = self._context.panel.similarities(texts, texts)

        def loss(vectors: Tensor) -> Tensor:
            return self._context.slices.mean(
                lambda unit: losses.relational(unit, goal, temperature=self._task.temperature), vectors
            )

        return TaskBatch(self._context.tokens.take(texts), loss)


class _ScoredSampler:
    def __init__(self, task: ScoredTask, context: Context, key: tuple[int, ...]) -> None:
        self._task, self._context = task, context
        sets = [context.corpus.sets[name] for name in task.data]
        self._pairs = np.concatenate([found.scored for found in sets])
        # as a share of the largest: STS's 0 to 5 becomes 0 to 1
        self._scores = np.concatenate(
            [found.scores / np.float32(found.scores.max(initial=0) or 1) for found in sets]
        )
        self._epochs = Epochs(len(self._pairs), task.batch, key)

    def batch(self, step: int) -> TaskBatch:
        chosen = self._epochs.at(step)
        scores = self._context.tensor(self._scores[chosen])
        count = len(chosen)

        def loss(vectors: Tensor) -> Tensor:
            return self._context.slices.mean(
                lambda a, b: losses.scored(a, b, scores, form=self._task.form),
                vectors[:count],
                vectors[count:],
            )

        return TaskBatch(self._context.tokens.take(self._pairs[chosen].T.ravel()), loss)


class _ContrastiveSampler:
    def __init__(self, task: ContrastiveTask, context: Context, key: tuple[int, ...]) -> None:
        self._task, self._context, self._key = task, context, key
        pairs = np.concatenate([context.corpus.sets[name].pairs for name in task.data])
        lengths = context.tokens.lengths
        self._pairs = pairs[(lengths[pairs[:, 0]] > 0) & (lengths[pairs[:, 1]] > 0)]
        self._epochs = Epochs(len(self._pairs), task.batch, (*key, 0))
        self._mined = self._mine() if task.negatives else None

    def batch(self, step: int) -> TaskBatch:
        task, context = self._task, self._context
        chosen = self._epochs.at(step)
        queries, positives, own = self._pairs[chosen].T
        documents, positive = np.unique(
            np.concatenate([positives, own[own >= 0], self._negatives(chosen, step)]), return_inverse=True
        )
        count = len(queries)
        where = context.tensor(positive[:count])
        false = self._false_negatives(queries, documents, where) if task.filters else None

        def loss(vectors: Tensor) -> Tensor:
            left, right = vectors[:count], vectors[count:]
            excluded = alike(right, where, queries=left)
            if false is not None:
                excluded = excluded | false

            def sliced(q: Tensor, d: Tensor) -> Tensor:
                forth = losses.ranking(q, d, where, excluded, temperature=task.temperature)
                if not task.both_ways:
                    return forth
                rows = torch.arange(count, device=q.device)
                back = losses.ranking(d[where], q, rows, excluded[:, where].T, temperature=task.temperature)
                return (forth + back) / 2

            return context.slices.mean(sliced, left, right)

        return TaskBatch(context.tokens.take(np.concatenate([queries, documents])), loss)

    def _false_negatives(
        self, queries: NDArray[np.int64], documents: NDArray[np.int64], where: Tensor
    ) -> Tensor:
        goal = self._context.panel.similarities(queries, documents, sides=(Side.QUERY, Side.DOCUMENT))
        return goal > goal.gather(1, where[:, None]) - self._task.margin

    def _mine(self) -> NDArray[np.int64]:
        """Candidates of each pair, as text ids, -1 where there are none."""
        documents, positive = np.unique(self._pairs[:, 1], return_inverse=True)
        panel = self._context.panel
        found = hard_negatives(
            panel.vectors(self._pairs[:, 0], Side.QUERY),
            panel.vectors(documents, Side.DOCUMENT),
            positive.reshape(-1),
            margin=self._task.margin if self._task.filters else -math.inf,
        )
        return np.where(found >= 0, documents[found], -1)

    def _negatives(self, chosen: NDArray[np.int64], step: int) -> NDArray[np.int64]:
        if self._mined is None:
            return np.empty(0, dtype=np.int64)
        rng = np.random.default_rng((*self._key, step, 1))
        candidates = self._mined[chosen]
        picked = candidates[:, rng.integers(candidates.shape[1], size=self._task.negatives)]
        return picked[picked >= 0]


class _ChatSampler:
    def __init__(self, task: ChatTask, context: Context, key: tuple[int, ...]) -> None:
        self._task, self._context, self._key = task, context, key
        self._dialogues = [d for name in task.data for d in context.corpus.sets[name].dialogues]
        self._epochs = Epochs(len(self._dialogues), task.dialogues, key)

    def batch(self, step: int) -> TaskBatch:
        task, context = self._task, self._context
        chat = long_chat(
            [self._dialogues[i] for i in self._epochs.at(step)],
            context.corpus.pool.texts,
            context.maker,
            np.random.default_rng((*self._key, step)),
            most=task.questions,
        )
        where = context.tensor(chat.answers)
        count = len(chat.questions)

        def loss(vectors: Tensor) -> Tensor:
            if not count:  # nothing worth asking in these dialogues
                return vectors.sum() * 0
            left, right = vectors[:count], vectors[count:]
            excluded = alike(right, where)
            return context.slices.mean(
                lambda q, d: losses.ranking(q, d, where, excluded, temperature=task.temperature), left, right
            )

        return TaskBatch(context.tokenise(chat.questions + chat.documents), loss)


def alike(documents: Tensor, where: Tensor, *, queries: Tensor | None = None) -> Tensor:
    """Documents that the student itself cannot tell from a query's positive, or whose query it cannot.

    Args:
        documents: Shape (m, full_dim).
        where: Index of each query's positive, (n,).
        queries: Shape (n, full_dim), where positives of queries that are the same are left out as well.

    Returns:
        bool (n, m).
    """
    with torch.no_grad():
        unit = functional.normalize(documents, dim=1)
        same = unit[where] @ unit.T > _ALIKE
        if queries is not None:
            asked = functional.normalize(queries, dim=1)
            rows, columns = torch.nonzero(asked @ asked.T > _ALIKE, as_tuple=True)
            same[rows, where[columns]] = True
        return same


def hard_negatives(
    queries: FloatArray, documents: FloatArray, positive: NDArray[np.int64], *, margin: float
) -> NDArray[np.int64]:
    """For each query the documents that seem to answer it and do not.

    Those nearest to the query whose cosine stays below that of its positive less `margin`: what is nearer may
    well be an answer (NV-Retriever, Moreira et al. 2024).

    Args:
        queries: Unit vectors (n, dim).
        documents: Unit vectors (m, dim).
        positive: Index of each query's document, (n,).
        margin: In cosines; minus infinity lets every other document be one.

    Returns:
        int64 (n, 50 at most), nearest first; -1 where there are no more.
    """
    found = []
    for start in range(0, len(queries), _BLOCK):
        own = positive[start : start + _BLOCK, None]
        cosines = queries[start : start + _BLOCK] @ documents.T
        cosines[cosines >= np.take_along_axis(cosines, own, axis=1) - margin] = -np.inf
        np.put_along_axis(cosines, own, -np.inf, axis=1)
        values, nearest = torch.topk(torch.from_numpy(cosines), min(_NEAREST, len(documents)), dim=1)
        found.append(torch.where(values.isfinite(), nearest, -1).numpy())
    return np.concatenate(found)
