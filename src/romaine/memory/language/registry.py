"""Analyzers by name: those of this package and of other distributions."""

from __future__ import annotations

from romaine.errors import OptionError, UnknownNameError
from romaine.memory.language.analyzer import Analyzer
from romaine.memory.language.default import DefaultAnalyzer
from romaine.memory.language.korean import KoreanAnalyzer
from romaine.memory.language.latin import LANGUAGES
from romaine.plugins import Plugin, plugins

ENTRY_POINT_GROUP = "romaine.analyzers"
DEFAULT = DefaultAnalyzer()
"""What new files get, and those that are from before there was a choice."""
_OURS: dict[str, Analyzer] = {
    analyzer.id: analyzer
    for analyzer in (DEFAULT, *(DefaultAnalyzer(language=code) for code in LANGUAGES), KoreanAnalyzer())
}


def analyzer_names() -> tuple[str, ...]:
    """Every analyzer's name, third parties' last."""
    return (*_OURS, *(plugin.name for plugin in _third_party()))


def analyzer_named(name: str) -> Analyzer:
    """Returns an analyzer by its name.

    Raises:
        UnknownNameError: If there is none of that name.
        OptionError: If what another distribution gives is no analyzer of that name.
        PluginError: If that cannot be loaded.
    """
    if name in _OURS:
        return _OURS[name]
    plugin = next((plugin for plugin in _third_party() if plugin.name == name), None)
    if plugin is None:
        raise UnknownNameError("analyzer", name, analyzer_names())
    found = plugin.load()
    if not isinstance(found, Analyzer) or found.id != name:
        raise OptionError(
            f"analyzer {plugin} is {plugin.value}, which is {found!r}; an entry point of {ENTRY_POINT_GROUP}"
            " names an Analyzer object whose id is its name"
        )
    return found


def _third_party() -> tuple[Plugin, ...]:
    return plugins(ENTRY_POINT_GROUP, taken=_OURS)
