"""`Models`: those the server was started with, each loaded at first use and dropped when not used."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException

from romaine.backends.onnx.session import physical_cores
from romaine.embedder import Embedder
from romaine.memory.encoder import with_funnel
from romaine.pipeline import Pipeline
from romaine.server import metrics
from romaine.server.batching import Batcher, EmbeddedTexts, Finish, Gone
from romaine.server.settings import ServerSettings
from romaine.text.pieces import Truncate

_INLINE_TOKENS = 1024  # a table's work of about a millisecond


class Served:
    """One model of the server.

    Args:
        name: What clients call it.
        source: The model's name or folder.
        settings: How it is opened and kept.

    Attributes:
        is_kept: Whether it stays loaded, because the memory holds it anyway.
    """

    def __init__(self, name: str, source: str, settings: ServerSettings) -> None:
        self.name, self.source = name, source
        self.is_kept = False
        self._settings = settings
        self._embedder: Embedder | None = None
        self._loading = asyncio.Lock()
        self._used = 0.0
        self._timer: asyncio.TimerHandle | None = None
        # windows of one model run after the other: a batch of many texts is not cut again for its size
        self._pipeline = Pipeline(truncate=Truncate.END, batch_tokens=settings.batch_tokens, batch_size=None)
        self.batcher = Batcher(
            self._encode,
            workers=max(1, physical_cores() // (settings.workers * settings.threads)),
            batch_tokens=settings.batch_tokens,
            max_waiting_tokens=settings.max_waiting_tokens,
            timeout=settings.timeout,
            observe=metrics.BATCHES.labels(name).observe,
        )
        metrics.WAITING.labels(name).set_function(lambda: self.batcher.waiting_tokens)

    def new_embedder(self) -> Embedder:
        """The model, not loaded yet."""
        settings = self._settings
        return Embedder(
            self.source,
            backend=settings.backend,
            variant=settings.variant,
            device=settings.device,
            threads=settings.threads,
            local_files_only=settings.offline,
        )

    def keep(self, embedder: Embedder) -> None:
        """Takes a loaded model that others hold, so that it need not be loaded twice."""
        self._take(embedder)
        self.is_kept = True

    def _take(self, embedder: Embedder) -> None:
        is_table = embedder.opened.backend_name == "static"
        # tables are looked up mostly in Python, on GPUs batches run one after the other
        if is_table or self._settings.device not in (None, "cpu"):
            self.batcher.workers = 1
        self.batcher.inline_tokens = _INLINE_TOKENS if is_table else 0
        self._embedder = embedder
        # its many objects stay; looking at them again and again held requests up for 100 ms
        gc.collect()
        gc.freeze()

    @property
    def is_loaded(self) -> bool:
        """Whether it is in memory."""
        return self._embedder is not None

    async def embedder(self) -> Embedder:
        """The model, loaded.

        Raises:
            ModelError: If it cannot be found, read or trusted.
            MissingExtraError: If its backend is not installed.
        """
        self._used = time.monotonic()
        async with self._loading:
            if self._embedder is None:
                loop = asyncio.get_running_loop()
                embedder = self.new_embedder()
                await loop.run_in_executor(self.batcher.pool, embedder.warm_up)
                self._take(embedder)
                self._timer = loop.call_later(self._settings.keep_alive, self._drop)
                return embedder
            return self._embedder

    async def embed(self, texts: Sequence[str], dim: int, finish: Finish, gone: Gone) -> Any:
        """`Batcher.submit` with the model loaded."""
        await self.embedder()
        return await self.batcher.submit(texts, dim, finish, gone)

    def _drop(self) -> None:
        """Drops the model if it was not used for long enough, else comes again."""
        if self.is_kept:
            return
        left = self._used + self._settings.keep_alive - time.monotonic()
        if left > 0 or not self.batcher.is_idle:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(left, 1.0), self._drop)
        else:
            self._embedder = None

    def _encode(self, texts: Sequence[str]) -> EmbeddedTexts:
        """In the worker thread. A text's end is cut where it is over the window."""
        embedder = self._embedder or self.new_embedder()
        backend, card = embedder.opened.backend, embedder.card
        chunks = list(self._pipeline.run(backend, texts, normalise_layer=card.layer_norm))
        vectors = (
            np.concatenate([chunk.vectors for chunk in chunks]) if len(chunks) != 1 else chunks[0].vectors
        )
        tokens = np.concatenate([chunk.tokens for chunk in chunks])
        cut = np.zeros(len(texts), dtype=np.bool_)
        if any(chunk.truncated for chunk in chunks):
            full = np.flatnonzero(tokens == backend.max_tokens).tolist()
            counts = backend.count_tokens([texts[i] for i in full])
            cut[full] = np.array(counts, dtype=np.int64) > tokens[full]
        return EmbeddedTexts(vectors, tokens, cut)

    async def close(self) -> None:
        """Ends its worker after what is at work."""
        if self._timer:
            self._timer.cancel()
        await asyncio.to_thread(self.batcher.pool.shutdown)


class Models:
    """The models served, by name.

    Args:
        settings: Which, and how they are opened.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._served = {name: Served(name, source, settings) for name, source in settings.sources.items()}

    def __iter__(self) -> Iterator[Served]:
        return iter(self._served.values())

    def __getitem__(self, name: str | None) -> Served:
        """The model of a name, or the first; a tag `:latest` is passed over.

        Raises:
            HTTPException: 404 if none of this name is served.
        """
        if not name:
            return next(iter(self._served.values()))
        served = self._served.get(name) or self._served.get(name.removesuffix(":latest"))
        if served is None:
            allowed = ", ".join(self._served)
            raise HTTPException(404, f"model {name!r} is not served here; there is {allowed}")
        return served

    def memory_embedder(self) -> Embedder:
        """The first model, as the memory uses it; loads it, so call it in a thread."""
        first = self[None]
        embedder = first.new_embedder().warm_up()
        first.keep(embedder)
        return with_funnel(embedder)

    async def close(self) -> None:
        """Ends all workers after what is at work."""
        for served in self:
            await served.close()
