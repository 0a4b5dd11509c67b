"""SillyTavern's Extras."""

from __future__ import annotations

import numpy as np
import pytest


def test_a_text_gives_a_vector_and_texts_give_vectors(client_of, gem):
    client = client_of()
    texts = ["where is the key", "under the step"]
    one = client.post("/api/embeddings/compute", json={"text": texts[0]}).json()["embedding"]
    both = client.post("/api/embeddings/compute", json={"text": texts}).json()["embedding"]
    assert np.array(one) == pytest.approx(gem.embed_documents(texts)[0], abs=1e-6)
    assert np.array(both) == pytest.approx(gem.embed_documents(texts), abs=1e-6)
    assert client.post("/api/embeddings/compute", json={"text": []}).json() == {"embedding": []}
    assert client.get("/api/modules").json() == {"modules": ["embeddings"]}
