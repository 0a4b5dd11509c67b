"""What a learned ranker looks at: the first candidates of the usual ranking as rows of numbers.

All are in units that mean the same in every scope and for every model: standard deviations, nats, distances
from the best score, doublings of a length.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.memory.candidates import Candidates
from romaine.memory.query import Query
from romaine.memory.ranking import NO_TURN, Ranking, Signals, standardised

FIRST = 100
"""How many of the best candidates a learned ranker looks at."""

FEATURES = {
    "dense": "dense",
    "context": "context",
    "lexical": "lexical",
    "window": "window",
    "speaker": "speaker",
    "asks": "question",
    "answers": "answer",
    "gap": "standing",
    "length": "length",
    "previous": "neighbours",
    "next": "neighbours",
    "near": "neighbours",
    "around": "neighbours",
    "query_asks": "query",
    "query_words": "query",
}
"""Each feature in its order, and the part of a score that what it says belongs to.

`dense` and `context` are in standard deviations over the scope, `lexical` and `window` in nats; `speaker` is
1 if the query names who speaks, -1 if it names somebody else, 0 if nobody. `gap` is how far the score is
behind the best one, `length` the binary logarithm of the number of words. `previous` and `next` say how far
the turns beside are behind the best, as far as the last of those looked at where one was not found. `near`
and `around` say how much of what was found stands up to 3 and 10 turns away, each by ``exp(-behind / 2)``.
The last two tell what kind of query it is.
"""

_NEAR, _AROUND = 3, 10


def features_of(
    query: Query,
    candidates: Candidates,
    signals: Signals,
    ranking: Ranking,
    first: NDArray[np.intp],
) -> FloatArray:
    """Describes some candidates by `FEATURES`.

    Args:
        query: What is looked for.
        candidates: All that were found.
        signals: What else is known of them.
        ranking: By the usual ranker.
        first: Indices of those that are described, the best first, intp (n,), at least one.

    Returns:
        float32 (n, features).
    """
    scores = ranking.scores[first]
    behind = scores - scores.max()
    positions = _positions(signals, first)
    order = np.argsort(positions, kind="stable")
    before, after = (_at(positions, order, positions + step) for step in (-1, 1))
    weight = np.exp(behind / 2)
    named = signals.speaker_named
    lengths = np.zeros(len(first)) if candidates.lengths is None else candidates.lengths[first]
    columns = (
        standardised(candidates.dense[first], candidates.dense_spread),
        standardised(candidates.context[first], candidates.context_spread),
        candidates.lexical[first],
        candidates.window[first],
        np.where(named[first], 1.0, -1.0 if named.any() else 0.0),
        candidates.asks[first],
        candidates.answers[first],
        behind,
        np.log2(lengths + 1.0),
        _beside(behind, before),
        _beside(behind, after),
        _mass(weight, order, positions, _NEAR),
        _mass(weight, order, positions, _AROUND),
        query.analyzer.asks(query.text),
        len(query.terms),
    )
    features = np.empty((len(columns), len(first)), dtype=np.float32)  # what reads them reads columns
    for column, values in zip(features, columns, strict=True):
        column[:] = values
    return features.T


def _positions(signals: Signals, first: NDArray[np.intp]) -> NDArray[np.int64]:
    """Where each stands, far from all others if it is no turn, int64 (n,)."""
    alone = -2 * _AROUND * (1 + np.arange(len(first)))
    if signals.positions is None:
        return alone
    positions = signals.positions[first]
    return np.where(positions == NO_TURN, alone, positions)


def _at(positions: NDArray[np.int64], order: NDArray[np.intp], sought: NDArray[np.int64]) -> NDArray[np.intp]:
    """Who stands at each of some positions, -1 for nobody, intp (n,)."""
    line = positions[order]
    found = np.minimum(np.searchsorted(line, sought), len(line) - 1)
    return np.where(line[found] == sought, order[found], -1)


def _beside(said: NDArray[Any], at: NDArray[np.intp]) -> NDArray[Any]:
    """What is said of the turn beside each, the least that is said of any where there is none, (n,)."""
    return np.where(at < 0, said.min(), said[at])


def _mass(
    weight: NDArray[np.float64], order: NDArray[np.intp], positions: NDArray[np.int64], reach: int
) -> NDArray[np.float64]:
    """Sum of the weights of what stands no more than `reach` from each, less its own, float64 (n,)."""
    line = positions[order]
    until = np.append(0.0, np.cumsum(weight[order]))
    begin, end = np.searchsorted(line, positions - reach), np.searchsorted(line, positions + reach, "right")
    return np.asarray(until[end] - until[begin] - weight)
