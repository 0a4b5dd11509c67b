"""Checks of what callers give: each returns the value as it is kept or says what is allowed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from romaine.errors import OptionError, TextTypeError

MAX_POSITION = 1 << 40
"""Largest position that is taken from outside; it leaves room for every turn that may follow."""

_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_DEPTH = 64  # of metadata: lists and mappings inside each other


def as_utc(moment: object, what: str) -> datetime:
    """Returns a time in UTC; a naive one is taken to be in UTC already.

    Raises:
        OptionError: If it is not a datetime, or one that UTC has no year for.
    """
    if not isinstance(moment, datetime):
        raise OptionError(
            f"{what}={moment!r} is not a datetime; give datetime.datetime, best with a timezone"
        )
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        raise OptionError(
            f"{what}={moment!r} is before year 1 or after year 9999 in UTC; give a time between"
        ) from None


def check_text(text: object) -> str:
    """Returns a text as it is.

    Raises:
        TextTypeError: If it is not a str.
    """
    if not isinstance(text, str):
        raise TextTypeError(f"a memory's text must be a str, got {type(text).__name__}")
    return text


def check_names(what: str, names: object) -> frozenset[str]:
    """Returns a set of names.

    Raises:
        OptionError: If it is one string or holds something other than names.
    """
    if isinstance(names, (str, bytes)) or not hasattr(names, "__iter__"):
        raise OptionError(f"{what}={names!r} must be a collection of names, e.g. {{'Cassian'}}")
    return frozenset(check_name(what, name) for name in names)


def check_count(what: str, value: object, *, optional: bool = False) -> None:
    """Checks a count or position.

    Raises:
        OptionError: If it is not a whole number from 0 to 2**53.
    """
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1 << 53:
        raise OptionError(
            f"{what}={value!r} must be a whole number from 0" + (" or None" if optional else "")
        )


def check_position(what: str, value: object, *, optional: bool = False) -> None:
    """Checks a position that is to be stored.

    Raises:
        OptionError: If it is not a whole number from 0 to `MAX_POSITION`.
    """
    check_count(what, value, optional=optional)
    if isinstance(value, int) and value > MAX_POSITION:
        raise OptionError(f"{what}={value} is too large; positions go from 0 to {MAX_POSITION}")


def check_share(what: str, value: object) -> None:
    """Checks a number from 0 to 1.

    Raises:
        OptionError: If it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise OptionError(f"{what}={value!r} must be a number from 0 to 1")


def check_metadata(metadata: object) -> dict[str, Any]:
    """Returns a copy of metadata that JSON can hold.

    Raises:
        OptionError: If it is not a mapping from str to what JSON can hold.
    """
    if not isinstance(metadata, Mapping):
        raise OptionError(f"metadata={metadata!r} must be a mapping")
    if not metadata:
        return {}
    if _depth(metadata) > _MAX_DEPTH:
        raise OptionError(f"metadata is nested deeper than {_MAX_DEPTH} levels; keep it flatter")
    try:
        # not as escapes: of two lone surrogates side by side, a reader would make one character
        text = json.dumps(dict(metadata), allow_nan=False, ensure_ascii=False)
        copy: dict[str, Any] = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise OptionError(f"metadata must be what JSON can hold: {error}") from None
    return copy


def _depth(value: object) -> int:
    """How many lists and mappings lie inside each other; one that holds itself is infinitely deep."""
    depth = 0
    level: list[Any] = [value]
    while level and depth <= _MAX_DEPTH:
        depth += 1
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, Mapping) else outer)
            if isinstance(item, (Mapping, list, tuple))
        ]
    return depth


def check_name(what: str, value: object) -> str:
    """Returns a name as it is.

    Raises:
        OptionError: If it is not a str or empty.
    """
    if not isinstance(value, str) or not value:
        raise OptionError(f"{what}={value!r} must be a non-empty str")
    return value


def check_optional_name(what: str, value: object) -> str | None:
    """Returns a name as it is, or None.

    Raises:
        OptionError: If it is neither a non-empty str nor None.
    """
    return None if value is None else check_name(what, value)


def check_id(value: object) -> None:
    """Checks a memory's id.

    Raises:
        OptionError: If it is not a UUID as this package writes them.
    """
    if isinstance(value, str) and _ID.fullmatch(value):
        return
    raise OptionError(f"id={value!r} is not an id of a memory: those are UUIDs in lower case with dashes")
