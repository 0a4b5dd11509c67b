"""Rerank in three shapes, by what ranks a memory."""

from __future__ import annotations

QUERY = "Where is the silver key?"
TEXTS = [
    "The moon is up.",
    "The silver key is under the third step.",
    "Keys are made by smiths.",
    "Rain again.",
]


def test_as_cohere_and_jina_have_it(client_of):
    client = client_of()
    for path in ("/v1/rerank", "/v2/rerank"):
        said = client.post(
            path, json={"model": "little-gem", "query": QUERY, "documents": TEXTS, "top_n": 2}
        ).json()
        assert said["results"][0]["index"] == 1
        assert len(said["results"]) == 2
        scores = [each["relevance_score"] for each in said["results"]]
        assert 1 > scores[0] > scores[1] > 0
        assert said["usage"]["total_tokens"] > 0
        assert "document" not in said["results"][0]
    asked = {"query": QUERY, "documents": [{"text": text} for text in TEXTS], "return_documents": True}
    results = client.post("/v1/rerank", json=asked).json()["results"]
    assert results[0]["document"] == {"text": TEXTS[1]}
    assert sorted(each["index"] for each in results) == [0, 1, 2, 3]


def test_as_text_embeddings_inference_has_it(client_of):
    client = client_of()
    said = client.post("/rerank", json={"query": QUERY, "texts": TEXTS, "return_text": True}).json()
    assert said[0]["index"] == 1
    assert said[0]["text"] == TEXTS[1]
    assert all(0 < each["score"] < 1 for each in said)
    raw = client.post("/rerank", json={"query": QUERY, "texts": TEXTS, "raw_scores": True}).json()
    assert [each["index"] for each in raw] == [each["index"] for each in said]
    assert min(each["score"] for each in raw) < 0


def test_nothing_to_rank_is_nothing(client_of):
    client = client_of()
    assert client.post("/v1/rerank", json={"query": QUERY, "documents": []}).json()["results"] == []
    assert client.post("/rerank", json={"query": QUERY, "texts": []}).json() == []
    assert len(client.post("/rerank", json={"query": "", "texts": ["", ""]}).json()) == 2
