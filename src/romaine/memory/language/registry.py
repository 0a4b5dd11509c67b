"""Analyzers by name: those of this package and of other distributions."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from romaine.errors import OptionError, UnknownNameError
from romaine.memory.language.analyzer import Analyzer
from romaine.memory.language.default import DefaultAnalyzer

ENTRY_POINT_GROUP = "romaine.analyzers"
DEFAULT = DefaultAnalyzer()
"""What new files get, and those that are from before there was a choice."""


def analyzer_names() -> tuple[str, ...]:
    """Every analyzer's name, third parties' last."""
    return (DEFAULT.id, *_third_party())


def analyzer_named(name: str) -> Analyzer:
    """Returns an analyzer by its name.

    Raises:
        UnknownNameError: If there is none of that name.
        OptionError: If what another distribution gives is no analyzer of that name.
    """
    if name == DEFAULT.id:
        return DEFAULT
    point = _third_party().get(name)
    if point is None:
        raise UnknownNameError("analyzer", name, analyzer_names())
    found = point.load()
    if not isinstance(found, Analyzer) or found.id != name:
        raise OptionError(
            f"analyzer {name!r} is {point.value}, which is {found!r}; an entry point of"
            f" {ENTRY_POINT_GROUP} names an Analyzer object whose id is its name"
        )
    return found


@lru_cache(maxsize=1)
def _third_party() -> dict[str, EntryPoint]:
    """Entry points whose value is an `Analyzer`, by name; the built-in one's is left alone."""
    points = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)
    return {point.name: point for point in points if point.name != DEFAULT.id}
