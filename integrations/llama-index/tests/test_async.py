from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from llama_index.embeddings.romaine import RomaineEmbedding

TEXTS = [f"Turn {n}: the harbour master owes me {n} gold pieces and a boat." for n in range(64)]
LIMIT = 0.05
TICK = 0.005
ATTEMPTS = 5


class BlockingEmbedding(RomaineEmbedding):
    """What the framework's own defaults would do."""

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._get_text_embeddings(texts)


async def longest_pause(work: Callable[[], Awaitable[object]]) -> float:
    """Seconds for which the event loop was not free while `work` ran, at most."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            longest = max(longest, time.perf_counter() - before - TICK)

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(2 * TICK)
    await work()
    await asyncio.sleep(2 * TICK)
    ticker.cancel()
    return longest


def best_pause(embedding: RomaineEmbedding) -> float:
    """The shortest of several, since other programs pause this one as well."""
    pauses: list[float] = []
    while len(pauses) < ATTEMPTS and (not pauses or min(pauses) > LIMIT):
        pauses.append(asyncio.run(longest_pause(lambda: embedding.aget_text_embedding_batch(TEXTS))))
    return min(pauses)


@pytest.mark.parametrize("batch_size", [16, 64])
def test_the_loop_stays_free_while_a_transformer_embeds(transformer_folder: Path, batch_size: int) -> None:
    embedding = RomaineEmbedding(model_name=transformer_folder, threads=1, embed_batch_size=batch_size)
    assert best_pause(embedding.warm_up()) < LIMIT


def test_the_test_above_would_notice_a_blocked_loop(transformer_folder: Path) -> None:
    blocking = BlockingEmbedding(model_name=transformer_folder, threads=1, embed_batch_size=64)
    assert best_pause(blocking) > LIMIT


def test_async_gives_what_sync_gives() -> None:
    embedding = RomaineEmbedding(dim=64, embed_batch_size=7)

    async def embed() -> tuple[list[float], list[float], list[list[float]], list[list[float]]]:
        return (
            await embedding.aget_query_embedding("key"),
            await embedding.aget_text_embedding("key"),
            await embedding.aget_text_embedding_batch(TEXTS[:40]),
            await embedding.aget_text_embedding_batch([]),
        )

    assert asyncio.run(embed()) == (
        embedding.get_query_embedding("key"),
        embedding.get_text_embedding("key"),
        embedding.get_text_embedding_batch(TEXTS[:40]),
        [],
    )


def test_many_calls_at_once_on_one_instance(transformer_folder: Path) -> None:
    texts = TEXTS[:16]

    async def embed(embedding: RomaineEmbedding) -> list[list[float]]:
        calls = [embedding.aget_query_embedding(text) for text in texts]
        calls += [embedding.aget_text_embedding(text) for text in texts]
        return await asyncio.gather(*calls)

    for embedding in (RomaineEmbedding(), RomaineEmbedding(model_name=transformer_folder, threads=1)):
        together = asyncio.run(embed(embedding))
        alone = [embedding.get_query_embedding(text) for text in texts]
        alone += [embedding.get_text_embedding(text) for text in texts]
        assert together == alone


def test_a_query_does_not_queue_behind_documents(transformer_folder: Path) -> None:
    embedding = RomaineEmbedding(model_name=transformer_folder, threads=1, embed_batch_size=16).warm_up()

    async def embed() -> bool:
        documents = asyncio.create_task(embedding.aget_text_embedding_batch(TEXTS * 4))
        await asyncio.sleep(0)
        await embedding.aget_query_embedding("key")
        waiting = not documents.done()
        await documents
        return waiting

    assert asyncio.run(embed())
