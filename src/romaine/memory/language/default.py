"""The analyzer of files that name no other: many languages and scripts in one chat, without being told which.

A text of a language in Latin script other than English has two kinds of terms: those that it would have as
English, by which a query in any language meets its names and whatever else stands there in the same form, and
marked ones, the stems of its own language. A query asks for a word in either form. So a text is never found
worse for its language having been guessed wrong, and English is as if there were no other: it never has a
marked term, and those of a query meet nothing there.
"""

from __future__ import annotations

from functools import lru_cache

from romaine.errors import UnknownNameError
from romaine.memory.language import scripts
from romaine.memory.language.analyzer import Analyzer, Word, number
from romaine.memory.language.folding import (
    ASCII_TOKEN,
    TOKEN,
    composed,
    fold,
    is_cut,
    lowered,
    pieces,
)
from romaine.memory.language.guess import (
    WEAK_WORDS,
    is_english_without,
    is_telling,
    languages_of_query,
    languages_of_text,
)
from romaine.memory.language.latin import ENGLISH, LANGUAGES
from romaine.memory.language.stemming import stem

_MARK = "~"  # no token holds it
_UNSPACED = "\u0e00"  # from where on there are scripts that are cut

_TYPOGRAPHY = "\u2019\u2018\u201c\u201d\u2014\u2013\u2026"  # part no words
_OPENERS = " \t\"'\u201c\u2018(*_\u201e\u00ab\u00bf\u00a1"  # may stand between two sentences
_SENTENCE_ENDS = ".!?:\n\u2026"


@lru_cache(maxsize=1 << 17)
def _plain(token: str) -> str:
    first = token[0]
    if scripts.is_latin(first):
        return stem(LANGUAGES[ENGLISH].stemmer, fold(token))
    algorithm = next((name for low, high, name in scripts.STEMMERS if low <= first <= high), None)
    return token if algorithm is None else fold(stem(algorithm, token))


_MOST_KEPT = 1 << 17
_english_numbers: dict[str, int] = {}
"""Numbers of the English forms of ASCII tokens, none of which tells of another language."""


class DefaultAnalyzer(Analyzer):
    """Terms of mixed scripts; see the module.

    Args:
        language: Which language all texts and questions in Latin script are of, "de" for example; None to
            guess it each time. It goes into the id, "default-de".

    Raises:
        UnknownNameError: If the language is none of `LANGUAGES`. Others are told by their script.
    """

    id = "default"
    version = 3  # 1 was English alone, 2 knew no Vietnamese and Indonesian

    def __init__(self, *, language: str | None = None) -> None:
        self._language = language
        if language is not None:
            if language not in LANGUAGES:
                raise UnknownNameError("language", language, LANGUAGES, "Others are told by their script.")
            self.id = f"{self.id}-{language}"

    def numbers(self, text: str) -> list[int]:
        """Returns the numbers of `terms`; of plain English, as most texts are, in a fraction of the time."""
        if self._language is not None:
            return super().numbers(text)
        if not text.isascii():
            for char in _TYPOGRAPHY:
                text = text.replace(char, " ")
            if not text.isascii():
                return super().numbers(text)
        tokens = ASCII_TOKEN.findall(text.lower())
        try:
            found = list(map(_english_numbers.__getitem__, tokens))
        except KeyError:
            found = _learned(tokens)
        if len(found) == len(tokens) and (WEAK_WORDS.isdisjoint(tokens) or is_english_without(tokens)):
            return found
        return super().numbers(text)

    def terms(self, text: str) -> list[str]:
        """Returns what a text is found by, in its order, repetitions and stop words kept."""
        tokens: list[str] = []
        for run in TOKEN.findall(lowered(text)):
            if run[0] < _UNSPACED or not is_cut(run):
                tokens.append(run)
            else:
                tokens += [form for forms in pieces(run) for form in forms]
        codes = languages_of_text(tokens) if self._language is None else (self._language,)
        return [form for token in tokens for form in _forms(token, codes)]

    def words(self, text: str) -> list[Word]:
        """Returns the words of a query; each may be in any language that the query may be in."""
        return list(_words(text, self._language))

    def name_keys(self, text: str) -> frozenset[str]:
        """Returns the words of a text, and their stems where it may be in a language that inflects names."""
        words = [word for word in self.words(text) if not word.is_stop]
        inflected = [word for word in words if len(word.forms) > 1 or not scripts.is_latin(word.token[0])]
        return frozenset(word.token for word in words).union(*(word.forms for word in inflected))

    def asks(self, text: str) -> bool:
        """Tells whether a text holds a question, by its mark or an ending that only questions have."""
        if text.isascii():
            return "?" in text
        if super().asks(text):
            return True
        is_greek = any("\u0370" <= char <= "\u03ff" for char in text)
        return (is_greek and (";" in text or "\u037e" in text)) or scripts.ASKING_END.search(text) is not None


@lru_cache(maxsize=8)  # a recall asks for those of its query more than once
def _words(text: str, language: str | None) -> tuple[Word, ...]:
    tidy = composed(text)
    runs = [(match.start(), match[0]) for match in TOKEN.finditer(tidy)]
    tokens = [lowered(run) for _, run in runs]
    codes = languages_of_query(tokens) if language is None else (language,)
    shown = () if len(codes) == len(LANGUAGES) else codes  # a query that shows none counts as English
    names = all(LANGUAGES[code].capitals_are_names for code in shown)
    words: list[Word] = []
    for (start, run), token in zip(runs, tokens, strict=True):
        if token[0] >= _UNSPACED and is_cut(token):
            words += _cut(token)
            continue
        is_stop = any(token in LANGUAGES[code].function_words for code in shown)
        words.append(
            Word(
                fold(token),
                _forms(token, codes),
                is_stop=is_stop or fold(token) in scripts.STOP_WORDS,
                is_name=names and run[0].isupper() and _is_inside(tidy[:start]),
            )
        )
    return tuple(words)


def _learned(tokens: list[str]) -> list[int]:
    """Numbers of ASCII tokens that are kept from now on; of less than all if one is telling."""
    if len(_english_numbers) > _MOST_KEPT:
        _english_numbers.clear()
    learned = {token: number(_plain(token)) for token in tokens if not is_telling(token)}
    _english_numbers.update(learned)
    return [learned[token] for token in tokens if token in learned]


def stem_of(word: str) -> str:
    """Returns the first form of a lower-case word that stands by itself."""
    return _plain(word)


def is_stop_word(word: str) -> bool:
    """Tells whether a lower-case word that stands by itself says nothing; in a text, its language decides."""
    return word in LANGUAGES[ENGLISH].function_words


@lru_cache(maxsize=1 << 17)
def _forms(token: str, codes: tuple[str, ...]) -> tuple[str, ...]:
    """The plain form of a token, and its stems in languages of Latin script."""
    plain = _plain(token)
    if not (scripts.is_latin(token[0]) and token[0].isalpha()):
        return (plain,)
    stemmers = (LANGUAGES[code].stemmer for code in codes if code != ENGLISH)
    stems = (stem(stemmer, token) for stemmer in stemmers if stemmer)
    return (plain, *dict.fromkeys(_MARK + fold(inflected) for inflected in stems))


def _cut(run: str) -> list[Word]:
    """Words of a run that is cut up; grammar between the words of a question says nothing."""
    if run in scripts.STOP_WORDS:
        return [Word(forms[0], forms, is_stop=True) for forms in pieces(run)]
    return [
        Word(forms[0], forms, is_stop=bool(scripts.PHRASES.fullmatch(part)))
        for part in scripts.PHRASES.split(run)
        if part
        for forms in pieces(part)
    ]


def _is_inside(before: str) -> bool:
    """Whether what comes after these words is inside a sentence, so that its capital says something."""
    last = before.rstrip(_OPENERS)[-1:]
    return bool(last) and last not in _SENTENCE_ENDS
