"""Korean by its morphemes, with Kiwi: `pip install 'romaine[korean]'` and ``analyzer="korean"``.

A text has the terms of the default analyzer, by which other languages and what Kiwi misreads are found, and
those morphemes of its Korean besides that say something: stems of nouns, verbs and adjectives without
particles and endings. `benchmarks/languages.py --analyzer default korean` says how much more is found.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from romaine.errors import MissingExtraError
from romaine.memory.language.analyzer import Word
from romaine.memory.language.default import DefaultAnalyzer
from romaine.memory.language.folding import composed

if TYPE_CHECKING:
    from kiwipiepy import Kiwi

_HANGUL = re.compile("[\uac00-\ud7a3]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARK = "="  # no token holds it
_SAYING = ("N", "V", "MA", "MM", "XR")  # nouns, verbs and adjectives, adverbs, determiners, roots
_SAYING_NOTHING = frozenset({"NP", "NNB", "VCP", "VX", "MAJ"})  # pronouns, bound nouns, copula, auxiliaries
_LIGHT = frozenset(
    ["있", "없", "하", "되", "어떻", "알", "알리", "무엇", "어디", "누구", "언제", "왜", "몇", "뭐", "얼마"]
)


class KoreanAnalyzer(DefaultAnalyzer):
    """Terms of mixed scripts and Korean morphemes; see the module."""

    id = "korean"
    version = 10 * DefaultAnalyzer.version + 1

    def terms(self, text: str) -> list[str]:
        """Returns what a text is found by: the terms of the default analyzer, then morphemes."""
        return super().terms(text) + [_MARK + stem for stem in self._stems(text)]

    def words(self, text: str) -> list[Word]:
        """Returns the words of a query in the same order."""
        return super().words(text) + [Word(stem, (_MARK + stem,)) for stem in self._stems(text)]

    def _stems(self, text: str) -> list[str]:
        if text.isascii() or _HANGUL.search(composed(text)) is None:
            return []
        return [
            token.form
            for token in self._kiwi.tokenize(_SURROGATE.sub("\ufffd", composed(text)))
            if token.tag.startswith(_SAYING) and token.tag not in _SAYING_NOTHING and token.form not in _LIGHT
        ]

    @cached_property
    def _kiwi(self) -> Kiwi:
        try:
            from kiwipiepy import Kiwi
        except ImportError:
            raise MissingExtraError("analyzer 'korean'", "korean") from None
        return Kiwi()


KOREAN = KoreanAnalyzer()
