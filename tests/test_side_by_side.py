from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from romaine.side_by_side import in_halves, in_order


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


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_halves_are_all_there_is_once(count: int) -> None:
    done = [0] * count

    def note(some: slice) -> None:
        for number in range(*some.indices(count)):
            done[number] += 1

    in_halves(note, count)
    assert done == [1] * count


def test_the_second_half_is_another_threads() -> None:
    together = threading.Barrier(2, timeout=10)  # each waits for the other
    in_halves(lambda _: together.wait(), 2)


def test_nobody_waits_for_a_thread_that_is_busy() -> None:
    began, may_end = threading.Event(), threading.Event()

    def hold(some: slice) -> None:
        if some.start:
            began.set()
            assert may_end.wait(10)

    holder = threading.Thread(target=in_halves, args=(hold, 2))
    holder.start()
    assert began.wait(10)
    by: list[int] = []
    in_halves(lambda _: by.append(threading.get_ident()), 2)
    may_end.set()
    holder.join()
    assert by == [threading.get_ident()] * 2


@pytest.mark.parametrize("at", [0, 1])
def test_an_error_of_either_half_is_raised(at: int) -> None:
    with pytest.raises(ZeroDivisionError):
        in_halves(lambda some: 1 // ((some.start or 0) - at), 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_halves_are_done_in_a_forked_child_and_while_the_interpreter_ends() -> None:
    script = """
import atexit, os, threading
from romaine.side_by_side import in_halves
together = threading.Barrier(2, timeout=10)
in_halves(lambda _: together.wait(), 2)
if not os.fork():
    in_halves(lambda _: together.wait(), 2)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.wait()[1]))
atexit.register(lambda: in_halves(lambda some: print(some.start), 2))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["7", "None", "1"], done.stderr
