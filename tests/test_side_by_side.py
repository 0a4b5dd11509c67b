from __future__ import annotations

import threading

import pytest

from romaine.side_by_side import in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order(threads: int) -> None:
    assert list(in_order(lambda number: number * 2, range(50), threads=threads)) == list(range(0, 100, 2))


def test_as_many_at_once_as_there_are_threads() -> None:
    together = threading.Barrier(3, timeout=10)  # each waits for two others
    list(in_order(lambda _: together.wait(), range(9), threads=3))


def test_with_one_thread_nothing_leaves_the_callers() -> None:
    assert set(in_order(lambda _: threading.get_ident(), range(3), threads=1)) == {threading.get_ident()}


def test_it_reads_a_few_items_ahead_and_no_more() -> None:
    asked: list[int] = []
    items = (asked.append(number) or number for number in range(1000))
    results = in_order(lambda number: number, items, threads=2)
    assert next(results) == 0
    assert len(asked) == 3
    results.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_comes_where_its_result_would(threads: int) -> None:
    results = in_order(lambda number: 1 // (number - 3), range(10), threads=threads)
    assert [next(results) for _ in range(3)] == [1 // -3, 1 // -2, -1]
    with pytest.raises(ZeroDivisionError):
        next(results)
