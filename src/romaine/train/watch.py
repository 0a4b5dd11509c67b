"""What is measured while training runs, as a low loss can hide it: STS, recall in chats, spread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray, slice_dim, top_k
from romaine.backends.static import sum_rows
from romaine.errors import VectorError
from romaine.evaluate.sts import ScoredPairs, spearman
from romaine.models.tables import DyT
from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer
from romaine.train.chats import long_chat
from romaine.train.corpus import Corpus, Dialogue
from romaine.train.packing import packed
from romaine.train.questions import QuestionMaker
from romaine.train.recipe import Watch

_DEV = 1  # sets the random numbers of dev questions apart from those of training
_SPREAD = 1000  # documents whose mutual distances say how evenly vectors spread

_SAME_SCORE = 5.0  # STS score of two sentences that mean the same
_OTHER_SCORE = 4.0  # below it they differ in something that matters
_PRECISION = 0.97  # of pairs with the same meaning among those from the duplicate threshold up


@dataclass(frozen=True, eq=False)
class SearchSet:
    """Questions about a collection, both as tokens, and the index of the document that answers each.

    `is_chat` says whether the documents are the turns of a chat, `name` which data they come from.
    """

    name: str
    is_chat: bool
    documents: Ragged
    questions: Ragged
    answers: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One measurement; figures are by dimension, written as JSON has it ("384"), the largest first.

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
    sts: dict[str, float] = field(default_factory=dict)
    recall: dict[str, float] = field(default_factory=dict)
    recall_by_set: dict[str, dict[str, float]] = field(default_factory=dict)
    alignment: dict[str, float] = field(default_factory=dict)
    uniformity: dict[str, float] = field(default_factory=dict)


class Observer:
    """Measures tables at some dimensions: recall@cutoff in what is searched, Spearman on scored pairs."""

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

    def read(
        self, matrix: FloatArray, dyt: DyT | None, *, step: int, loss: float | None, bits: int = 32
    ) -> Reading:
        """Measures a table as it is when packed in so many bits.

        Raises:
            VectorError: If the table, the loss or any figure is not finite.
        """
        if not np.isfinite(matrix).all() or (loss is not None and not math.isfinite(loss)):
            raise VectorError(
                f"training has diverged at step {step}: loss {loss}; lower learning_rate or raise warm_up"
            )
        matrix = packed(matrix, bits)
        reading = Reading(step=step, loss=loss)
        if self._sts is not None:
            for dim, cosines in self._cosines(matrix, dyt, self._dims):
                reading.sts[str(dim)] = spearman(cosines, self._sts.scores)
        if self._sets:
            self._search(matrix, dyt, reading)
        _check_finite(reading)
        return reading

    def duplicate_threshold(self, matrix: FloatArray, dyt: DyT | None) -> float | None:
        """See `duplicate_threshold`, at the full dimension; None without scored pairs."""
        if self._sts is None:
            return None
        [(_, cosines)] = self._cosines(matrix, dyt, [matrix.shape[1]])
        return duplicate_threshold(cosines.astype(np.float64), self._sts.scores)

    def _cosines(
        self, matrix: FloatArray, dyt: DyT | None, dims: Sequence[int]
    ) -> Iterable[tuple[int, FloatArray]]:
        left, right = (embed(matrix, dyt, tokens) for tokens in (self._left, self._right))
        return [(dim, np.einsum("ij,ij->i", slice_dim(left, dim), slice_dim(right, dim))) for dim in dims]

    def _search(self, matrix: FloatArray, dyt: DyT | None, reading: Reading) -> None:
        embedded = [
            (found, embed(matrix, dyt, found.documents), embed(matrix, dyt, found.questions))
            for found in self._sets
        ]
        chats = {found.name for found in self._sets if found.is_chat}
        for dim in self._dims:
            hits: dict[str, list[float]] = {}
            distances: list[float] = []
            spread: list[float] = []
            for found, documents, questions in embedded:
                d, q = slice_dim(documents, dim), slice_dim(questions, dim)
                cosines = q @ d.T
                hits.setdefault(found.name, []).extend(
                    float(answer in top_k(row, self._cutoff))
                    for row, answer in zip(cosines, found.answers, strict=True)
                )
                distances += (2 - 2 * cosines[np.arange(len(q)), found.answers]).tolist()
                spread.append(uniformity(d[:_SPREAD]))
            for name, values in hits.items():
                reading.recall_by_set.setdefault(name, {})[str(dim)] = float(np.mean(values))
            asked = [np.mean(values) for name, values in hits.items() if name in chats or not chats]
            reading.recall[str(dim)] = float(np.mean(asked))
            reading.alignment[str(dim)] = float(np.mean(distances))
            reading.uniformity[str(dim)] = float(np.mean(spread))


def embed(matrix: FloatArray, dyt: DyT | None, tokens: Ragged) -> FloatArray:
    """Texts' vectors as the static backend computes them, float32 (n, dim), any length."""
    vectors = sum_rows(matrix, tokens)
    vectors /= np.maximum(tokens.lengths[:, None], 1).astype(np.float32)
    if dyt is None:
        return vectors
    return np.where(tokens.lengths[:, None] > 0, dyt(vectors), np.float32(0))


def uniformity(unit: FloatArray) -> float:
    """Log of the mean Gaussian potential of different unit vectors (n, dim), t = 2 (Wang and Isola 2020).

    It is 0 at most, and 0 for fewer than two vectors.
    """
    if len(unit) < 2:
        return 0.0
    cosines = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
    return float(np.log(np.mean(np.exp(-2 * (2 - 2 * cosines.astype(np.float64))))))


def duplicate_threshold(cosines: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """The lowest cosine from which a pair means the same with the wanted precision.

    Pairs scored 5 are the same, pairs below 4 are not; what lies between counts as neither.

    Args:
        cosines: Of pairs (n,).
        scores: What people gave (n,).

    Returns:
        Rounded up to two decimals; 0.99 where no threshold reaches the precision.
    """
    judged = (scores >= _SAME_SCORE) | (scores < _OTHER_SCORE)
    order = np.argsort(-cosines[judged], kind="stable")
    same = (scores[judged] >= _SAME_SCORE)[order]
    good = np.flatnonzero(np.cumsum(same) / np.arange(1, len(same) + 1) >= _PRECISION)
    if not len(good):
        return 0.99
    return min(float(np.ceil(cosines[judged][order][good[-1]] * 100) / 100), 0.99)


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
        rng = np.random.default_rng((seed, _DEV, place))
        left = watch.questions
        for dialogues in _chunks(corpus.sets[name].held_dialogues, watch.dialogues):
            chat = long_chat(dialogues, pool, maker, rng, most=left)
            left -= len(chat.questions)
            if chat.questions:
                documents, questions = tokenise(chat.documents), tokenise(chat.questions)
                sets.append(SearchSet(name, True, documents, questions, chat.answers))
            if left < 1:
                break
    for name in watch.pairs:
        pairs = corpus.sets[name].held_pairs[: watch.questions]
        if len(pairs):
            positives, answers = np.unique(pairs[:, 1], return_inverse=True)
            documents, questions = (tokenise([pool[i] for i in ids]) for ids in (positives, pairs[:, 0]))
            sets.append(SearchSet(name, False, documents, questions, answers.reshape(-1)))
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


def _full(by_dim: dict[str, float]) -> float:
    return by_dim[max(by_dim, key=int)]


def _chunks(dialogues: Sequence[Dialogue], size: int) -> list[Sequence[Dialogue]]:
    """Groups of `size`; a rest shorter than half of that is left out, as searching it would be too easy."""
    groups = [dialogues[start : start + size] for start in range(0, len(dialogues), size)]
    return [group for group in groups if 2 * len(group) >= size] or groups[:1]


def _check_finite(reading: Reading) -> None:
    for name in ("sts", "recall", "alignment", "uniformity"):
        for dim, value in getattr(reading, name).items():
            if not math.isfinite(value):
                raise VectorError(
                    f"{name} at {dim} dims is {value} at step {reading.step}: the vectors have collapsed or"
                    " diverged; lower learning_rate, or give the STS file more than one score"
                )
