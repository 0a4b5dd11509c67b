"""Retrieval on a collection in BEIR's layout: does a query find its documents?"""

from romaine.evaluate.retrieval.beir import BeirFolder, Document, Judgements, open_beir
from romaine.evaluate.retrieval.evaluate import RetrievalReport, evaluate_retrieval, retrieval_across_dims
from romaine.evaluate.retrieval.metrics import require_retrieval

__all__ = [
    "BeirFolder",
    "Document",
    "Judgements",
    "RetrievalReport",
    "evaluate_retrieval",
    "open_beir",
    "require_retrieval",
    "retrieval_across_dims",
]
