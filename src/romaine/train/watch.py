"""What is measured while training runs, as a low loss can hide it: STS, recall in chats, spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray, slice_dim, top_k
from romaine.backends.static import sum_rows
from romaine.errors import VectorError
from romaine.evaluate.sts import ScoredPairs, spearman
from romaine.models.tables import DyT
from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer
from romaine.train.batches import dice_at
from romaine.train.chats import long_chat
from romaine.train.corpus import Corpus, Dialogue
from romaine.train.questions import QuestionMaker
from romaine.train.recipe import Watch

_DEV = 1  # sets the chance of dev questions apart from that of training
_SPREAD = 1000  # documents whose mutual distances say how evenly vectors spread


@dataclass(frozen=True, eq=False)
class SearchSet:
    """Questions about a collection.

    Attributes:
        name: Of the data it comes from.
        is_chat: Whether its documents are the turns of a chat.
        documents: Tokens of what is searched.
        questions: Tokens of what is asked.
        answers: Index of the document that answers each question.
    """

    name: str
    is_chat: bool
    documents: Ragged
    questions: Ragged
    answers: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One measurement, by dimension.

    Attributes:
        step: Steps done.
        loss: Mean loss since the reading before, or None before the first step.
        sts: Spearman on the STS file.
        recall: Recall of the answering turn, mean over all sources of chats; without any, of the answer, mean
            over all sources of pairs.
        recall_by_set: The same by data source.
        alignment: Mean squared distance of a question and what answers it (Wang and Isola 2020).
        uniformity: Log of the mean ``exp(-2 * squared distance)`` of different documents (the same paper).
    """

    step: int
    loss: float | None
    sts: dict[int, float] = field(default_factory=dict)
    recall: dict[int, float] = field(default_factory=dict)
    recall_by_set: dict[str, dict[int, float]] = field(default_factory=dict)
    alignment: dict[int, float] = field(default_factory=dict)
    uniformity: dict[int, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The figures, dimensions as strings."""
        return {name: _with_string_keys(value) for name, value in asdict(self).items()}


class Observer:
    """Measures tables.

    Args:
        sets: What is searched; may be empty.
        sts: Scored pairs, or None.
        tokenizer: Of the table.
        dims: Dimensions to measure.
        cutoff: The k of recall@k.
    """

    def __init__(
        self,
        sets: Sequence[SearchSet],
        sts: ScoredPairs | None,
        *,
        tokenizer: Tokenizer,
        dims: Sequence[int],
        cutoff: int,
    ) -> None:
        self._sets = sets
        self._dims = tuple(sorted(dims, reverse=True))
        self._cutoff = cutoff
        self._sts = sts
        if sts is not None:
            self._left = tokenizer.encode(sts.left, add_special_tokens=False)
            self._right = tokenizer.encode(sts.right, add_special_tokens=False)

    def read(self, matrix: FloatArray, dyt: DyT | None, *, step: int, loss: float | None) -> Reading:
        """Measures a table.

        Raises:
            VectorError: If the table, the loss or any figure is not finite.
        """
        if not np.isfinite(matrix).all() or (loss is not None and not math.isfinite(loss)):
            raise VectorError(
                f"training has diverged at step {step}: loss {loss}; lower learning_rate or raise warm_up"
            )
        reading = Reading(step=step, loss=loss)
        if self._sts is not None:
            left, right = (embed(matrix, dyt, tokens) for tokens in (self._left, self._right))
            for dim in self._dims:
                cosines = np.einsum("ij,ij->i", slice_dim(left, dim), slice_dim(right, dim))
                reading.sts[dim] = spearman(cosines, self._sts.scores)
        self._search(matrix, dyt, reading)
        _check_finite(reading)
        return reading

    def _search(self, matrix: FloatArray, dyt: DyT | None, reading: Reading) -> None:
        recalls: dict[str, dict[int, list[float]]] = {}
        aligned: dict[int, list[float]] = {dim: [] for dim in self._dims}
        spread: dict[int, list[float]] = {dim: [] for dim in self._dims}
        for found in self._sets:
            documents, questions = (embed(matrix, dyt, t) for t in (found.documents, found.questions))
            by_dim = recalls.setdefault(found.name, {dim: [] for dim in self._dims})
            for dim in self._dims:
                d, q = slice_dim(documents, dim), slice_dim(questions, dim)
                cosines = q @ d.T
                for row, answer in zip(cosines, found.answers, strict=True):
                    by_dim[dim].append(float(answer in top_k(row, self._cutoff)))
                own = cosines[np.arange(len(q)), found.answers]
                aligned[dim] += (2 - 2 * own).tolist()
                spread[dim].append(uniformity(d[:_SPREAD]))
        for name, by_dim in recalls.items():
            reading.recall_by_set[name] = {dim: _mean(values) for dim, values in by_dim.items()}
        chats = {found.name for found in self._sets if found.is_chat}
        if recalls:
            for dim in self._dims:
                reading.recall[dim] = _mean(
                    [
                        values[dim]
                        for name, values in reading.recall_by_set.items()
                        if name in chats or not chats
                    ]
                )
                reading.alignment[dim] = _mean(aligned[dim])
                reading.uniformity[dim] = _mean(spread[dim])


def embed(matrix: FloatArray, dyt: DyT | None, tokens: Ragged) -> FloatArray:
    """Texts' vectors as the static backend computes them, float32 (n, dim), any length."""
    vectors = sum_rows(matrix, tokens)
    vectors /= np.maximum(tokens.lengths[:, None], 1).astype(np.float32)
    if dyt is None:
        return vectors
    return np.where(tokens.lengths[:, None] > 0, dyt(vectors), np.float32(0))


def uniformity(unit: FloatArray) -> float:
    """Log of the mean Gaussian potential of different vectors, t = 2 (Wang and Isola 2020).

    Args:
        unit: Unit vectors (n, dim).

    Returns:
        0 at most; 0 for fewer than two vectors.
    """
    if len(unit) < 2:
        return 0.0
    cosines = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
    return float(np.log(np.mean(np.exp(-2 * (2 - 2 * cosines.astype(np.float64))))))


def observer_for(
    watch: Watch,
    corpus: Corpus,
    *,
    sts: ScoredPairs | None,
    tokenizer: Tokenizer,
    maker: QuestionMaker,
    dims: Sequence[int],
    seed: int,
) -> Observer:
    """Builds dev questions from held-out data: long chats, and collections of the positives of pairs."""

    def tokenise(texts: Sequence[str]) -> Ragged:
        return tokenizer.encode(texts, add_special_tokens=False)

    sets = []
    pool = corpus.pool.texts
    for place, name in enumerate(watch.chats):
        dice = dice_at(seed, _DEV, place)
        left = watch.questions
        for dialogues in _chunks(corpus.sets[name].held_dialogues, watch.dialogues):
            chat = long_chat(dialogues, pool, maker, dice, most=left)
            left -= len(chat.questions)
            if chat.questions:
                documents, questions = tokenise(chat.documents), tokenise(chat.questions)
                sets.append(SearchSet(name, True, documents, questions, chat.answers))
            if left < 1:
                break
    for name in watch.pairs:
        pairs = corpus.sets[name].held_pairs[: watch.questions]
        if len(pairs):
            documents_, answers = np.unique(pairs[:, 1], return_inverse=True)
            sets.append(
                SearchSet(
                    name,
                    False,
                    tokenise([pool[number] for number in documents_]),
                    tokenise([pool[number] for number in pairs[:, 0]]),
                    answers.reshape(-1),
                )
            )
    return Observer(sets, sts, tokenizer=tokenizer, dims=dims, cutoff=watch.cutoff)


def is_better(reading: Reading, best: Reading | None, *, floor: float) -> bool:
    """Whether a checkpoint replaces the best so far: the highest recall among those above the STS floor.

    Of equals the latest wins, so also where there is nothing to search. As long as none is above the floor,
    the highest Spearman counts.
    """
    if best is None:
        return True
    above, was_above = is_above(reading, floor), is_above(best, floor)
    if above != was_above:
        return above
    if not above:
        return _full(reading.sts) > _full(best.sts)
    return not reading.recall or _full(reading.recall) >= _full(best.recall)


def is_above(reading: Reading, floor: float) -> bool:
    """Whether a reading's Spearman at the full dimension reaches the floor; without STS it always does."""
    return not reading.sts or _full(reading.sts) >= floor


def _full(by_dim: dict[int, float]) -> float:
    return by_dim[max(by_dim)]


def _chunks(dialogues: Sequence[Dialogue], size: int) -> list[Sequence[Dialogue]]:
    """Groups of `size`; a rest shorter than half of that is left out, as searching it would be too easy."""
    groups = [dialogues[start : start + size] for start in range(0, len(dialogues), size)]
    return [group for group in groups if 2 * len(group) >= size] or groups[:1]


def _check_finite(reading: Reading) -> None:
    figures = {k: v for k, v in asdict(reading).items() if isinstance(v, dict) and k != "recall_by_set"}
    for name, by_dim in figures.items():
        for dim, value in by_dim.items():
            if not math.isfinite(value):
                raise VectorError(
                    f"{name} at {dim} dims is {value} at step {reading.step}: the vectors have collapsed or"
                    " diverged; lower learning_rate, or give the STS file more than one score"
                )


def _with_string_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_string_keys(item) for key, item in value.items()}
    return value


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
