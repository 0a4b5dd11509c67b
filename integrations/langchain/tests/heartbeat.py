"""How long an event loop is held up while something runs on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

LIMIT = 0.050
"""Seconds that an event loop may be held up at most."""


async def longest_pause(work: Callable[[], Awaitable[object]]) -> float:
    """Returns the longest time, in seconds, between two beats of a ticker while `work` runs."""
    pauses: list[float] = []
    done = False

    async def tick() -> None:
        last = time.perf_counter()
        while not done:
            await asyncio.sleep(0.002)
            now = time.perf_counter()
            pauses.append(now - last)
            last = now

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0)  # so that the first beat comes before the work
    await work()
    done = True
    await ticker
    return max(pauses)


async def shortest_of(attempts: int, work: Callable[[], Awaitable[object]]) -> float:
    """Returns the best of some attempts: a busy machine holds up any loop now and then."""
    best = float("inf")
    for _ in range(attempts):
        best = min(best, await longest_pause(work))
        if best <= LIMIT:
            break
    return best
