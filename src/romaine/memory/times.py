"""Questions about a time find turns of that time: windows over when memories were made, and over the story.

A time counts as a word would that all memories of its window hold: the fewer they are, the more it says, in
the nats of BM25. So it needs no threshold and says nothing where all memories are of one time. Beside a
window it falls off to nothing, for people tell of a thing some days later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.memory.candidates import WordFigures
from romaine.memory.codec import decode_time, encode_time
from romaine.memory.columns import Columns
from romaine.memory.language import SaidTime
from romaine.memory.turn_order import NOWHERE

_DAY = timedelta(days=1)
_BESIDE = 7 * _DAY  # how far beside a window a time still counts, at most; never more than it is long
_LENGTHS = {"day": _DAY, "week": 7 * _DAY, "weekend": 7 * _DAY, "month": 30 * _DAY, "year": 365 * _DAY}
_EVER = datetime(1, 1, 2, tzinfo=timezone.utc), datetime(9999, 12, 30, tzinfo=timezone.utc)
_PARTS = ("beginning", "middle", "end")  # a third of a date each
_BEGINNING = 10  # a story begins with one part in so many


@dataclass(frozen=True)
class Window:
    """From where until before where, in microseconds since 1970 or in positions.

    Attributes:
        start: Its first.
        end: The first beyond it.
        in_story: Whether it is one of positions.
    """

    start: int
    end: int
    in_story: bool = False

    def closeness(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """1 inside, 1/2 right beside it and falling off to 0 from there, float64 (n,).

        Args:
            places: Times or positions, (n,).
        """
        most = self.end - self.start
        beside = most if self.in_story else min(most, _BESIDE // timedelta(microseconds=1))
        away = np.maximum(self.start - places, places - self.end + 1)
        near = np.where(away <= 0, 1.0, np.clip(1 - away / max(beside, 1), 0.0, 1.0) / 2)
        return np.where(places == NOWHERE, 0.0, near) if self.in_story else near


class TimeScores:
    """What the times of a query say of the memories of a scope.

    Args:
        times: What `said_times` found.
        created: When each row was made, microseconds since 1970, (rows,).
        positions: Where it stands in the story, NOWHERE for nowhere, (rows,).
        wanted: Which rows may be found, bool (rows,).
        now: What times are told from, or None for when the newest of these was made.

    Attributes:
        rarity: How much it says that a memory is of that time, in nats; 0 if it says nothing.
    """

    def __init__(
        self,
        times: Sequence[SaidTime],
        *,
        created: NDArray[np.int64],
        positions: NDArray[np.int64],
        wanted: NDArray[np.bool_],
        now: datetime | None = None,
    ) -> None:
        self._created, self._positions = created, positions
        self.rarity = 0.0
        rows = np.flatnonzero(wanted) if times else np.empty(0, dtype=np.intp)
        if not len(rows):
            return
        now = decode_time(int(created[rows].max())) if now is None else now
        placed = positions[rows]
        self._windows = [
            window for said in times if (window := _window(said, now, placed[placed != NOWHERE])) is not None
        ]
        inside = int(np.count_nonzero(self._closeness(rows) == 1))
        if 0 < inside < len(rows):
            self.rarity = float(WordFigures(len(rows), 0, np.array([inside])).idf[0])

    def of(self, rows: NDArray[np.intp]) -> FloatArray:
        """What the time of each of some rows says for it, in nats, float32 (n,)."""
        return (self.rarity * self._closeness(rows)).astype(np.float32)

    def _closeness(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        near = np.zeros(len(rows))
        for window in self._windows:
            places = self._positions if window.in_story else self._created
            np.maximum(near, window.closeness(places[rows]), out=near)
        return near


def time_scores(
    times: Sequence[SaidTime], attributes: Columns, wanted: NDArray[np.bool_], as_of: int | datetime | None
) -> TimeScores | None:
    """What the times of a query say in a scope, or None if nothing.

    Args:
        times: What `said_times` found.
        attributes: Of the scope's rows: `created` and `position` are asked for.
        wanted: Which rows may be found, bool (rows,).
        as_of: As in a recall.
    """
    if not times:
        return None
    scores = TimeScores(
        times,
        created=attributes["created"],
        positions=attributes["position"],
        wanted=wanted,
        now=as_of if isinstance(as_of, datetime) else None,
    )
    return scores if scores.rarity else None


def _window(said: SaidTime, now: datetime, positions: NDArray[np.int64]) -> Window | None:
    if said.part is not None and not said.is_date:
        if not len(positions):
            return None
        first, last = int(positions.min()), int(positions.max())
        return Window(first, first + max(1, (last - first) // _BEGINNING), in_story=True)
    span = span_of(said, now)
    return None if span is None else Window(encode_time(span[0]), encode_time(span[1]))


# --- the calendar -----------------------------------------------------------------------------------------


def span_of(said: SaidTime, now: datetime) -> tuple[datetime, datetime] | None:
    """Returns from when until before when a time is.

    Args:
        said: The time; not one of the story.
        now: What it is told from, in UTC. A date without a year is the latest that has begun.

    Returns:
        Both in UTC, or None if no calendar has it.
    """
    today = now.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        if said.is_date and said.until is not None:
            return _range(said, said.until, today)
        return _changed(said, _date(said, today)) if said.is_date else _told_from(said, today)
    except (ValueError, OverflowError):
        return None


Span = tuple[datetime, datetime]


def _date(said: SaidTime, today: datetime) -> Span:
    if said.year is not None:
        return _in_year(said, said.year, today)
    return _latest(said, today)


def _latest(said: SaidTime, today: datetime) -> Span:
    """Of a day, month or season of any year the latest that has begun, or that is over."""
    if said.count == 0 and said.season is None:
        return _in_year(said, today.year, today)
    for year in range(today.year, today.year - 9, -1):  # a 29 February is there every eight years at least
        try:
            start, end = _in_year(said, year, today)
        except ValueError:
            continue
        if (end if said.last else start) <= today:
            return start, end
    raise ValueError


def _in_year(said: SaidTime, year: int, today: datetime) -> Span:
    start = today.replace(year=year, month=1, day=1)
    if said.season is not None:
        start = start.replace(month=3 * said.season + 3)  # as it is north of the equator
        return start, _months_after(start, 3)
    if said.month is None:
        return start, _months_after(start, 12)
    start = start.replace(month=said.month, day=said.day or 1)
    return start, (start + _DAY if said.day else _months_after(start, 1))


def _months_after(start: datetime, count: int) -> datetime:
    years, month = divmod(start.month - 1 + count, 12)
    return start.replace(year=start.year + years, month=month + 1)


def _range(first: SaidTime, until: SaidTime, today: datetime) -> Span:
    end = _date(until, today)
    start = _date(first if first.year is not None else replace(first, year=end[0].year), today)
    if start[0] > end[0]:
        start = _date(replace(first, year=end[0].year - 1), today)
    return start[0], end[1]


def _changed(said: SaidTime, date: Span) -> Span:
    """What stands before or after a date, or is a part of it."""
    start, end = date
    if said.week is not None:
        return start + 7 * (said.week - 1) * _DAY, start + 7 * said.week * _DAY
    if said.part is not None:
        third = (end - start) / len(_PARTS)
        start += _PARTS.index(said.part) * third
        return start, start + third
    if said.side is None:
        return date
    if said.weekday is not None or said.unit is not None:
        return _beside(said, *date)
    return (_EVER[0], start) if said.side < 0 else (end, _EVER[1])


def _beside(said: SaidTime, start: datetime, end: datetime) -> Span:
    """A unit or a weekday at some distance from a date."""
    assert said.side is not None
    count = 1 if said.count is None else said.count
    if said.weekday is not None or said.unit == "weekend":
        days, first = (1, said.weekday) if said.weekday is not None else (2, 5)
        if said.side > 0:
            begin = end + (first - end.weekday()) % 7 * _DAY + 7 * (count - 1) * _DAY
        else:
            begin = _last_weekday(start, first, days) - 7 * (count - 1) * _DAY
        return begin, begin + days * _DAY
    length = _LENGTHS[said.unit or "day"]
    if count == 1:
        return (start - length, start) if said.side < 0 else (end, end + length)
    return _around(start + said.side * count * length, length)


def _told_from(said: SaidTime, today: datetime) -> Span | None:
    """What is told from now."""
    if said.season is not None:
        return _latest(said, today)
    if said.weekday is not None:
        start = _last_weekday(today, said.weekday, 1)
        return start, start + _DAY
    if said.unit is None:
        return None
    if said.last or said.count == 0:
        return _whole(said.unit, today, last=said.last)
    return _around(today - (said.count or 0) * _LENGTHS[said.unit], _LENGTHS[said.unit])


def _around(day: datetime, length: timedelta) -> Span:
    """A time as long as the unit that it was told in, around a day."""
    beside = (length - _DAY) / 2
    return day - beside, day + _DAY + beside


def _whole(unit: str, today: datetime, *, last: bool) -> Span:
    """The day, week, weekend, month or year that is now, or the last that is over."""
    if unit == "weekend":
        start = _last_weekday(today, 5, 2) if last else today + (5 - today.weekday()) * _DAY
        return start, start + 2 * _DAY
    if unit in ("day", "week"):
        start = today - (today.weekday() if unit == "week" else 0) * _DAY
        return (start - _LENGTHS[unit], start) if last else (start, start + _LENGTHS[unit])
    start, months = (today.replace(day=1), 1) if unit == "month" else (today.replace(month=1, day=1), 12)
    return (_months_after(start, -months), start) if last else (start, _months_after(start, months))


def _last_weekday(today: datetime, weekday: int, days: int) -> datetime:
    """The latest weekday from which on so many days are over."""
    start = today - (today.weekday() - weekday) % 7 * _DAY
    return start if start + days * _DAY <= today else start - 7 * _DAY
