"""Ollama's endpoints."""

from __future__ import annotations

import numpy as np
import pytest

TEXTS = ["The key is under the third step.", "The moon is up."]


def test_embed_gives_vectors_and_times(client_of, gem):
    client = client_of()
    asked = {"model": "little-gem:latest", "input": TEXTS, "keep_alive": "5m", "options": {"num_ctx": 512}}
    said = client.post("/api/embed", json=asked).json()
    assert np.array(said["embeddings"]) == pytest.approx(gem.embed_documents(TEXTS), abs=1e-6)
    assert said["model"] == "little-gem:latest"
    assert said["prompt_eval_count"] == sum(gem.count_tokens(TEXTS))
    assert said["total_duration"] >= said["load_duration"] > 0
    again = client.post("/api/embed", json={"model": "little-gem", "input": "x", "dimensions": 64}).json()
    assert len(again["embeddings"][0]) == 64
    assert again["load_duration"] == 0
    assert client.post("/api/embed", json={"model": "little-gem", "input": []}).json()["embeddings"] == []


def test_embeddings_gives_one(client_of, gem):
    said = client_of().post("/api/embeddings", json={"model": "little-gem", "prompt": TEXTS[0]}).json()
    assert np.array(said["embedding"]) == pytest.approx(gem.embed_documents(TEXTS)[0], abs=1e-6)


def test_truncate_false_refuses(client_of, minilm_int8_folder):
    client = client_of(models=[f"minilm={minilm_int8_folder}"])
    asked = {"model": "minilm", "input": "key " * 3000}
    assert client.post("/api/embed", json=asked | {"truncate": True}).headers["x-truncated"] == "1; inputs=0"
    refused = client.post("/api/embed", json=asked | {"truncate": False})
    assert refused.status_code == 413
    assert "window" in refused.json()["error"]


def test_models_are_told(client_of):
    client = client_of(models=["little-gem", "gem=little-gem"])
    assert [each["name"] for each in client.get("/api/tags").json()["models"]] == ["little-gem", "gem"]
    assert client.get("/api/ps").json() == {"models": []}
    for asked in ({"model": "gem"}, {"name": "gem"}):
        said = client.post("/api/show", json=asked).json()
        assert said["capabilities"] == ["embedding"]
        assert said["model_info"]["static.embedding_length"] == 384
    assert [each["name"] for each in client.get("/api/ps").json()["models"]] == ["gem"]
    assert client.post("/api/show", json={"model": "other"}).status_code == 404
    assert client.get("/api/version").json().keys() == {"version"}
