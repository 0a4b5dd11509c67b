from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from romaine.memory.token_cache import TokenCache

ROW = 120 + 10


def tens(*row_ids: int) -> dict[int, bytes]:
    return {row_id: bytes([row_id]) * 10 for row_id in row_ids}


def test_what_was_used_last_stays_within_the_limit() -> None:
    cache = TokenCache(3 * ROW)
    cache.put(tens(1, 2, 3))
    assert cache.nbytes == 3 * ROW
    assert cache.get([1, 7]) == tens(1)
    cache.put(tens(4))
    assert cache.get([1, 2, 3, 4]) == tens(1, 3, 4)
    assert cache.nbytes == 3 * ROW


def test_what_is_put_again_or_dropped_counts_once() -> None:
    cache = TokenCache(3 * ROW)
    cache.put(tens(1, 2))
    cache.put({1: b"x"})
    assert cache.get([1, 2]) == {1: b"x", **tens(2)}
    cache.drop([1, 9])
    assert cache.nbytes == ROW
    cache.drop([2])
    assert (cache.nbytes, cache.get([1, 2])) == (0, {})


def test_what_is_larger_than_the_limit_is_not_kept() -> None:
    cache = TokenCache(ROW)
    cache.put({1: b"x" * 1000})
    assert (cache.nbytes, cache.get([1])) == (0, {})


def test_many_threads_leave_it_in_order() -> None:
    cache = TokenCache(5 * ROW)

    def use(number: int) -> None:
        for step in range(200):
            row_id = (number + step) % 9
            cache.put(tens(row_id))
            assert cache.get([row_id]) in ({}, tens(row_id))
            cache.drop([(row_id + 1) % 9])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use, range(4)))
    assert cache.nbytes == ROW * len(cache.get(range(9))) <= 5 * ROW
