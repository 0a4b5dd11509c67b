"""Text Embeddings Inference's endpoints."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.parametrize("path", ["/embed", "/"])
def test_embed(client_of, gem, path):
    client = client_of()
    asked = {"inputs": ["where is the key"], "normalize": True, "truncate": None, "prompt_name": None}
    assert np.array(client.post(path, json=asked).json()) == pytest.approx(
        gem.embed_documents(["where is the key"]), abs=1e-6
    )
    assert np.shape(client.post(path, json={"inputs": "x", "dimensions": 32}).json()) == (1, 32)
    refused = client.post(path, json={"inputs": "x", "normalize": False})
    assert refused.status_code == 400


def test_info(client_of):
    said = client_of().get("/info").json()
    assert said["model_id"] == "little-gem"
    assert said["max_client_batch_size"] == 2048
