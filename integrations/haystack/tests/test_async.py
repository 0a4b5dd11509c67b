# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from haystack import Document, component
from haystack.dataclasses import ChatMessage

from haystack_integrations.common.romaine import RomaineMemoryFile
from haystack_integrations.components.embedders.romaine import RomaineDocumentEmbedder, RomaineTextEmbedder
from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
from haystack_integrations.components.writers.romaine import RomaineMemoryWriter

LIMIT = 0.05  # seconds
TICK = 0.005
ATTEMPTS = 5
TEXTS = [f"Turn {n}: the harbour master owes me {n} gold pieces and a boat." for n in range(32)]


def test_async_gives_what_sync_gives(memory_file: RomaineMemoryFile, documents: list[Document]) -> None:
    text, document = RomaineTextEmbedder(dim=64), RomaineDocumentEmbedder(dim=64)
    writer = RomaineMemoryWriter(memory_file, user="ana")
    retriever = RomaineMemoryRetriever(memory_file, user="ana", neighbours=1)
    messages = [ChatMessage.from_user(said, meta={"source_id": said}) for said in TEXTS]

    async def everything() -> list[Any]:
        return [
            await text.run_async("key"),
            await document.run_async(documents),
            await document.run_async([]),
            await writer.run_async(messages, documents),
            await retriever.run_async("gold", top_k=3),
            await retriever.run_async("key", {"field": "meta.kind", "operator": "==", "value": "lore"}),
        ]

    first = asyncio.run(everything())
    first[3] = first[3] | {"messages_written": 0}  # they are there by now
    assert first == [
        text.run("key"),
        document.run(documents),
        {"documents": []},
        writer.run(messages, documents),
        retriever.run("gold", top_k=3),
        retriever.run("key", {"field": "meta.kind", "operator": "==", "value": "lore"}),
    ]


def test_errors_are_the_same() -> None:
    with pytest.raises(TypeError, match="RomaineDocumentEmbedder"):
        asyncio.run(RomaineTextEmbedder().run_async(7))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="user"):
        asyncio.run(RomaineMemoryRetriever("never-made.db").run_async("key"))


def test_many_calls_at_once_on_one_instance(transformer_folder: Path, memory_file: RomaineMemoryFile) -> None:
    text = RomaineTextEmbedder(transformer_folder, threads=1)
    document = RomaineDocumentEmbedder(dim=64)
    writer, retriever = RomaineMemoryWriter(memory_file), RomaineMemoryRetriever(memory_file)

    async def together(call: Callable[[str], Awaitable[Any]]) -> list[Any]:
        return await asyncio.gather(*map(call, TEXTS))

    assert asyncio.run(together(text.run_async)) == [text.run(said) for said in TEXTS]
    embedded = asyncio.run(together(lambda said: document.run_async([Document(content=said)])))
    assert embedded == [document.run([Document(content=said)]) for said in TEXTS]
    asyncio.run(together(lambda said: writer.run_async([ChatMessage.from_user(said)], user=said)))
    found = asyncio.run(together(lambda said: retriever.run_async("gold", user=said)))
    assert [[d.content for d in result["documents"]] for result in found] == [[said] for said in TEXTS]


def test_warming_up_happens_once_and_off_the_loop(tmp_path: Path) -> None:
    embedder, retriever = RomaineTextEmbedder(), RomaineMemoryRetriever(tmp_path / "m.db", user="ana")
    loop_thread = threading.get_ident()
    opened_on: list[int] = []

    class Noting(RomaineMemoryFile):
        def open(self) -> Any:
            opened_on.append(threading.get_ident())
            return super().open()

    noting = RomaineMemoryWriter(Noting(tmp_path / "n.db"), user="ana")

    async def warm_up() -> None:
        for made in (embedder, retriever, noting):
            await asyncio.gather(*(made.warm_up_async() for _ in range(8)))
        for made in (retriever, noting):
            await made.close_async()

    asyncio.run(warm_up())
    assert len(opened_on) == 8
    assert loop_thread not in opened_on


# --- the heartbeat -----------------------------------------------------------------------------------------


class Blocking(RomaineDocumentEmbedder):
    """What a component would be that embeds on the event loop."""

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, list[Document]]:
        return self.run(documents)


async def longest_pause(work: Callable[[], Awaitable[object]]) -> float:
    """Seconds for which the event loop was not free while `work` ran, at most."""
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK)
            longest = max(longest, time.perf_counter() - before - TICK)

    heart = asyncio.create_task(beat())
    await asyncio.sleep(2 * TICK)
    await work()
    await asyncio.sleep(2 * TICK)
    heart.cancel()
    return longest


def best_pause(embedder: RomaineDocumentEmbedder) -> float:
    """The shortest of several, since other programs pause this one as well."""
    documents = [Document(content=f"{said} {n}") for n in range(3) for said in TEXTS]
    pauses: list[float] = []
    while len(pauses) < ATTEMPTS and (not pauses or min(pauses) > LIMIT):
        pauses.append(asyncio.run(longest_pause(lambda: embedder.run_async(documents))))
    return min(pauses)


def test_the_loop_stays_free_while_a_transformer_embeds(transformer_folder: Path) -> None:
    assert best_pause(RomaineDocumentEmbedder(transformer_folder, threads=1)) < LIMIT  # loading it included


def test_the_test_above_would_notice_a_blocked_loop(transformer_folder: Path) -> None:
    assert best_pause(Blocking(transformer_folder, threads=1)) > LIMIT
