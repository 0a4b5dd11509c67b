"""What a relevance is in each store under LangChain."""

from __future__ import annotations

import numpy as np
import pytest
from contract import ITEMS, QUESTIONS, Place
from langchain_stores import KINDS

from romaine import Embedder

ONE_PLUS_COSINE = ("qdrant", "milvus")


@pytest.mark.parametrize("store", KINDS)
def test_relevances_are_what_the_page_says(store: str, place: Place) -> None:
    opened = KINDS[store].open(place, f"relevance_{store}", 64)
    opened.add(ITEMS)
    found = opened.store.similarity_search_with_relevance_scores(QUESTIONS[0], k=3)
    embedder = Embedder(dim=64)
    cosines = np.sort(embedder.embed_documents([i.text for i in ITEMS]) @ embedder.embed_query(QUESTIONS[0]))
    expected = cosines[::-1][:3]
    if store in ONE_PLUS_COSINE:
        expected = (1 + expected) / 2
    np.testing.assert_allclose([relevance for _, relevance in found], expected, atol=1e-5)
    above = float(expected[1:3].mean())
    kept = opened.store.similarity_search_with_relevance_scores(QUESTIONS[0], k=3, score_threshold=above)
    assert [document.page_content for document, _ in kept] == [d.page_content for d, _ in found[:2]]
    opened.close()
