"""Tasks that search: find what answers a query, in pairs and in long chats."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from romaine.train import losses
from romaine.train.batches import Rounds, dice_at
from romaine.train.chats import LongChat, long_chat
from romaine.train.mining import hard_negatives
from romaine.train.objectives import Chat, Contrastive
from romaine.train.surroundings import Draw, Surroundings, alike
from romaine.train.teacher import Side


class ContrastiveWorker:
    """Draws pairs and what else they are to be found before; see `Contrastive`."""

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
        self._filters = task.margin <= 2
        self._mined = self._mine() if task.negatives else None

    def draw(self, step: int) -> Draw:
        """See `Worker.draw`."""
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
        false = self._false(goal, where) if goal is not None and self._filters else None
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
            margin=self._task.margin if self._filters else -math.inf,
        )
        return np.where(found >= 0, documents[found], -1)

    def _negatives(self, chosen: NDArray[np.int64], step: int) -> NDArray[np.int64]:
        if self._mined is None:
            return np.empty(0, dtype=np.int64)
        dice = dice_at(*self._key, step, 1)
        candidates = self._mined[chosen]
        picked = candidates[:, dice.integers(candidates.shape[1], size=self._task.negatives)]
        return picked[picked >= 0]


class ChatWorker:
    """Glues dialogues together and asks about their turns; see `Chat`."""

    def __init__(self, task: Chat, around: Surroundings, key: tuple[int, ...]) -> None:
        self._task, self._around, self._key = task, around, key
        self._dialogues = [d for name in task.data for d in around.corpus.sets[name].dialogues]
        self._rounds = Rounds(len(self._dialogues), task.chats * task.dialogues, key)

    def draw(self, step: int) -> Draw:
        """See `Worker.draw`."""
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
