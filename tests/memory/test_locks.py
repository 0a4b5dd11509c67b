from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from romaine.memory import locks
from romaine.memory.locks import Turns, aside


def in_a_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    monkeypatch.setattr(locks, "_HAS_GIL", True)
    return Turns()


def test_one_has_a_turn_at_a_time(turns: Turns) -> None:
    inside = threading.Event()

    def other() -> None:
        with turns.taken():
            inside.set()

    with turns.taken():
        thread = in_a_thread(other)
        assert not inside.wait(0.05)
    thread.join(5)
    assert inside.is_set()


def test_aside_others_have_theirs(turns: Turns) -> None:
    inside = threading.Event()

    def other() -> None:
        with turns.taken():
            inside.set()

    with turns.taken():
        with aside():
            in_a_thread(other).join(5)
            assert inside.is_set()
        assert turns._lock.locked()  # it is back


def test_aside_without_a_turn_is_nothing(turns: Turns) -> None:
    with aside():
        assert turns._lock.acquire(blocking=False)


def test_a_turn_ends_with_an_error(turns: Turns) -> None:
    with pytest.raises(ValueError, match="lost"), turns.taken(), aside():
        raise ValueError("lost")
    with turns.taken():
        assert turns._lock.locked()
    assert not turns._lock.locked()


def test_one_who_is_aside_may_take_another_turn(turns: Turns) -> None:
    with turns.taken(), aside(), turns.taken():
        assert turns._lock.locked()
    assert not turns._lock.locked()


def test_without_a_gil_nobody_waits(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_HAS_GIL", False)
    with turns.taken():
        assert not turns._lock.locked()
