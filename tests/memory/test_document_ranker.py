"""Texts ranked as a memory ranks what it holds."""

from __future__ import annotations

import numpy as np

from romaine import Embedder, RoleplayMemory, Scope
from romaine.memory.document_ranker import score_texts

TEXTS = [
    "Mara keeps the silver key under the third step.",
    "The moon rose over the harbour.",
    "A key turned in a lock somewhere.",
    "Tomas repaired the old boat.",
    "The silver spoon was sold.",
]
QUERY = "Where is the silver key?"


def scores(texts, query=QUERY):
    embedder = Embedder()
    vectors = embedder.embed_documents(texts)
    return score_texts(query, texts, query_vector=embedder.embed_query(query), vectors=vectors)


def test_the_order_is_that_of_a_recall_of_the_same_texts():
    found = scores(TEXTS)
    scope = Scope(user="ana", character="Cassian")
    with RoleplayMemory(":memory:") as memory:
        for text in TEXTS:
            memory.add_fact(scope, text, importance=1.0)
        hits = memory.recall(QUERY, scope, k=len(TEXTS))
        parts = {hit.memory.text: hit.parts for hit in hits}
    assert [TEXTS[i] for i in np.argsort(-found)] == sorted(
        TEXTS, key=lambda text: -(sum(parts[text].values()) - parts[text].get("recency", 0.0))
    )


def test_no_texts_have_no_scores():
    assert scores([]).shape == (0,)


def test_many_texts_all_have_a_score():
    found = scores([f"note {i}" for i in range(3000)])
    assert found.shape == (3000,)
    assert np.isfinite(found).all()
