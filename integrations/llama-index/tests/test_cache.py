from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_index.embeddings.romaine import GuardedCache, RomaineEmbedding

TEXT = "Where is the key?"
INSTRUCTED: dict[str, Any] = {"query_instruction": "query: ", "text_instruction": "passage: "}


@pytest.fixture
def store() -> SimpleKVStore:
    return SimpleKVStore()


def kept(store: SimpleKVStore) -> int:
    return len(store.get_all(collection="embeddings"))


def embed_all(embedding: RomaineEmbedding) -> list[list[float]]:
    return [
        embedding.get_text_embedding(TEXT),
        embedding.get_query_embedding(TEXT),
        *embedding.get_text_embedding_batch([TEXT, "other", TEXT]),
    ]


async def aembed_all(embedding: RomaineEmbedding) -> list[list[float]]:
    return [
        await embedding.aget_text_embedding(TEXT),
        await embedding.aget_query_embedding(TEXT),
        *await embedding.aget_text_embedding_batch([TEXT, "other", TEXT]),
    ]


def run(embedding: RomaineEmbedding, *, asynchronous: bool) -> list[list[float]]:
    return asyncio.run(aembed_all(embedding)) if asynchronous else embed_all(embedding)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_query_never_gets_a_documents_vector(store: SimpleKVStore, *, asynchronous: bool) -> None:
    cached = RomaineEmbedding(embeddings_cache=store, **INSTRUCTED)
    expected = embed_all(RomaineEmbedding(**INSTRUCTED))
    assert expected[0] != expected[1]
    assert run(cached, asynchronous=asynchronous) == expected
    assert run(cached, asynchronous=not asynchronous) == expected
    assert kept(store) == 3  # two documents and a query


@pytest.mark.parametrize("asynchronous", [False, True])
def test_models_never_get_each_others_vectors(
    store: SimpleKVStore, transformer_folder: Path, *, asynchronous: bool
) -> None:
    settings: tuple[dict[str, Any], ...] = (
        {},
        {"dim": 256},
        {"dim": 64},
        INSTRUCTED,
        {"model_name": transformer_folder, "threads": 1},
    )
    for options in settings:
        cached = RomaineEmbedding(embeddings_cache=store, **options)
        assert run(cached, asynchronous=asynchronous) == embed_all(RomaineEmbedding(**options))
    assert kept(store) == 3 * len(settings)


def test_what_is_cached_is_not_embedded_again(store: SimpleKVStore) -> None:
    embedding = RomaineEmbedding(embeddings_cache=store)
    embedding.get_text_embedding(TEXT)
    ((key, record),) = store.get_all(collection="embeddings").items()
    marked = [0.0] * 384
    store.put(key, dict.fromkeys(record, marked), collection="embeddings")
    assert embedding.get_text_embedding(TEXT) == marked
    assert asyncio.run(embedding.aget_text_embedding_batch([TEXT])) == [marked]
    assert embedding.get_query_embedding(TEXT) != marked


def test_a_cache_left_by_another_model_is_not_read(store: SimpleKVStore) -> None:
    store.put(TEXT, {"an id": [1.0, 0.0]}, collection="embeddings")  # as BaseEmbedding writes it
    embedding = RomaineEmbedding(embeddings_cache=store)
    assert run(embedding, asynchronous=False) == embed_all(RomaineEmbedding())
    assert store.get(TEXT, collection="embeddings") == {"an id": [1.0, 0.0]}


def test_a_cache_is_guarded_however_it_comes(store: SimpleKVStore) -> None:
    embedding = RomaineEmbedding()
    embedding.embeddings_cache = store
    assert isinstance(embedding.embeddings_cache, GuardedCache)
    assert embedding.embeddings_cache.store is store
    sibling = RomaineEmbedding(dim=64, embeddings_cache=embedding.embeddings_cache)
    assert isinstance(sibling.embeddings_cache, GuardedCache)
    assert sibling.embeddings_cache.store is store
    twin = pickle.loads(pickle.dumps(embedding))
    assert isinstance(twin.embeddings_cache, GuardedCache)
    assert twin.get_text_embedding(TEXT) == embedding.get_text_embedding(TEXT)


def test_it_outlives_the_process(store: SimpleKVStore, tmp_path: Path) -> None:
    path = str(tmp_path / "cache.json")
    texts = ["a\ud800b", TEXT]
    first = RomaineEmbedding(embeddings_cache=store).get_text_embedding_batch(texts)
    store.persist(path)
    assert TEXT not in Path(path).read_text()  # texts may be private
    reopened = SimpleKVStore.from_persist_path(path)
    assert RomaineEmbedding(embeddings_cache=reopened).get_text_embedding_batch(texts) == first
    assert kept(reopened) == 2


def test_it_is_not_part_of_the_settings(store: SimpleKVStore) -> None:
    assert RomaineEmbedding(embeddings_cache=store).to_dict() == RomaineEmbedding().to_dict()


def test_as_a_store_it_passes_everything_on(store: SimpleKVStore) -> None:
    guard = GuardedCache(store)

    async def use_async() -> None:
        await guard.aput("b", {"x": 2})
        await guard.aput_all([("d", {"x": 4})])
        assert await guard.aget("b") == {"x": 2}
        assert set(await guard.aget_all()) == {"a", "b", "c", "d"}
        assert await guard.adelete("b")

    guard.put("a", {"x": 1})
    guard.put_all([("c", {"x": 3})])
    asyncio.run(use_async())
    assert guard.get("a") == {"x": 1}
    assert guard.delete("a")
    assert guard.get_all() == store.get_all() == {"c": {"x": 3}, "d": {"x": 4}}
