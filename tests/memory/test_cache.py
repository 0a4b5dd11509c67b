from __future__ import annotations

from dataclasses import dataclass

import pytest

from romaine.errors import OptionError
from romaine.memory.cache import IndexCache


@dataclass
class Block:
    nbytes: int


def test_the_least_recently_used_makes_room() -> None:
    cache: IndexCache[str, Block] = IndexCache(100)
    for key in "abc":
        cache.put(key, Block(30))
    assert cache.get("a") is not None
    cache.put("d", Block(30))
    assert [key for key, _ in cache.items()] == ["c", "a", "d"]
    assert cache.nbytes == 90
    assert cache.get("b") is None


def test_what_has_grown_makes_others_go() -> None:
    cache: IndexCache[str, Block] = IndexCache(100)
    cache.put("a", Block(40))
    grown = Block(40)
    cache.put("b", grown)
    grown.nbytes = 90
    cache.trim()
    assert [key for key, _ in cache.items()] == ["b"]


def test_one_too_large_is_held_alone() -> None:
    cache: IndexCache[str, Block] = IndexCache(0)
    cache.put("a", Block(10))
    cache.put("b", Block(10))
    assert len(cache) == 1
    assert cache.get("b") is not None


def test_forgets_on_request() -> None:
    cache: IndexCache[str, Block] = IndexCache(100)
    cache.put("a", Block(1))
    cache.put("b", Block(1))
    cache.discard("a")
    cache.discard("z")
    assert cache.get("a") is None
    cache.clear()
    assert len(cache) == 0


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(OptionError, match="limit_bytes=-1"):
        IndexCache(-1)
