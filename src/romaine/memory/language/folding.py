"""Text to tokens: what writes the same word differently folded, and scripts without spaces cut up."""

from __future__ import annotations

import re
import unicodedata

# CJK, Thai, Lao, Burmese and Khmer are written without spaces; of Hangul, words carry their particles.
_HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HIRAGANA = "\u3041-\u309f"
_KATAKANA = "\u30a0-\u30ff\u31f0-\u31ff"
_SOUTHERN = "\u0e01-\u0e4e\u0e80-\u0ece\u1000-\u1049\u1780-\u17d3"
_HANGUL = "\uac00-\ud7a3"
_CUT = f"{_HAN}{_HIRAGANA}{_KATAKANA}{_SOUTHERN}{_HANGUL}"
# \w knows no vowel signs; in the scripts of India they are half of a word
_INDIC = "\u0900-\u0963\u0966-\u0dff"
TOKEN = re.compile(
    f"[{_HAN}]+|[{_HIRAGANA}]+|[{_KATAKANA}]+|[{_SOUTHERN}]+|[{_HANGUL}]+|(?:[^\\W_{_CUT}]|[{_INDIC}])+"
)
ASCII_TOKEN = re.compile("[a-z0-9]+")
_IS_CUT = re.compile(f"[{_CUT}]")
_IS_HAN = re.compile(f"[{_HAN}]")
_IS_HANGUL = re.compile(f"[{_HANGUL}]")

_PARTICLE_WORDS = """
에서는 에게서 으로는 이라고 이라는 에서 에게 에는 에도 한테 께서 으로 이랑 하고 까지 부터 처럼 보다 마다 조차
밖에 이나 라도 라고 라는 은 는 이 가 을 를 에 의 도 만 로 와 과 랑 께 야 아 요
"""
_PARTICLE = re.compile(f"(?<=.)(?:{'|'.join(_PARTICLE_WORDS.split())})$")

_LOOKALIKES = {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ё": "е"}
"""Letters that are typed without their marks, too, and that `_Bases` would not find so."""


class _Marks(dict[int, "str | None"]):
    """For `str.translate`: drops what is no letter of its own, such as vowel points, stress and soft hyphens.

    Marks from Devanagari on belong to their words; what composes has been composed before.
    """

    def __missing__(self, code: int) -> str | None:
        char = chr(code)
        is_mark = unicodedata.combining(char) and not 0x0900 <= code < 0x1AB0
        self[code] = kept = None if is_mark or char in "\u00ad\u0640" else char
        return kept


class _Lowered(dict[int, "str | None"]):
    """For `str.translate`: the same, and without regard to case."""

    def __missing__(self, code: int) -> str | None:
        kept = _MARKS[code]
        if kept is not None:
            kept = "".join(char for char in kept.casefold() if _MARKS[ord(char)])
        self[code] = kept
        return kept


class _Bases(dict[int, str]):
    """For `str.translate`: Latin and Greek letters without their diacritics."""

    def __missing__(self, code: int) -> str:
        base = chr(code)
        if code < 0x0400 or 0x1E00 <= code < 0x2000:
            decomposed = unicodedata.normalize("NFD", base)
            base = "".join(c for c in decomposed if not unicodedata.combining(c))
        self[code] = base = _LOOKALIKES.get(base, base)
        return base


_MARKS, _LOWERED, _BASES = _Marks(), _Lowered(), _Bases()


def composed(text: str) -> str:
    """A text in one form however it came (NFKC), without marks that words are also written without."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_MARKS)


def lowered(text: str) -> str:
    """The same without regard to case."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).translate(_LOWERED)


def fold(token: str) -> str:
    """A lower-case token without diacritics, where they do not make another letter of it."""
    return token if token.isascii() else token.translate(_BASES)


def is_cut(run: str) -> bool:
    """Tells whether a match of `TOKEN` is of a script that `pieces` cuts up."""
    return _IS_CUT.match(run) is not None


def pieces(run: str) -> list[tuple[str, ...]]:
    """Cuts a match of `TOKEN` into tokens, each in all forms that it may be meant in.

    Where no spaces tell words apart, these are overlapping pairs, and of Han the single characters as well,
    many of which are words. A Korean word loses its particle first; one that is a single syllable without it
    may as well be a noun that ends like that.
    """
    if not is_cut(run):
        return [(run,)]
    if _IS_HANGUL.match(run):
        noun = _PARTICLE.sub("", run)
        if len(noun) == 1 < len(run):
            return [(run[:2], noun)]
        run = noun
    pairs = [run[i : i + 2] for i in range(len(run) - 1)]
    singles = list(run) if not pairs or _IS_HAN.match(run) else []
    return [(piece,) for piece in pairs + singles]
