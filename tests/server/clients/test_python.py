"""Real clients from PyPI against a running server. `make test-server` has them; else they are skipped."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

pytestmark = pytest.mark.filterwarnings("default")

TEXTS = ["The key is under the third step.", "Où est la clé ?", "The moon is up."]
MODEL = "little-gem"


@pytest.fixture
def documents(gem):
    return gem.embed_documents(TEXTS)


def test_openai(server, documents, gem):
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="none")
    for form in ("float", "base64", openai.NOT_GIVEN):  # without one it asks for base64
        answer = client.embeddings.create(model=MODEL, input=TEXTS, encoding_format=form)
        if form != "base64":
            assert np.array([each.embedding for each in answer.data]) == pytest.approx(documents, abs=1e-6)
    assert answer.usage.total_tokens == sum(gem.count_tokens(TEXTS))
    short = client.embeddings.create(model=MODEL, input="one", dimensions=64)
    assert len(short.data[0].embedding) == 64
    assert {each.id for each in client.models.list()} == {MODEL, "minilm"}
    with pytest.raises(openai.NotFoundError, match="not served"):
        client.embeddings.create(model="text-embedding-3-small", input="x")
    with pytest.raises(openai.BadRequestError, match="trained for"):
        client.embeddings.create(model=MODEL, input="x", dimensions=63)


def test_openai_async_many_at_once(server, gem):
    openai = pytest.importorskip("openai")
    texts = [f"message {i}" for i in range(100)]

    async def ask():
        async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="none") as client:
            found = await asyncio.gather(
                *(client.embeddings.create(model=MODEL, input=text) for text in texts)
            )
            return [each.data[0].embedding for each in found]

    assert np.array(asyncio.run(ask())) == pytest.approx(gem.embed_documents(texts), abs=1e-6)


def test_ollama(server, documents):
    ollama = pytest.importorskip("ollama")
    client = ollama.Client(host=server.url)
    answer = client.embed(model=MODEL, input=TEXTS, truncate=True, keep_alive="1h")
    assert np.array(answer.embeddings) == pytest.approx(documents, abs=1e-6)
    old = client.embeddings(model=MODEL, prompt=TEXTS[0])
    assert np.array(old.embedding) == pytest.approx(documents[0], abs=1e-6)
    assert {each.model for each in client.list().models} == {MODEL, "minilm"}
    assert client.show(MODEL).capabilities == ["embedding"]
    assert client.ps().models
    with pytest.raises(ollama.ResponseError, match="not served"):
        client.embed(model="nomic-embed-text", input="x")
    with pytest.raises(ollama.ResponseError, match="window"):
        client.embed(model="minilm", input="key " * 3000, truncate=False)


def test_langchain_openai(server, documents):
    module = pytest.importorskip("langchain_openai")
    embeddings = module.OpenAIEmbeddings(
        model=MODEL, base_url=server.url + "/v1", api_key="none", check_embedding_ctx_length=False
    )
    assert np.array(embeddings.embed_documents(TEXTS)) == pytest.approx(documents, abs=1e-6)
    assert np.array(embeddings.embed_query(TEXTS[0])) == pytest.approx(documents[0], abs=1e-6)


def test_langchain_ollama(server, documents):
    module = pytest.importorskip("langchain_ollama")
    embeddings = module.OllamaEmbeddings(model=MODEL, base_url=server.url)
    assert np.array(embeddings.embed_documents(TEXTS)) == pytest.approx(documents, abs=1e-6)


def test_llama_index_openai(server, documents):
    module = pytest.importorskip("llama_index.embeddings.openai")
    embedding = module.OpenAIEmbedding(model_name=MODEL, api_base=server.url + "/v1", api_key="none")
    assert np.array(embedding.get_text_embedding_batch(TEXTS)) == pytest.approx(documents, abs=1e-6)


def test_llama_index_ollama(server, documents):
    module = pytest.importorskip("llama_index.embeddings.ollama")
    embedding = module.OllamaEmbedding(model_name=MODEL, base_url=server.url)
    assert np.array(embedding.get_text_embedding_batch(TEXTS)) == pytest.approx(documents, abs=1e-6)


def test_cohere(server):
    cohere = pytest.importorskip("cohere")
    for kind in (cohere.Client, cohere.ClientV2):
        client = kind(api_key="none", base_url=server.url)
        answer = client.rerank(model=MODEL, query="Where is the key?", documents=TEXTS, top_n=2)
        assert len(answer.results) == 2
        assert answer.results[0].index == 0
        assert 0 < answer.results[1].relevance_score <= answer.results[0].relevance_score < 1


def test_huggingface_hub(server, documents):
    hub = pytest.importorskip("huggingface_hub")
    client = hub.InferenceClient(model=server.url + "/embed")
    for i, text in enumerate(TEXTS):
        assert client.feature_extraction(text, normalize=True)[0] == pytest.approx(documents[i], abs=1e-6)
    assert client.feature_extraction(TEXTS, truncate=True) == pytest.approx(documents, abs=1e-6)
