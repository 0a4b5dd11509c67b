"""`RomaineEmbeddings` with models: the same vectors as `romaine.Embedder`, in every way to ask for them."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from langchain_classic.embeddings import CacheBackedEmbeddings
from langchain_classic.storage import LocalFileStore
from langchain_core.stores import InMemoryByteStore
from langchain_romaine import RomaineEmbeddings

from romaine import Embedder, TruncationWarning, UnfamiliarTextWarning
from romaine.errors import DimensionError, TextTooLongError, TextTypeError
from tests.heartbeat import LIMIT, shortest_of

ODD = ["", " ", "line\nbreak", "lone \ud800 surrogate", "nul \x00", "the key", "the key"]


@pytest.mark.parametrize("dim", [64, 256, None])
def test_vectors_are_those_of_embedder(dim: int | None, texts: list[str]) -> None:
    embeddings, embedder = RomaineEmbeddings(dim=dim), Embedder(dim=dim)
    assert embeddings.embed_documents(texts) == embedder.embed_documents(texts).tolist()
    assert embeddings.embed_documents(ODD) == embedder.embed_documents(ODD).tolist()
    assert embeddings.embed_query(texts[0]) == embedder.embed_query(texts[0]).tolist()
    assert {type(value) for value in embeddings.embed_query("key")} == {float}


def test_prompts_tell_queries_from_documents() -> None:
    embeddings = RomaineEmbeddings(query_prompt="query: ", document_prompt="passage: ")
    plain = RomaineEmbeddings()
    assert embeddings.embed_query("key") == plain.embed_query("query: key")
    assert embeddings.embed_documents(["key"]) == plain.embed_documents(["passage: key"])


async def test_no_texts_give_no_vectors(embeddings: RomaineEmbeddings) -> None:
    assert embeddings.embed_documents([]) == []
    assert await embeddings.aembed_documents([]) == []


def test_what_is_no_text_is_refused(embeddings: RomaineEmbeddings) -> None:
    with pytest.raises(TextTypeError, match="a list of texts is needed, got str"):
        embeddings.embed_documents("the key")  # type: ignore[arg-type]
    with pytest.raises(TextTypeError, match=r"texts\[1\] is int"):
        embeddings.embed_documents(["the key", 7])  # type: ignore[list-item]
    with pytest.raises(TextTypeError, match="must be a str, got list"):
        embeddings.embed_query(["the key"])  # type: ignore[arg-type]


def test_a_dimension_the_model_cannot_give_is_refused(minilm_int8: Path) -> None:
    with pytest.raises(DimensionError, match="not trained for dim=100"):
        RomaineEmbeddings(model=minilm_int8, dim=100).warm_up()


# --- LangChain's cache ---------------------------------------------------------------------------------

PROMPTS = {"query_prompt": "query: ", "document_prompt": "passage: "}
TEXT = "Where is the silver key?"


def test_a_cache_tells_queries_from_documents() -> None:
    """Which LangChain's own way to make one does not."""
    embeddings = RomaineEmbeddings(**PROMPTS)
    query, (document,) = embeddings.embed_query(TEXT), embeddings.embed_documents([TEXT])
    assert query != document
    mixed = CacheBackedEmbeddings.from_bytes_store(
        embeddings, InMemoryByteStore(), query_embedding_cache=True, key_encoder="sha256"
    )
    assert mixed.embed_documents([TEXT]) == [document] == [mixed.embed_query(TEXT)]
    for _ in range(2):
        cached = embeddings.cached(InMemoryByteStore())
        for _ in range(2):
            assert cached.embed_documents([TEXT]) == [document]
            assert cached.embed_query(TEXT) == query


async def test_one_store_may_serve_models_and_sizes(tmp_path: Path, minilm_int8: Path) -> None:
    several = [
        RomaineEmbeddings(),
        RomaineEmbeddings(dim=64),
        RomaineEmbeddings(**PROMPTS),
        RomaineEmbeddings(precision="int8", dim=64),
        RomaineEmbeddings(model=minilm_int8),
        RomaineEmbeddings(model=minilm_int8, truncate="pool"),
    ]
    for _ in range(2):
        store = LocalFileStore(tmp_path)
        for embeddings in several:
            cached = embeddings.cached(store, batch_size=2)
            assert cached.embed_documents([TEXT, "key", TEXT]) == embeddings.embed_documents(
                [TEXT, "key", TEXT]
            )
            assert await cached.aembed_query(TEXT) == embeddings.embed_query(TEXT)
    assert len(list(tmp_path.iterdir())) == 3 * len(several)


def test_what_is_cached_is_not_embedded_again(tmp_path: Path) -> None:
    stored = RomaineEmbeddings(dim=64)
    expected = stored.cached(LocalFileStore(tmp_path)).embed_documents([TEXT])
    again = RomaineEmbeddings(dim=64, show_progress=True)  # no part of what tells vectors apart
    cached = again.cached(LocalFileStore(tmp_path))
    assert cached.embed_documents([TEXT]) == expected
    for file in tmp_path.iterdir():
        file.write_text("[1.0]", encoding="utf-8")
    assert cached.embed_documents([TEXT]) == [[1.0]]


def test_truncation_is_passed_on(minilm_int8: Path) -> None:
    long = "the silver key is under the third step " * 60
    with pytest.raises(TextTooLongError):
        RomaineEmbeddings(model=minilm_int8, truncate="error").embed_documents([long])
    with pytest.warns(TruncationWarning, match="lose their end"):
        RomaineEmbeddings(model=minilm_int8).embed_documents([long])


async def test_async_equals_sync(embeddings: RomaineEmbeddings, texts: list[str]) -> None:
    assert await embeddings.aembed_documents(texts) == embeddings.embed_documents(texts)
    assert await embeddings.aembed_query("key") == embeddings.embed_query("key")


async def test_many_calls_at_once_on_one_instance(texts: list[str]) -> None:
    fresh = RomaineEmbeddings(dim=64)  # its model is loaded by whichever call comes first
    calls = [fresh.aembed_documents(texts[i : i + 9]) for i in range(32)]
    queries = [fresh.aembed_query(text) for text in texts[:32]]
    found, answers = await asyncio.gather(asyncio.gather(*calls), asyncio.gather(*queries))
    expected = RomaineEmbeddings(dim=64)
    assert found == [expected.embed_documents(texts[i : i + 9]) for i in range(32)]
    assert answers == [expected.embed_query(text) for text in texts[:32]]


def test_texts_in_a_script_that_the_model_does_not_know_are_told_of_once() -> None:
    embeddings = RomaineEmbeddings(dim=64)
    texts = ["열쇠를 세 번째 계단 밑에 숨겼어.", "그 얘기는 아무에게도 하지 마."]
    with pytest.warns(UnfamiliarTextWarning, match=r"romaine\[multilingual\]"):
        embeddings.embed_documents(texts)
    embeddings.embed_documents(texts)  # warnings are errors


def test_many_threads_on_one_instance(texts: list[str]) -> None:
    fresh = RomaineEmbeddings(dim=64)
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(fresh.embed_query, texts))
    expected = RomaineEmbeddings(dim=64)
    assert found == [expected.embed_query(text) for text in texts]


async def test_an_event_loop_is_never_blocked(minilm_int8: Path, texts: list[str]) -> None:
    embeddings = RomaineEmbeddings(model=minilm_int8, threads=1)
    embeddings.warm_up()
    several = texts[:96]

    async def blocking() -> None:
        embeddings.embed_documents(several)

    assert await shortest_of(5, blocking) > LIMIT  # so much work that blocking would be noticed
    assert await shortest_of(5, lambda: embeddings.aembed_documents(several)) <= LIMIT
