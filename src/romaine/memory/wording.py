"""Which analyzer a file's terms are of: what its settings say, and what that means for whoever opens it.

The settings `analyzer` and `terms` name the analyzer and its version; `next_analyzer` names both while terms
are made anew. Files from before there was a choice name no analyzer.
"""

from __future__ import annotations

from collections.abc import Callable

from romaine.errors import OptionError, OtherAnalyzerError, UnknownNameError
from romaine.memory.language import DEFAULT, Analyzer, analyzer_named

Setting = Callable[[str], "str | int | None"]
"""Reads a setting of a file, None if it is not there."""

NEXT = "next_analyzer"


def wording(analyzer: Analyzer) -> dict[str, str | int]:
    """Returns the settings of a file whose terms are an analyzer's."""
    return {"analyzer": analyzer.id, "terms": analyzer.version}


def wording_of(setting: Setting) -> dict[str, str | int]:
    """Returns the same of a file, as far as all its terms are of one analyzer."""
    return {"analyzer": setting("analyzer") or DEFAULT.id, "terms": setting("terms") or 0}


def is_worded_by(setting: Setting, analyzer: Analyzer) -> bool:
    """Tells whether all terms of a file are an analyzer's, of its present version."""
    return setting(NEXT) is None and wording_of(setting) == wording(analyzer)


def label(words: dict[str, str | int]) -> str:
    """An analyzer and its version in a word each."""
    return f"{words['analyzer']} {words['terms']}"


def choose_analyzer(
    wanted: Analyzer | str | None, setting: Setting, *, name: str, read_only: bool
) -> Analyzer:
    """Returns the analyzer that a file is opened with.

    Args:
        wanted: As the caller gave it; None for the file's own.
        setting: Of the file.
        name: The file's name.
        read_only: Whether its terms have to stay as they are. Those of an earlier version do as well, but for
            what that version found otherwise.

    Raises:
        OptionError: If `wanted` is none, or none of that name is known.
        OtherAnalyzerError: If the file's own is needed, and is not known.
    """
    if not isinstance(wanted, (Analyzer, str, type(None))):
        raise OptionError(f"analyzer={wanted!r} is neither an Analyzer nor the name of one, nor None")
    chosen = analyzer_named(wanted) if isinstance(wanted, str) else wanted
    own = label(wording_of(setting))
    if not read_only:
        own = str(setting(NEXT) or own)  # somebody has begun, and was interrupted
    own = own.rpartition(" ")[0]
    if chosen is not None and (not read_only or chosen.id == own):
        return chosen
    try:
        return analyzer_named(own)
    except UnknownNameError as error:
        remedy = "" if read_only else ", or analyzer='default' to make its terms anew"
        raise OtherAnalyzerError(
            f"{name} has the terms of analyzer {own!r}, which is not known here: install what brings it, or"
            f" give it as analyzer=...{remedy}. ({error})"
        ) from None


def check_reader(setting: Setting, analyzer: Analyzer, name: str) -> None:
    """Checks that a file's terms can be searched with an analyzer, of whatever version they are.

    Raises:
        OtherAnalyzerError: If they are another one's.
    """
    stored = wording_of(setting)
    if stored["analyzer"] != analyzer.id:
        raise _made_anew(name, label(stored), analyzer)


def check_writer(setting: Setting, analyzer: Analyzer, name: str) -> None:
    """Checks that a file's terms are an analyzer's, or are being made so.

    Raises:
        OtherAnalyzerError: If they are not.
    """
    stored = setting(NEXT) or label(wording_of(setting))
    if stored != label(wording(analyzer)):
        raise _made_anew(name, stored, analyzer)


def _made_anew(name: str, stored: object, analyzer: Analyzer) -> OtherAnalyzerError:
    return OtherAnalyzerError(
        f"{name} has been opened elsewhere with analyzer {stored}, which made its terms anew; this one is"
        f" {label(wording(analyzer))}: open it again, with that one"
    )
