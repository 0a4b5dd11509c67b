"""What a learned ranker looks at: the first candidates of the usual ranking as rows of numbers.

All are in units that mean the same in every scope and for every model: standard deviations, nats, distances
from the best score, doublings of a length.
"""

from __future__ import annotations

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
behind the best one, `length` the binary logarithm of the number of words. `previous` and `next` are how far
the turns beside are behind the best, at the most as far as the last one looked at. `near` and `around` say
how much of what was found stands up to 3 and 10 turns away: each by ``exp(-behind / 2)``. The last two tell
what kind of query it is.
"""

_NEAR, _AROUND = 3, 10
_FAR = 1 << 40


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
    apart = _apart(signals, first)
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
        _beside(behind, apart == 1),
        _beside(behind, apart == -1),
        (np.abs(apart) <= _NEAR) @ weight,
        (np.abs(apart) <= _AROUND) @ weight,
        np.full(len(first), query.analyzer.asks(query.text)),
        np.full(len(first), len(query.terms)),
    )
    return np.column_stack(columns).astype(np.float32)


def _apart(signals: Signals, first: NDArray[np.intp]) -> NDArray[np.int64]:
    """How many turns each stands behind each other one, int64 (n, n); very far where one is no turn."""
    if signals.positions is None:
        return np.full((len(first), len(first)), _FAR)
    positions = signals.positions[first]
    apart: NDArray[np.int64] = positions[:, None] - positions[None, :]
    elsewhere = positions == NO_TURN
    apart[elsewhere] = _FAR
    apart[:, elsewhere] = _FAR
    np.fill_diagonal(apart, _FAR)
    return apart


def _beside(behind: NDArray[np.float64], is_beside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How far the best of those beside each is behind, as the last one where there is none, float64 (n,)."""
    beside: NDArray[np.float64] = np.where(is_beside, behind[None, :], behind.min()).max(axis=1)
    return beside
