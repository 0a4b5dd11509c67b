"""`Batcher`: texts of many requests through one model together, as many as wait and fit."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException

from romaine.arrays import FloatArray, slice_dim
from romaine.server.errors import TooBusyError

_PATIENCE = 0.1  # seconds in the queue from which it is asked whether the client is still there
_CHARACTERS_PER_TOKEN = 3
_CLIENT_LEFT = 499


class EmbeddedTexts(NamedTuple):
    """What a model made of `n` texts.

    Attributes:
        vectors: float32 (n, full_dim), the direction counts; for `Finish`, unit vectors (n, dim).
        tokens: Tokens of each that went through the model, int64 (n,).
        cut: Whether each lost its end, bool (n,).
    """

    vectors: FloatArray
    tokens: NDArray[np.int64]
    cut: NDArray[np.bool_]


Finish = Callable[[EmbeddedTexts], Any]
Gone = Callable[[], Awaitable[bool]]


@dataclass(eq=False)
class _Job:
    """The texts of one request: `taken` of them are at work or done; `parts` were made, by first text."""

    texts: Sequence[str]
    costs: list[int]
    dim: int
    finish: Finish
    gone: Gone
    future: asyncio.Future[Any]
    since: float
    taken: int = 0
    parts: dict[int, EmbeddedTexts] = field(default_factory=dict)

    @property
    def unfinished(self) -> int:
        """Cost of what is not taken yet."""
        return sum(self.costs[self.taken :])

    @property
    def is_done(self) -> bool:
        """Whether all of it was made."""
        return sum(len(part.tokens) for part in self.parts.values()) == len(self.texts)


class _Part(NamedTuple):
    job: _Job
    start: int
    stop: int

    @property
    def texts(self) -> Sequence[str]:
        return self.job.texts[self.start : self.stop]


class Batcher:
    """One model's queue and its worker threads. While they are at work the next batches gather.

    So nobody waits for others to come, and under load batches are as large as they may be. A request of many
    texts goes through in portions, in turn with the others. What waits is shared out among idle workers.

    Args:
        encode: What makes vectors of texts, in worker threads.
        workers: How many batches may be at work at once.
        batch_tokens: Tokens of a batch, about: how long one keeps the next waiting.
        max_waiting_tokens: Tokens that may wait, about.
        timeout: Seconds until a request is given up.
        observe: Told of each batch how many texts it had, in the event loop.

    Attributes:
        inline_tokens: Batches of up to so many tokens, about, are made in the event loop itself: a table has
            them sooner than a thread has woken.
        waiting_tokens: Tokens that wait, about.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[str]], EmbeddedTexts],
        *,
        workers: int = 1,
        batch_tokens: int,
        max_waiting_tokens: int,
        timeout: float,
        observe: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.inline_tokens = 0
        self._encode = encode
        self._batch_tokens = batch_tokens
        self._max_waiting = max_waiting_tokens
        self._timeout = timeout
        self._observe = observe
        self._queue: deque[_Job] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._at_work = 0
        self._finishing = threading.Lock()
        self._speed = 10_000.0  # tokens a second, as seen so far
        self.waiting_tokens = 0
        self.workers = workers
        self.pool = ThreadPoolExecutor(workers, "romaine-model")

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits or is at work."""
        return not self._running

    async def submit(self, texts: Sequence[str], dim: int, finish: Finish, gone: Gone) -> Any:
        """Embeds texts.

        Args:
            texts: Prompts included.
            dim: Components of their vectors.
            finish: Makes the result of their vectors, in the worker thread.
            gone: Whether the client has left.

        Returns:
            What `finish` returns, which may also raise.

        Raises:
            TooBusyError: If too much is waiting.
            TimeoutError: If it took too long.
            HTTPException: 499 if the client left.
        """
        costs = [len(text) // _CHARACTERS_PER_TOKEN + 2 for text in texts]
        cost = sum(costs)
        if self._queue and self.waiting_tokens + cost > self._max_waiting:
            raise TooBusyError(self.waiting_tokens / self._speed)
        loop = asyncio.get_running_loop()
        job = _Job(texts, costs, dim, finish, gone, loop.create_future(), time.monotonic())
        self.waiting_tokens += cost
        self._queue.append(job)
        for _ in range(min(len(texts), self.workers - len(self._running))):
            self._running.add(loop.create_task(self._run()))
        timer = loop.call_later(self._timeout, _fail, job.future, TimeoutError())
        try:
            return await job.future
        finally:
            timer.cancel()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                await asyncio.sleep(0)  # what has arrived by now joins
                batch = await self._next_batch()
                if not batch:
                    continue
                started = time.monotonic()
                self._at_work += 1
                tokens = sum(sum(part.job.costs[part.start : part.stop]) for part in batch)
                try:
                    if tokens <= self.inline_tokens:
                        results = self._work(batch)
                    else:
                        results = await loop.run_in_executor(self.pool, self._work, batch)
                finally:
                    self._at_work -= 1
                for future, result in results:
                    if isinstance(result, Exception):
                        _fail(future, result)
                    elif not future.done():
                        future.set_result(result)
                self._speed += 0.2 * (tokens / (time.monotonic() - started + 1e-6) - self._speed)
                self._observe(sum(part.stop - part.start for part in batch))
        finally:
            self._running.discard(asyncio.current_task())

    async def _next_batch(self) -> list[_Part]:
        """Takes from the queue what fits; who has more to come goes to its end."""
        batch: list[_Part] = []
        share = -(-self.waiting_tokens // (self.workers - self._at_work))
        room = max(1, min(self._batch_tokens, share))
        unfinished: list[_Job] = []
        while self._queue and room > 0:
            job = self._queue.popleft()
            if time.monotonic() - job.since > _PATIENCE and not job.future.done() and await job.gone():
                _fail(job.future, HTTPException(_CLIENT_LEFT, "the client left"))
            if job.future.done():
                self.waiting_tokens -= job.unfinished
                continue
            start = job.taken
            while job.taken < len(job.texts) and room > 0:
                room -= job.costs[job.taken]
                self.waiting_tokens -= job.costs[job.taken]
                job.taken += 1
            batch.append(_Part(job, start, job.taken))
            if job.taken < len(job.texts):
                unfinished.append(job)
        self._queue.extend(unfinished)
        return batch

    # --- in a worker thread --------------------------------------------------------------------------------

    def _work(self, batch: list[_Part]) -> list[tuple[asyncio.Future[Any], Any]]:
        """Results, or what was raised, of the jobs that this batch finishes."""
        try:
            made = self._encode([text for part in batch for text in part.texts])
        except Exception as error:
            if len(batch) > 1:  # it is one request's: the others shall not suffer
                return [result for part in batch for result in self._work([part])]
            return [(batch[0].job.future, error)]
        units = {dim: slice_dim(made.vectors, dim) for dim in {part.job.dim for part in batch}}
        results = []
        at = 0
        for part in batch:
            here = slice(at, at := at + part.stop - part.start)
            texts = EmbeddedTexts(units[part.job.dim][here], made.tokens[here], made.cut[here])
            with self._finishing:  # another worker may have the rest of this request
                part.job.parts[part.start] = texts
                is_done = part.job.is_done
            if is_done:
                results.append((part.job.future, _finished(part.job)))
        return results


def _finished(job: _Job) -> Any:
    parts = [part for _, part in sorted(job.parts.items())]
    whole = parts[0] if len(parts) == 1 else EmbeddedTexts(*map(np.concatenate, zip(*parts, strict=True)))
    try:
        return job.finish(whole)
    except Exception as error:
        return error


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
