"""Tasks at work: what each draws in a step, and its loss on the student's vectors of that."""

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
from romaine.train import losses
from romaine.train.batches import Rounds, dice_at
from romaine.train.chats import LongChat, long_chat
from romaine.train.corpus import Corpus
from romaine.train.mining import clusters, hard_negatives
from romaine.train.objectives import Chat, Contrastive, Relational, Scored, Task
from romaine.train.panel import Panel
from romaine.train.questions import QuestionMaker
from romaine.train.teacher import Side

_CLUSTERS_AT_ONCE = 24


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
    slices: losses.Matryoshka
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
        return _ContrastiveWorker(task, around, key)
    if isinstance(task, Chat):
        return _ChatWorker(task, around, key)
    return _ScoredWorker(task, around, key)


class _RelationalWorker:
    def __init__(self, task: Relational, around: Surroundings, key: tuple[int, ...]) -> None:
        self._task, self._around, self._key = task, around, key
        self._texts = np.unique(np.concatenate([around.corpus.sets[name].texts for name in task.data]))
        self._texts = self._texts[around.tokens.lengths[self._texts] > 0]
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


class _ContrastiveWorker:
    def __init__(self, task: Contrastive, around: Surroundings, key: tuple[int, ...]) -> None:
        self._task, self._around, self._key = task, around, key
        sets = [around.corpus.sets[name].pairs for name in task.data]
        self._pairs = np.concatenate(sets)
        lengths = around.tokens.lengths
        whole = (lengths[self._pairs[:, 0]] > 0) & (lengths[self._pairs[:, 1]] > 0)
        self._pairs = self._pairs[whole]
        owner = np.repeat(np.arange(len(sets)), [len(pairs) for pairs in sets])[whole]
        groups = [np.flatnonzero(owner == place) for place in range(len(sets))] if task.share else []
        self._groups = groups or [np.arange(len(self._pairs))]
        self._rounds = [
            Rounds(len(group), size, (*key, place))
            for place, (group, size) in enumerate(zip(self._groups, self._sizes(), strict=True))
        ]
        self._mined = self._mine() if task.negatives else None

    def draw(self, step: int) -> Draw:
        task, around = self._task, self._around
        chosen = np.concatenate(
            [group[rounds.at(step)] for group, rounds in zip(self._groups, self._rounds, strict=True)]
        )
        queries, positives, own = self._pairs[chosen].T
        documents, positive = np.unique(
            np.concatenate([positives, own[own >= 0], self._negatives(chosen, step)]), return_inverse=True
        )
        where = around.tensor(positive[: len(positives)])
        goal = self._goal(queries, documents) if task.asks_teachers else None
        false = self._false(goal, where) if goal is not None else None
        count = len(queries)

        def loss(vectors: Tensor) -> Tensor:
            left, right = vectors[:count], vectors[count:]
            excluded = alike(left, right, where, task.alike)
            if false is not None:
                excluded = excluded | false

            def sliced(q: Tensor, d: Tensor) -> Tensor:
                total = losses.ranking(q, d, where, excluded, temperature=task.temperature)
                if task.both_ways:
                    own = torch.arange(count, device=q.device)
                    back = losses.ranking(
                        d[where], q, own, excluded[:, where].T, temperature=task.temperature
                    )
                    total = (total + back) / 2
                if task.distil and goal is not None:
                    total = total + task.distil * losses.divergence(q @ d.T, goal, task.temperature)
                return total

            return around.slices.mean(sliced, left, right)

        return Draw(around.tokens.take(np.concatenate([queries, documents])), loss)

    def _sizes(self) -> list[int]:
        if not self._task.share:
            return [self._task.batch]
        total = sum(self._task.share.values())
        return [max(1, round(self._task.batch * self._task.share[name] / total)) for name in self._task.data]

    def _goal(self, queries: NDArray[np.int64], documents: NDArray[np.int64]) -> Tensor:
        return self._around.panel.similarities(queries, documents, sides=(Side.QUERY, Side.DOCUMENT))

    def _false(self, goal: Tensor, where: Tensor) -> Tensor:
        own = goal.gather(1, where[:, None])
        return goal > own - self._task.margin

    def _mine(self) -> NDArray[np.int64]:
        """Candidates of each pair, as numbers in the pool, -1 where there are none."""
        documents, positive = np.unique(self._pairs[:, 1], return_inverse=True)
        panel = self._around.panel
        found = hard_negatives(
            np.asarray(panel.vectors(self._pairs[:, 0], Side.QUERY)),
            np.asarray(panel.vectors(documents, Side.DOCUMENT)),
            positive.reshape(-1),
            margin=min(self._task.margin, 2.0),
        )
        return np.where(found >= 0, documents[found], -1)

    def _negatives(self, chosen: NDArray[np.int64], step: int) -> NDArray[np.int64]:
        if self._mined is None:
            return np.empty(0, dtype=np.int64)
        dice = dice_at(*self._key, step, 1)
        candidates = self._mined[chosen]
        picked = candidates[:, dice.integers(candidates.shape[1], size=self._task.negatives)]
        return picked[picked >= 0]


class _ChatWorker:
    def __init__(self, task: Chat, around: Surroundings, key: tuple[int, ...]) -> None:
        self._task, self._around, self._key = task, around, key
        self._dialogues = [d for name in task.data for d in around.corpus.sets[name].dialogues]
        self._rounds = Rounds(len(self._dialogues), task.chats * task.dialogues, key)

    def draw(self, step: int) -> Draw:
        task, around = self._task, self._around
        dice = dice_at(*self._key, step)
        drawn = np.array_split(self._rounds.at(step), task.chats)
        pool = around.corpus.pool.texts
        chats = [
            long_chat([self._dialogues[i] for i in part], pool, around.maker, dice, most=task.questions)
            for part in drawn
        ]
        documents = [document for chat in chats for document in chat.documents]
        questions = [question for chat in chats for question in chat.questions]
        begins = np.cumsum([0, *(len(chat.documents) for chat in chats)])
        answers = np.concatenate([chat.answers + begin for chat, begin in zip(chats, begins, strict=False)])
        where = around.tensor(answers)
        excluded = self._excluded(chats, begins, answers)
        count = len(questions)

        def loss(vectors: Tensor) -> Tensor:
            if not count:  # nothing worth asking in these dialogues
                return vectors.sum() * 0
            left, right = vectors[:count], vectors[count:]
            same = excluded | alike(left, right, where, task.alike, queries_too=False)
            return around.slices.mean(
                lambda q, d: losses.ranking(q, d, where, same, temperature=task.temperature), left, right
            )

        return Draw(around.tokenise(questions + documents), loss)

    def _excluded(
        self, chats: Sequence[LongChat], begins: NDArray[np.int64], answers: NDArray[np.int64]
    ) -> Tensor:
        """Turns that are no negatives: of other chats unless wanted, and those the teachers find the same."""
        excluded = np.zeros((len(answers), int(begins[-1])), dtype=bool)
        if not self._task.across:
            home = np.searchsorted(begins, answers, side="right") - 1
            places = np.arange(int(begins[-1]))
            excluded |= (places < begins[home][:, None]) | (places >= begins[home + 1][:, None])
        kept = self._around.tensor(excluded)
        if self._task.same > 1:
            return kept
        texts = np.concatenate([chat.texts for chat in chats])
        return kept | (self._around.panel.similarities(texts[answers], texts) >= self._task.same)


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


def _as_share(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores as a share of the largest; STS's 0 to 5 becomes 0 to 1."""
    return scores / np.float32(scores.max(initial=0) or 1)
