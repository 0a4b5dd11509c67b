"""Async twins of methods that take their time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

Self = TypeVar("Self")
Params = ParamSpec("Params")
Result = TypeVar("Result")


def twin(
    method: Callable[Concatenate[Self, Params], Result],
) -> Callable[Concatenate[Self, Params], Coroutine[Any, Any, Result]]:
    """Returns a method that does the same in a worker thread; the event loop stays free."""

    async def run(self: Self, /, *args: Params.args, **kwargs: Params.kwargs) -> Result:
        return await asyncio.to_thread(method, self, *args, **kwargs)

    functools.update_wrapper(run, method)
    run.__name__ = f"a{method.__name__}"
    run.__qualname__ = run.__qualname__.removesuffix(method.__name__) + run.__name__
    run.__doc__ = f"`{method.__name__}` in a worker thread; the event loop stays free."
    return run
