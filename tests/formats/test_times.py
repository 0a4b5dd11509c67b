from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.formats.times import parse_time


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-06-03T17:12:00.120Z", utc(2024, 6, 3, 17, 12, 0, 120000)),
        ("2024-06-03T17:12:00.1Z", utc(2024, 6, 3, 17, 12, 0, 100000)),
        ("2024-06-03T17:12:00+02:00", utc(2024, 6, 3, 15, 12)),
        ("2024-06-03T17:12:00", utc(2024, 6, 3, 17, 12)),
        ("2024-06-03", utc(2024, 6, 3)),
        (1717434720000, utc(2024, 6, 3, 17, 12)),
        (1717434720000.0, utc(2024, 6, 3, 17, 12)),
        ("1717434720000", utc(2024, 6, 3, 17, 12)),
        (1717434720, utc(2024, 6, 3, 17, 12)),
        ("June 3, 2024 5:12pm", utc(2024, 6, 3, 17, 12)),
        ("june 3, 2024 12:05 AM", utc(2024, 6, 3, 0, 5)),
        ("2024-6-3@17h12m", utc(2024, 6, 3, 17, 12)),
        ("2024-06-03@17h12m30s", utc(2024, 6, 3, 17, 12, 30)),
        ("2024-6-3 @17h 12m 30s 125ms", utc(2024, 6, 3, 17, 12, 30, 125000)),
        ("1:56 pm on 8 May, 2023", utc(2023, 5, 8, 13, 56)),
        ("29.12.2023, 14:03:59", utc(2023, 12, 29, 14, 3, 59)),
    ],
)
def test_every_way_of_writing(written: object, meant: datetime) -> None:
    assert parse_time(written) == meant


@pytest.mark.parametrize(
    "written",
    ["", "soon", None, True, [], {}, float("nan"), float("inf"), 10**400, -(10**30), "June 31, 2024 5:12pm",
     "13:00pm on 8 May, 2023", "2024-6-3@25h12m", "0001-01-01T00:00:00+14:00", "9" * 17, "x" * 10_000],
)  # fmt: skip
def test_what_is_no_time_is_none(written: object) -> None:
    assert parse_time(written) is None


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.binary()))
def test_it_never_raises(written: object) -> None:
    moment = parse_time(written)
    assert moment is None or moment.tzinfo is timezone.utc
