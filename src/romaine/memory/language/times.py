"""Times that a text names, found by a small table of rules for each language.

A rule is a pattern with slots; what stands in a slot says which month, unit or number is meant. What that is
on a calendar, `memory/times.py` knows; here nothing knows what day it is. A word that also means something
else ("may", "fall", "Monday") counts only beside another that makes it a time, so that a question without a
time is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

from romaine.memory.language.folding import TOKEN, fold, lowered
from romaine.memory.language.guess import languages_of_query
from romaine.memory.language.latin import ENGLISH, LANGUAGES
from romaine.memory.language.time_words import LATIN_RULES, OTHER_RULES, TimeRules

_DIGITS = {"year": r"(?:19|20)\d\d", "month": r"1[0-2]|0?[1-9]", "day": r"[0-3]?\d", "count": r"\d{1,3}"}
_PARTS = ("beginning", "middle", "end")
_ANYWHERE = (
    r"{year}[-/](?P<month>1[0-2]|0?[1-9])[-/]{day}",
    r"{day}\.(?P<month>1[0-2]|0?[1-9])\.{year}",
)
_LONGEST = 2_000  # characters of a message that are looked at


@dataclass(frozen=True, kw_only=True)
class SaidTime:
    """A time as a text says it; what it does not say is None.

    Attributes:
        year: Such as 2023.
        month: 1 to 12.
        day: Of the month, 1 to 31.
        season: 0 for spring to 3 for winter.
        weekday: 0 for Monday to 6 for Sunday.
        unit: "day", "week", "weekend", "month" or "year".
        count: How many units ago; 0 for the one that is now.
        last: Whether the latest of its kind is meant that is over.
        part: "beginning", "middle" or "end" of the date, or of the story where there is no date.
        week: Which week of the month, from 1.
        side: -1 for what is before the date, 1 for what is after it. With a unit or a weekday, it is the one
            that is so far from the date.
        until: The end of a range that begins with this date.
    """

    year: int | None = None
    month: int | None = None
    day: int | None = None
    season: int | None = None
    weekday: int | None = None
    unit: str | None = None
    count: int | None = None
    last: bool = False
    part: str | None = None
    week: int | None = None
    side: int | None = None
    until: SaidTime | None = None

    @property
    def is_date(self) -> bool:
        """Whether the calendar has it, be it once a year."""
        return self.year is not None or self.month is not None


def said_times(text: str) -> tuple[SaidTime, ...]:
    """Returns the times that a text names, in its order; none of most texts."""
    folded = fold(lowered(text[:_LONGEST])).replace("\u2019", "'")
    found: list[_Found] = []
    for rules in _spoken(folded):
        for start, end, said in rules.times(folded):
            if not any(start < other_end and other_start < end for other_start, other_end, _ in found):
                found.append((start, end, said))
    return tuple(said for *_, said in sorted(found, key=lambda time: time[0]))


_Found: TypeAlias = "tuple[int, int, SaidTime]"


def _spoken(text: str) -> Iterator[_Rules]:
    """The rules of those languages that a folded text may be in, as far as a word of theirs is there."""
    tokens = TOKEN.findall(text)
    signs, has_year = _signs(), any(token[:2] in ("19", "20") and len(token) == 4 for token in tokens)
    said = [code for code in LATIN_RULES if has_year or not signs[code].isdisjoint(tokens)]
    if said:
        codes = {ENGLISH, *languages_of_query(tokens)}
        yield from (_rules_of(code) for code in said if code in codes)
    if not text.isascii():
        yield from (_rules_of(letters) for letters in OTHER_RULES if re.search(f"[{letters}]", text))


@cache
def _signs() -> dict[str, frozenset[str]]:
    """For each language in Latin script words one of which each of its times holds, if it holds no year."""
    return {
        code: frozenset(
            token
            for slot, words in rules.slots.items()
            if slot not in ("count", "last", "side")
            for word in words
            for token in TOKEN.findall(word)
        ).union(*(re.findall("[a-z]{3,}", rule) for rule in rules.rules if "beginning" in rule))
        - LANGUAGES[ENGLISH].function_words
        for code, rules in LATIN_RULES.items()
    }


@cache
def _rules_of(language: str) -> _Rules:
    return _Rules({**LATIN_RULES, **OTHER_RULES}[language])


class _Rules:
    """The rules of a language as patterns."""

    def __init__(self, rules: TimeRules) -> None:
        self._slots = rules.slots
        self._patterns = [re.compile(_whole(rule, rules)) for rule in (*_ANYWHERE, *rules.rules)]
        self._before = [re.compile(_whole(rule, rules) + r"\s*$") for rule in rules.before]
        self._joint = re.compile(rules.joint or "$.")

    def times(self, text: str) -> Iterator[_Found]:
        """Times in a folded text, each with where it begins and ends, none over another."""
        found: list[_Found] = []
        for pattern in self._patterns:
            for match in pattern.finditer(text):
                start = min(at for name in match.groupdict() if (at := match.start(name)) >= 0)
                if all(start >= end or match.end() <= begin for begin, end, _ in found):
                    found.append((start, match.end(), self._said(match)))
        found.sort(key=lambda time: time[0])
        ranged: list[_Found] = []
        for start, end, said in found:
            if ranged and said.is_date and ranged[-1][2].is_date:
                begin, until, first = ranged[-1]
                if self._joint.search(f"{text[:begin]}\t{text[until:start]}\t"):
                    ranged[-1] = begin, end, replace(first, until=said)
                    continue
            ranged.append((start, end, said))
        placed = [self._placed(text, *time) for time in ranged]
        return (time for time in placed if not any(_is_inside(time, other) for other in placed))

    def _placed(self, text: str, start: int, end: int, said: SaidTime) -> _Found:
        """A time with what stands before it and changes it, if it is a date."""
        for pattern in self._before if said.is_date else ():
            if match := pattern.search(text[:start]):
                changes = vars(self._said(match)).items()
                changed = {name: value for name, value in changes if value is not None and value is not False}
                return match.start(), end, replace(said, **changed)
        return start, end, said

    def _said(self, match: re.Match[str]) -> SaidTime:
        values: dict[str, Any] = {}
        for slot, word in match.groupdict().items():
            if word is None:
                continue
            if slot in _PARTS:
                values["part"] = slot
                continue
            meant = int(word) if word.isdigit() else self._slots[slot][" ".join(word.split())]
            values.update(meant if isinstance(meant, dict) else {slot: meant})
        return SaidTime(**values)


def _is_inside(time: _Found, other: _Found) -> bool:
    return other[0] <= time[0] and time[1] <= other[1] and time[:2] != other[:2]


def _whole(rule: str, rules: TimeRules) -> str:
    """A rule as a pattern of whole words."""
    for slot in {*rules.slots, *_DIGITS}:
        words = sorted(rules.slots.get(slot, {}), key=len, reverse=True)  # the first that fits is taken
        digits = [_DIGITS[slot]] if slot in _DIGITS and not (rules.spaced and slot == "month") else []
        rule = rule.replace(f"{{{slot}}}", f"(?P<{slot}>{'|'.join([*digits, *words])})")
    rule = rule.replace(" ?", r"\s*").replace(" ", r"\s+")
    return rf"(?<!\w){rule}(?!\w)" if rules.spaced else rf"(?<!\d){rule}(?!\d)"
