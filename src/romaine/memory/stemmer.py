"""The Porter stemmer: English words to the stem their inflections share.

Formula source: M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980, with the two
departures of the author's own later implementation (`logi` -> `log`, `bli` -> `ble`). Words of one or two
letters stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_CONSONANT = "[^aeiou]"  # a "y" after a consonant counts as a vowel, see below
_VOWEL = "[aeiouy]"
_CONSONANTS = _CONSONANT + "[^aeiouy]*"
_VOWELS = _VOWEL + "[aeiou]*"

_MEASURE_ABOVE_0 = re.compile(f"^({_CONSONANTS})?{_VOWELS}{_CONSONANTS}")
_MEASURE_ABOVE_1 = re.compile(f"^({_CONSONANTS})?{_VOWELS}{_CONSONANTS}{_VOWELS}{_CONSONANTS}")
_MEASURE_IS_1 = re.compile(f"^({_CONSONANTS})?{_VOWELS}{_CONSONANTS}({_VOWELS})?$")
_HAS_VOWEL = re.compile(f"^({_CONSONANTS})?{_VOWEL}")
_ENDS_DOUBLE = re.compile(r"([^aeiouylsz])\1$")
_ENDS_SHORT = re.compile(f"^{_CONSONANTS}{_VOWEL}[^aeiouwxy]$")

_STEP_2 = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "bli": "ble",
    "alli": "al", "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate",
    "alism": "al", "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive",
    "biliti": "ble", "logi": "log",
}  # fmt: skip
_STEP_3 = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
_STEP_4 = dict.fromkeys(
    ("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ou", "ism", "ate",
     "iti", "ous", "ive", "ize"),
    "",
) | {"sion": "s", "tion": "t"}  # fmt: skip


def _rule_table(rules: Mapping[str, str]) -> Callable[[str], tuple[str, str] | None]:
    """Returns a function that splits off the longest suffix of `rules` and says what replaces it."""
    pattern = re.compile(f"({'|'.join(sorted(rules, key=len, reverse=True))})$")

    def split(word: str) -> tuple[str, str] | None:
        found = pattern.search(word)
        return (word[: found.start()], rules[found.group(1)]) if found else None

    return split


_split_2, _split_3, _split_4 = map(_rule_table, (_STEP_2, _STEP_3, _STEP_4))


def porter_stem(word: str) -> str:
    """Returns the stem of one lower-case English word."""
    if len(word) <= 2:
        return word
    first_y = word[0] == "y"  # an initial y is a consonant; upper case hides it from the vowel classes
    if first_y:
        word = "Y" + word[1:]
    word = _final_y(_past_and_progressive(_plural(word)))
    for split, measure in ((_split_2, _MEASURE_ABOVE_0), (_split_3, _MEASURE_ABOVE_0)):
        word = _replace(word, split(word), measure)
    word = _drop_suffix(word)
    word = _final_e(word)
    return "y" + word[1:] if first_y else word


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


def _past_and_progressive(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _MEASURE_ABOVE_0.match(word[:-3]) else word
    for suffix in ("ed", "ing"):
        if word.endswith(suffix):
            stem = word[: -len(suffix)]
            return _mend(stem) if _HAS_VOWEL.match(stem) else word
    return word


def _mend(stem: str) -> str:
    """Gives a stem that lost -ed or -ing back what belongs to it: hop(p)ing, fil(e)ing."""
    if stem.endswith(("at", "bl", "iz")):
        return stem + "e"
    if _ENDS_DOUBLE.search(stem):
        return stem[:-1]
    return stem + "e" if _ENDS_SHORT.match(stem) else stem


def _final_y(word: str) -> str:
    return word[:-1] + "i" if word.endswith("y") and _HAS_VOWEL.match(word[:-1]) else word


def _replace(word: str, parts: tuple[str, str] | None, measure: re.Pattern[str]) -> str:
    return parts[0] + parts[1] if parts and measure.match(parts[0]) else word


def _drop_suffix(word: str) -> str:
    parts = _split_4(word)
    return parts[0] + parts[1] if parts and _MEASURE_ABOVE_1.match(parts[0] + parts[1]) else word


def _final_e(word: str) -> str:
    if word.endswith("e"):
        stem = word[:-1]
        if _MEASURE_ABOVE_1.match(stem) or (_MEASURE_IS_1.match(stem) and not _ENDS_SHORT.match(stem)):
            word = stem
    return word[:-1] if word.endswith("ll") and _MEASURE_ABOVE_1.match(word) else word
