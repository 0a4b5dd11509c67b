"""When a message was sent, in every way the chat apps write it.

A time that names its timezone is converted to UTC. One that does not is the local time of a machine nobody
knows any more; it is taken as UTC, so that the order and the distances within a chat stay right.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?\s*(?P<half>[ap]\.?m\.?)?"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # June 3, 2024 5:12pm
        rf"(?P<month>[a-z]{{3,9}})\.? +(?P<day>\d{{1,2}}),? +(?P<year>\d{{4}}),? +{_CLOCK}",
        # 2024-6-3@17h12m, 2024-6-3 @17h 12m 30s 125ms
        r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2}) *@ *(?P<hour>\d{1,2})h *(?P<minute>\d{1,2})m"
        r"(?: *(?P<second>\d{1,2})s)?(?: *(?P<milli>\d{1,3})ms)?",
        # 1:56 pm on 8 May, 2023
        rf"{_CLOCK} +on +(?P<day>\d{{1,2}}) +(?P<month>[a-z]{{3,9}}),? +(?P<year>\d{{4}})",
        # 29.12.2023, 14:03:59
        rf"(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.(?P<year>\d{{4}}),? +{_CLOCK}",
    )
)
_NUMBER = re.compile(r"-?\d{1,17}(?:\.\d{1,9})?")
#: Where Python 3.10 is stricter than ISO 8601: it wants three or six digits of a second and no Z.
_FRACTION = re.compile(r"\.(\d{1,9})")


def parse_time(value: object) -> datetime | None:
    """Reads a time as chat apps write it.

    Args:
        value: ISO 8601; milliseconds since 1970 as number or text (numbers under 100 billion are seconds);
            "June 3, 2024 5:12pm"; "2024-6-3@17h12m"; "1:56 pm on 8 May, 2023"; "29.12.2023, 14:03:59".

    Returns:
        The moment in UTC, or None where there is none that can be read.
    """
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, (int, float)):
            return _from_epoch(float(value))
        return _from_text(value.strip()) if isinstance(value, str) and len(value) <= 100 else None
    except (ValueError, OverflowError):
        return None


def _from_text(text: str) -> datetime | None:
    if _NUMBER.fullmatch(text):
        return _from_epoch(float(text))
    for pattern in _PATTERNS:
        if match := pattern.fullmatch(text):
            return _from_parts({name: part for name, part in match.groupdict().items() if part})
    moment = datetime.fromisoformat(_python310_iso(text))
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


def _from_epoch(number: float) -> datetime:
    seconds = number if abs(number) < 1e11 else number / 1000
    return _EPOCH + timedelta(milliseconds=round(seconds * 1000))


def _from_parts(parts: dict[str, str]) -> datetime:
    month = parts["month"]
    hour = int(parts["hour"])
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            raise ValueError("no such hour on a twelve-hour clock")
        hour = hour % 12 + (12 if half[0] in "pP" else 0)
    return datetime(
        int(parts["year"]),
        int(month) if month.isdigit() else 1 + _MONTHS.index(month[:3].lower()),
        int(parts["day"]),
        hour,
        int(parts["minute"]),
        int(parts.get("second", 0)),
        int(parts.get("milli", 0)) * 1000,
        tzinfo=timezone.utc,
    )


def _python310_iso(text: str) -> str:
    text = re.sub(r"[zZ]$", "+00:00", text)
    return _FRACTION.sub(lambda fraction: f".{fraction[1][:6]:0<6}", text, count=1)
