from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest

from romaine.errors import OptionError, UnknownNameError
from romaine.memory import Category, Hit, Kind, Memory, Role, Scope, Turn
from romaine.memory.records import uuid7

SCOPE = Scope(user="ana")
BEYOND = datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))  # a year UTC has no number for


def nested(levels: int) -> dict[str, object]:
    """Metadata in metadata."""
    inner: dict[str, object] = {}
    for _ in range(levels - 1):
        inner = {"a": inner}
    return inner


def test_ids_are_uuid7_and_sort_by_time() -> None:
    first = uuid7()
    time.sleep(0.002)
    second = uuid7()
    assert UUID(first).version == 7
    assert first < second
    assert abs((UUID(first).int >> 80) / 1000 - time.time()) < 5
    assert len({uuid7() for _ in range(2000)}) == 2000


def test_records_are_frozen_and_hashable() -> None:
    turn = Turn("hi", speaker="Ana", role="user")
    memory = Memory(scope=SCOPE, kind="fact", text="x", metadata={"a": [1]})  # type: ignore[arg-type]
    assert (turn.role, memory.kind) == (Role.USER, Kind.FACT)
    assert len({turn, memory, SCOPE, Hit(memory=memory, score=1.0)}) == 4
    for record in (turn, memory, SCOPE):
        with pytest.raises(AttributeError):
            record.text = "y"  # type: ignore[misc]


def test_times_become_utc() -> None:
    east = datetime(2025, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert Turn("x", speaker="a", role="user", at=east).at == datetime(2025, 1, 1, 10, tzinfo=timezone.utc)
    naive = Turn("x", speaker="a", role="user", at=datetime(2025, 1, 1)).at
    assert naive == datetime(2025, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scope(user=""), "non-empty"),
        (lambda: Scope(user=None), "non-empty"),  # type: ignore[arg-type]
        (lambda: Scope(user="a", chat=""), "non-empty"),
        (lambda: Turn("x", speaker="", role="user"), "non-empty"),
        (lambda: Turn("x", speaker="a", role="user", at="today"), "not a datetime"),  # type: ignore[arg-type]
        (lambda: Memory(scope=SCOPE, kind=Kind.FACT, text="x", importance=1.5), "from 0 to 1"),
        (lambda: Memory(scope=SCOPE, kind=Kind.FACT, text="x", importance=float("nan")), "from 0 to 1"),
        (lambda: Memory(scope=SCOPE, kind=Kind.FACT, text="x", position=-1), "whole number"),
        (lambda: Memory(scope=SCOPE, kind=Kind.FACT, text="x", id="*"), "not an id of a memory"),
        (lambda: Memory(scope=SCOPE, kind=Kind.FACT, text="x", known_by="Ana"), "collection"),  # type: ignore[arg-type]
        (lambda: Memory(scope=SCOPE, kind=Kind.FACT, text="x", metadata={"a": {1}}), "JSON"),
        (lambda: Memory(scope=SCOPE, kind=Kind.FACT, text="x", valid_from=3, valid_to=1), "before"),
        (lambda: Turn("x", speaker="a", role="user", at=BEYOND), "after year 9999 in UTC"),
        (lambda: Memory(scope=SCOPE, kind=Kind.FACT, text="x", created_at=BEYOND), "after year 9999 in UTC"),
        (lambda: Turn("x", speaker="a", role="user", metadata=nested(65)), "deeper than 64"),
        (lambda: Turn("x", speaker="a", role="user", metadata=nested(10_000)), "deeper than 64"),
        (lambda: Memory(scope=SCOPE, kind=Kind.FACT, text="x", metadata=nested(10_000)), "deeper than 64"),
    ],
)
def test_wrong_values_are_told(make: object, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make()  # type: ignore[operator]


def test_metadata_may_be_64_levels_deep() -> None:
    assert Turn("x", speaker="a", role="user", metadata=nested(64)).metadata == nested(64)


def test_wrong_names_list_the_right_ones() -> None:
    with pytest.raises(UnknownNameError, match="'user', 'character', 'narrator', 'system'"):
        Turn("x", speaker="a", role="boss")
    with pytest.raises(UnknownNameError, match=Category.PLOT_EVENT.value):
        Memory(scope=SCOPE, kind=Kind.FACT, text="x", category="plot")  # type: ignore[arg-type]
