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
behind the best one, `length` the binary logarithm of the number of words. `previous` and `next` say how far
the turns beside are behind the best, as far as the last of those looked at where one was not found. `near`
and `around` say how much of what was found stands up to 3 and 10 turns away, each by ``exp(-behind / 2)``.
The last two tell what kind of query it is.
"""

LATE_FEATURES = FEATURES | {"late_own": "late", "late_around": "late"}
"""The same where there is late interaction: with the tokens of each turn, and with those beside it, both in
standard deviations above the mean of the hundred that were compared so."""

_NEAR, _AROUND = 3, 10
_STEPS = np.array([[-1], [1], [-_NEAR], [_NEAR + 1], [-_AROUND], [_AROUND + 1]])
"""How far from each the turns beside it stand, and where those near and around it begin and end."""


def features_of(
    query: Query,
    candidates: Candidates,
    signals: Signals,
    ranking: Ranking,
    first: NDArray[np.intp],
) -> FloatArray:
    """Describes some candidates by `FEATURES`, or by `LATE_FEATURES` if signals have late interaction.

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
    line, sought = positions[order], positions + _STEPS
    places = np.searchsorted(line, sought)
    beside = np.minimum(places[:2], len(line) - 1)
    beside_them = np.where(line[beside] == sought[:2], behind[order[beside]], behind.min())
    weight = np.exp(behind / 2)
    until = np.append(0.0, np.cumsum(weight[order]))[places[2:]]
    named = signals.speaker_named
    lengths = np.zeros(len(first)) if candidates.lengths is None else candidates.lengths[first]
    columns = [
        standardised(candidates.dense[first], candidates.dense_spread),
        standardised(candidates.context[first], candidates.context_spread),
        candidates.lexical[first],
        candidates.window[first],
        np.where(named[first], 1.0, -1.0 if named.any() else 0.0),
        candidates.asks[first],
        candidates.answers[first],
        behind,
        np.log2(lengths + 1.0),
        *beside_them,
        until[1] - until[0] - weight,
        until[3] - until[2] - weight,
        query.analyzer.asks(query.text),
        len(query.terms),
    ]
    if signals.late_own is not None and signals.late_around is not None:
        columns += [signals.late_own[first], signals.late_around[first]]
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
