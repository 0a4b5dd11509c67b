from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from romaine.memory.sqlite.readers import LIMIT, Readers

WAIT = 20.0


def connect() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", check_same_thread=False)


def give_back_all(readers: Readers, taken: list[sqlite3.Connection]) -> None:
    for connection in taken:
        connection.close()
        readers.release(connection)


def test_the_connection_that_was_used_last_is_taken_first() -> None:
    readers = Readers()
    first, second = readers.acquire(connect), readers.acquire(connect)
    assert first is not second
    readers.release(first)
    readers.release(second)
    assert readers.acquire(connect) is second
    give_back_all(readers, [first, second])


def test_beyond_the_limit_one_waits_for_another() -> None:
    readers = Readers()
    taken = [readers.acquire(connect) for _ in range(LIMIT)]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(readers.acquire, connect)
        with pytest.raises(TimeoutError):
            waiting.result(0.1)
        readers.release(taken[3])
        assert waiting.result(WAIT) is taken[3]
    give_back_all(readers, taken)


def test_a_connection_that_cannot_be_opened_takes_no_place() -> None:
    def fail() -> sqlite3.Connection:
        raise OSError("too many open files")

    readers = Readers()
    for _ in range(LIMIT + 1):
        with pytest.raises(OSError, match="too many"):
            readers.acquire(fail)
    readers.close()


def test_closing_waits_for_all_and_turns_those_away_who_wait() -> None:
    readers = Readers()
    taken = [readers.acquire(connect) for _ in range(LIMIT)]
    closed = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(readers.acquire, connect)
        closing = pool.submit(lambda: (readers.close(), closed.set()))
        assert waiting.result(WAIT) is None
        assert not closed.wait(0.1)
        give_back_all(readers, taken[1:])
        assert not closed.wait(0.1)
        readers.close(but=1)
        give_back_all(readers, taken[:1])
        closing.result(WAIT)
    assert readers.acquire(connect) is None
