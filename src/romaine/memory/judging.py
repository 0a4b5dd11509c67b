"""Asking a ranker and a reranker, which may be anybody's, and checking what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.errors import OptionError, RankingError
from romaine.memory.candidates import Candidates
from romaine.memory.checks import check_count
from romaine.memory.learned import LEARNED_RANKER, LearnedRanker
from romaine.memory.locks import aside
from romaine.memory.query import Query
from romaine.memory.ranking import Ranker, Ranking, Reranker, Signals, WeightedRanker
from romaine.memory.records import Memory

RERANK = "rerank"
"""Name of the part of a score that a reranker adds."""

_ROUNDING = 1e-6  # how far parts may be from adding up, as a share of them: float32 ones are allowed


@dataclass(frozen=True, kw_only=True)
class Judges:
    """Who decides the order of a recall.

    Attributes:
        ranker: Scores all candidates.
        reranker: Looks at the first of them again, or None.
        first: How many those are.

    Raises:
        OptionError: If one has not the method it needs, or `first` is no whole number from 1.
    """

    ranker: Ranker = LEARNED_RANKER
    reranker: Reranker | None = None
    first: int = 20

    def __post_init__(self) -> None:
        for name, asked in (("rank", self.ranker), ("rerank", self.reranker)):
            if asked is not None and (isinstance(asked, type) or not callable(getattr(asked, name, None))):
                raise OptionError(
                    f"{name}er={asked!r} must be an object with a method {name}();"
                    f" romaine.memory.{name.title()}er says what it takes and returns"
                )
        check_count("rerank", self.first)
        if not self.first:
            raise OptionError("rerank=0 leaves the reranker nothing: give 1 or more, or reranker=None")

    def rank(self, query: Query, candidates: Candidates, signals: Signals) -> Ranking:
        """Asks the ranker.

        Raises:
            RankingError: If it fails, or its answer cannot be used.
        """
        if type(self.ranker) in (WeightedRanker, LearnedRanker):  # ours: nothing to check
            return self.ranker.rank(query, candidates, signals)
        who = f"ranker {type(self.ranker).__name__}"
        try:
            with aside():
                ranking = self.ranker.rank(query, candidates, signals)
        except Exception as error:
            raise _failed(who, error) from error
        return _checked(who, ranking, len(candidates))

    def rerank(
        self, query: Query, ranking: Ranking, first: NDArray[np.intp], memories: Sequence[Memory]
    ) -> Ranking:
        """Asks the reranker and puts the first candidates into its order.

        The reranker decides the order, not the size: the best of its own gets the highest score that the
        ranker gave any of them, the next the next, and `parts["rerank"]` is what that adds or takes. So
        scores stay in the ranker's unit and descend, as many reach a `min_score` as without it, and
        whatever it did not see stays behind.

        Args:
            query: What is looked for.
            ranking: Of `c` candidates.
            first: Indices of those it looks at, the best first, intp (n,).
            memories: These, n.

        Raises:
            RankingError: If it fails, or its answer is not n finite numbers.
        """
        if self.reranker is None or not len(first):
            return ranking
        who = f"reranker {type(self.reranker).__name__}"
        try:
            with aside():
                answer = self.reranker.rerank(query, memories)
        except Exception as error:
            raise _failed(who, error) from error
        opinions = _numbers(who, "scores", answer, len(first))
        reordered = first[np.argsort(-opinions, kind="stable")]
        scores = ranking.scores.copy()
        scores[reordered] = ranking.scores[first]
        return Ranking(
            scores=scores,
            parts={**ranking.parts, RERANK: scores - ranking.scores},
            leading=reordered,
        )


def _checked(who: str, ranking: object, count: int) -> Ranking:
    if not isinstance(ranking, Ranking) or not isinstance(ranking.parts, Mapping):
        raise RankingError(f"{who} gave {type(ranking).__name__}; needed is a romaine.memory.Ranking")
    scores = _numbers(who, "scores", ranking.scores, count)
    parts = {name: _numbers(who, f"part {name!r}", part, count) for name, part in ranking.parts.items()}
    if RERANK in parts:
        raise RankingError(f"{who} gave a part {RERANK!r}: that is the reranker's; choose another name")
    total, size = np.zeros(count), np.abs(scores)
    for part in parts.values():
        total += part
        size += np.abs(part)
    wrong = np.flatnonzero(np.abs(total - scores) > _ROUNDING * size)
    if len(wrong):
        at = int(wrong[0])
        raise RankingError(
            f"{who} gave candidate {at} score {scores[at]:g}, but parts that add up to {total[at]:g};"
            " they must add up to the score"
        )
    return Ranking(scores=scores, parts=parts)


def _numbers(who: str, what: str, values: Any, count: int) -> NDArray[np.float64]:
    needed = f"needed are {count} finite numbers, one for each candidate in order"
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise RankingError(f"{who} gave {what} that are no numbers ({error}); {needed}") from error
    if numbers.shape != (count,):
        raise RankingError(f"{who} gave {what} of shape {numbers.shape}; {needed}")
    if not np.isfinite(numbers).all():
        raise RankingError(f"{who} gave {what} that are NaN or infinite; {needed}")
    return numbers


def _failed(who: str, error: Exception) -> RankingError:
    return RankingError(f"{who} failed with {type(error).__name__}: {error}")
