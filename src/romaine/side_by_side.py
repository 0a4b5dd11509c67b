"""Does several things at once and gives the results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from functools import cache
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    do: Callable[[T], R], items: Iterable[T], *, threads: int, pool: Executor | None = None
) -> Iterator[R]:
    """Yields `do(item)` for each item, in their order, a few of them ahead of the caller.

    Args:
        do: What to do; in another thread where there are `threads`.
        items: Asked for one after another, in the caller's thread.
        threads: How many at once; with one, everything is done in the caller's thread.
        pool: Where to do it instead of in threads made for this call.
    """
    if threads < 2 and pool is None:
        yield from map(do, items)
        return
    under_way: deque[Future[R]] = deque()
    with nullcontext(pool) if pool else ThreadPoolExecutor(threads) as workers:
        try:
            for item in items:
                under_way.append(workers.submit(do, item))
                if len(under_way) > threads:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for left in under_way:
                left.cancel()


def in_halves(do: Callable[[slice], object], count: int) -> None:
    """Does `do(some)` for both halves of `count` things at once, on another core if one is idle.

    For what takes a millisecond outside the interpreter. Nobody waits for a scheduler: a half that the other
    thread has not begun when the first is done, for lack of a core, is done here as well.

    Args:
        do: What to do with some of the things.
        count: How many there are.
    """
    half = count // 2
    try:
        later = _second().submit(do, slice(half, count))
    except RuntimeError:  # the interpreter is on its way out
        later = Future()
    do(slice(half))
    if later.cancel():
        do(slice(half, count))
    else:
        later.result()


@cache
def _second() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "romaine-second")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_second.cache_clear)  # a child has none of its parent's threads


async def in_thread(function: Callable[[T], R], argument: T) -> R:
    """`function(argument)` in a thread of its own, while the event loop stays free."""
    import asyncio  # a sixth of what importing romaine would cost, and most programs never come here

    return await asyncio.to_thread(function, argument)
