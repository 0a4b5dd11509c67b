"""Filters on metadata and values, with the operators of LangGraph's stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from romaine.errors import UnknownNameError


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Compares numbers with numbers and texts with texts; of anything else nothing is more or less."""

    def holds(value: Any, limit: Any) -> bool:
        alike = all(isinstance(side, str) for side in (value, limit)) or all(
            isinstance(side, (int, float)) and not isinstance(side, bool) for side in (value, limit)
        )
        return alike and compare(value, limit)

    return holds


OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda value, other: bool(value == other),
    "$ne": lambda value, other: bool(value != other),
    "$gt": _ordered(lambda value, limit: value > limit),
    "$gte": _ordered(lambda value, limit: value >= limit),
    "$lt": _ordered(lambda value, limit: value < limit),
    "$lte": _ordered(lambda value, limit: value <= limit),
    "$in": lambda value, others: value in others,
    "$nin": lambda value, others: value not in others,
}
"""What a filter may ask of a value. A value that is not there is None."""


def check_filter(wanted: object) -> None:
    """Checks the operators of a filter, so that a wrong one is an error even where nothing is stored.

    Raises:
        UnknownNameError: If one is unknown.
    """
    if isinstance(wanted, Mapping):
        for name, value in wanted.items():
            if str(name).startswith("$") and name not in OPERATORS:
                raise UnknownNameError("operator", name, list(OPERATORS))
            check_filter(value)


def matches(value: Any, wanted: Any) -> bool:
    """Tells whether a value is as wanted: equal, or what operators and nested mappings say of it.

    Args:
        value: What is stored.
        wanted: A value to be equal to; a mapping of operators, all of which must hold; or a mapping of names
            to what is wanted of each.
    """
    if not isinstance(wanted, Mapping):
        return bool(value == wanted)
    if any(str(name).startswith("$") for name in wanted):
        return all(OPERATORS[name](value, other) for name, other in wanted.items())
    return isinstance(value, Mapping) and all(
        matches(value.get(name), other) for name, other in wanted.items()
    )
