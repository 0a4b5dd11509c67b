from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from romaine.errors import OptionError
from romaine.memory.cache import IndexCache


@dataclass
class Block:
    nbytes: int


def asked(cache: IndexCache[str, Block], keys: str, nbytes: int = 30) -> str:
    """The keys whose values had to be made."""
    made: list[str] = []

    def maker(key: str) -> Callable[[], Block]:
        return lambda: made.append(key) or Block(nbytes)  # type: ignore[func-returns-value]

    for key in keys:
        cache.get_or_put(key, maker(key))
    return "".join(made)


def test_the_least_recently_used_makes_room() -> None:
    cache: IndexCache[str, Block] = IndexCache(100)
    assert asked(cache, "abcad") == "abcd"
    assert cache.nbytes == 90
    assert asked(cache, "cad") == ""
    assert asked(cache, "b") == "b"


def test_what_has_grown_makes_others_go() -> None:
    cache: IndexCache[str, Block] = IndexCache(100)
    asked(cache, "a", 40)
    grown = cache.get_or_put("b", lambda: Block(40))
    grown.nbytes = 90
    cache.trim()
    assert cache.nbytes == 90
    assert cache.get_or_put("b", lambda: Block(0)) is grown


def test_one_too_large_is_held_alone() -> None:
    cache: IndexCache[str, Block] = IndexCache(0)
    assert asked(cache, "abba", 10) == "aba"
    assert cache.nbytes == 10


def test_forgets_on_request() -> None:
    cache: IndexCache[str, Block] = IndexCache(100)
    asked(cache, "ab", 1)
    cache.clear()
    assert cache.nbytes == 0
    assert asked(cache, "b", 1) == "b"


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(OptionError, match="limit_bytes=-1"):
        IndexCache(-1)
