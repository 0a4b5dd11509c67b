"""Which of the languages in Latin script a text may be in, told by its function words and letters.

A memory is guessed to be of one language, or of several that come out alike. A query, which may be one word,
is taken to be of any that is not far behind; one without any sign, of all. English is what is left, so it
takes more than a word or two that others have as well to be taken for another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from romaine.memory.language.latin import ENGLISH, LANGUAGES, WEAK

_ALL = tuple(LANGUAGES)
_FOREIGN = tuple(code for code in LANGUAGES if code != ENGLISH)
_ENGLISH_WORDS = LANGUAGES[ENGLISH].function_words

_LEAST = 1.0  # a word that is telling, two that are less so, or letters that only some are written with
_MOST = 3  # languages that come out alike for a memory, the more spoken first
_SLACK = 0.5  # how far behind the likeliest a language of a query may be

_SPOKEN: dict[str, list[str]] = defaultdict(list)
"""The languages that have a function word; a letter alone is a part of many things."""
for _code in _FOREIGN:
    for _word in LANGUAGES[_code].function_words:
        if len(_word) > 1 or not _word.isascii():
            _SPOKEN[_word].append(_code)
_FOREIGN_WORDS = frozenset(_SPOKEN) - _ENGLISH_WORDS
_ENGLISH_ONLY = _ENGLISH_WORDS - _SPOKEN.keys()
_TELLING = _FOREIGN_WORDS - WEAK
WEAK_WORDS = _FOREIGN_WORDS & WEAK
"""Those that English does not have."""
_LETTERS = frozenset(letter for language in LANGUAGES.values() for letter in language.letters)


def is_telling(token: str) -> bool:
    """Whether an ASCII token may alone make a text one of another language."""
    return token in _TELLING


def is_english_without(tokens: list[str]) -> bool:
    """Whether ASCII tokens, none of them telling, are surely of no other language."""
    distinct = frozenset(tokens)
    return len(distinct & WEAK_WORDS) <= 2 * len(distinct & _ENGLISH_ONLY)


def languages_of_text(tokens: Iterable[str]) -> tuple[str, ...]:
    """The likeliest languages of a text besides English; none if it is English or shows nothing."""
    english, scores = _scores(tokens)
    best = max(scores.values(), default=0.0)
    if best <= english or best < _LEAST:
        return ()
    return tuple(code for code in _FOREIGN if scores.get(code) == best)[:_MOST]


def languages_of_query(tokens: Iterable[str]) -> tuple[str, ...]:
    """All languages that a query may be in."""
    english, scores = _scores(tokens)
    best = max(scores.values(), default=0.0)
    if best <= english or best < _LEAST:
        return (ENGLISH,) if english else _ALL
    codes = tuple(code for code in _FOREIGN if scores.get(code, 0.0) >= best - _SLACK)
    return (ENGLISH, *codes) if english >= best - _SLACK else codes


def _scores(tokens: Iterable[str]) -> tuple[float, dict[str, float]]:
    """What speaks for English, and for each of the others."""
    distinct = frozenset(tokens)
    scores: dict[str, float] = defaultdict(float)
    for token in distinct & _SPOKEN.keys():
        for code in _SPOKEN[token]:
            scores[code] += 0.5 if token in WEAK else 1.0
    letters = frozenset("".join(token for token in distinct if not token.isascii())) & _LETTERS
    if letters:
        for code in _FOREIGN:
            scores[code] += 1.0 if letters <= LANGUAGES[code].letters else -1.0
    return float(len(distinct & _ENGLISH_WORDS)), scores
