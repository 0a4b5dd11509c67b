"""Retrieval metrics, computed by ir-measures: the only file that imports it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

from romaine.errors import MissingExtraError
from romaine.evaluate.retrieval.beir import Judgements

METRICS: Mapping[str, str] = {
    "nDCG@10": "nDCG@10",
    "MRR@10": "RR@10",
    "MAP@100": "AP@100",
    "recall@1": "R@1",
    "recall@5": "R@5",
    "recall@10": "R@10",
    "recall@100": "R@100",
}
"""What model cards call each metric, and what ir-measures does. Its gain is linear, as trec_eval's and
BEIR's; for all but nDCG a document is relevant from score 1."""

DEPTH = 100
"""Documents of each query that the metrics look at."""


def require_retrieval() -> None:
    """Makes sure that retrieval can be measured here, without importing what it is measured with.

    Raises:
        MissingExtraError: If ir-measures is not installed.
    """
    if importlib.util.find_spec("ir_measures") is None:
        raise MissingExtraError("measuring retrieval", "eval")


def metric_means(judgements: Judgements, found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Means of `METRICS` over the queries of `judgements`.

    Args:
        judgements: At least one query.
        found: Scores of documents by query id and document id; a query that is missing found nothing.

    Raises:
        MissingExtraError: If ir-measures is not installed.
    """
    require_retrieval()
    import ir_measures

    names = {ir_measures.parse_measure(measure): name for name, measure in METRICS.items()}
    sums = dict.fromkeys(METRICS, 0.0)
    qrels = {query: dict(documents) for query, documents in judgements.items()}
    run = {query: dict(documents) for query, documents in found.items() if query in qrels}
    for result in ir_measures.iter_calc(list(names), qrels, run):
        sums[names[result.measure]] += result.value
    return {name: total / len(qrels) for name, total in sums.items()}
