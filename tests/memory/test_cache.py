from __future__ import annotations

from dataclasses import dataclass

import pytest

from romaine.errors import OptionError
from romaine.memory.cache import IndexCache


@dataclass
class Block:
    nbytes: int


def filled(limit: int, **sizes: int) -> IndexCache[str, Block]:
    cache: IndexCache[str, Block] = IndexCache(limit)
    for key, size in sizes.items():
        cache.get_or_put(key, lambda size=size: Block(size))
    return cache


def never() -> Block:
    raise AssertionError("it is there")


def test_the_least_recently_used_makes_room() -> None:
    cache = filled(100, a=30, b=30, c=30)
    assert cache.get_or_put("a", never).nbytes == 30
    cache.get_or_put("d", lambda: Block(30))
    assert [key in cache for key in "abcd"] == [True, False, True, True]
    assert cache.nbytes == 90


def test_what_has_grown_makes_others_go() -> None:
    cache = filled(100, a=40, b=40)
    cache.get_or_put("b", never).nbytes = 90
    cache.note_growth("b")
    assert "a" not in cache
    assert cache.nbytes == 90


def test_what_is_gone_is_not_counted_when_it_grows() -> None:
    cache = filled(100, a=40, b=90)
    cache.note_growth("a")
    assert cache.nbytes == 90


def test_one_too_large_is_held_alone() -> None:
    cache = filled(0, a=10, b=10)
    assert "a" not in cache
    assert "b" in cache


def test_forgets_on_request() -> None:
    cache = filled(100, a=1, b=1)
    cache.clear()
    assert "a" not in cache
    assert cache.nbytes == 0
    cache.get_or_put("a", lambda: Block(7))
    assert cache.nbytes == 7


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(OptionError, match="limit_bytes=-1"):
        IndexCache(-1)
