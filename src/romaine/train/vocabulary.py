"""A vocabulary for several languages: their most frequent words, and a teacher's pieces of words.

The vocabulary decides most of what a static table can know: what is a row of its own has a meaning of its
own, and what is not is the mean of parts that mean something else. So whole words come first, as far as the
word lists of wordfreq (Speer 2022) count them, then every character of them, then the teacher's pieces from
the most probable on. A word is marked where it begins only in scripts that part words by spaces and glue
little to them (Latin, Cyrillic, Greek, Arabic): a Korean stem is the same row in a compound, a Japanese or
Chinese word wherever it stands. Words are cut by the unigram model of Kudo (2018), so that ``학교에서``
becomes ``학교`` and ``에서``.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from romaine.errors import OptionError
from romaine.text.chunks import WORD_BEGINS
from romaine.train.objectives import at_least, check_numbers

UNKNOWN = "<unk>"
"""The piece of what no piece covers; it is taken for the most common, so that it weighs next to nothing."""

_BEGIN = "▁"
_MARKED = ("latin", "cyrillic", "greek", "arabic")
_PUNCTUATION = r"(?:(?![▁'’])[\p{P}\p{S}])+"


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """What a recipe wants of a vocabulary; what is left is filled with the first teacher's pieces.

    Attributes:
        size: Tokens at most.
        words: By language, as wordfreq names them, how many of its most frequent words are tokens.
        limits: By script, as Unicode names its letters ("thai"), how many of the teacher's further pieces are
            tokens at most.
    """

    size: int = 0
    words: dict[str, int] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_numbers(self, {"size": at_least(0)})
        if bool(self.size) != bool(self.words):
            raise OptionError(f"vocabulary: size={self.size} and words={self.words} belong together")


@dataclass(frozen=True, kw_only=True, eq=False)
class Lexicon:
    """A vocabulary as built.

    Attributes:
        tokenizer: Cuts texts into the ids of `surfaces`.
        surfaces: What to show a teacher for each token: the piece as the teacher spells it.
        odds: How probable each token is in texts of all languages alike, float64 (vocab,).
    """

    tokenizer: Tokenizer
    surfaces: tuple[str, ...]
    odds: NDArray[np.float64]


def build_lexicon(wanted: Vocabulary, pieces: Iterable[tuple[str, float]]) -> Lexicon:
    """Builds a vocabulary.

    Args:
        wanted: Its size, and what goes into it.
        pieces: A teacher's pieces, ``▁`` where a word begins, with the logarithm of their probability.

    Raises:
        OptionError: If wordfreq is not installed or does not know a language.
    """
    probable: dict[str, float] = {}
    spelled: dict[str, tuple[float, str]] = {}
    for piece, score in pieces:
        if not (name := _canonical(piece.startswith(_BEGIN), piece.replace(_BEGIN, ""))):
            continue
        share = math.exp(score)
        probable[name] = probable.get(name, 0.0) + share
        spelled[name] = max(spelled.get(name, (0.0, "")), (share, piece.replace(_BEGIN, "")))
    chosen = _words(wanted)
    letters = {letter for word in chosen for letter in word.replace(_BEGIN, "")}
    letters |= {name for name in probable if len(name) == 1}
    least = min(probable.values(), default=1e-6)
    chosen = dict.fromkeys(letters, least) | chosen
    for name in chosen:
        chosen[name] = max(chosen[name], probable.get(name, 0.0))
    taken: Counter[str] = Counter()
    for name in sorted(probable.keys() - chosen.keys(), key=lambda name: (-probable[name], name)):
        script = _script(name.removeprefix(_BEGIN)[0])
        if len(chosen) + 1 < wanted.size and taken[script] < wanted.limits.get(script, wanted.size):
            taken[script] += 1
            chosen[name] = probable[name]
    names = sorted(chosen, key=lambda name: (-chosen[name], name))[: wanted.size - 1]
    odds = np.array([0.0, *(chosen[name] for name in names)])
    odds /= odds.sum()
    odds[0] = 1.0
    return Lexicon(
        tokenizer=_tokenizer([(UNKNOWN, 0.0), *((name, round(math.log(chosen[name]), 2)) for name in names)]),
        surfaces=(UNKNOWN, *(spelled[n][1] if n in spelled else n.removeprefix(_BEGIN) for n in names)),
        odds=odds,
    )


def _words(wanted: Vocabulary) -> dict[str, float]:
    """The words of all languages and how probable they are in a mixture of all alike."""
    try:
        from wordfreq import available_languages, get_frequency_dict
    except ImportError as error:
        raise OptionError("[vocabulary] needs a package of its own: pip install wordfreq") from error
    found: dict[str, float] = {}
    known = available_languages("small")
    for language, count in wanted.words.items():
        if language not in known:
            raise OptionError(
                f"vocabulary.words.{language}: wordfreq knows no such language; it knows {', '.join(known)}"
            )
        for word, odds in islice(get_frequency_dict(language, "small").items(), count):
            if (name := _canonical(True, word)) and " " not in name:
                found[name] = found.get(name, 0.0) + odds / len(wanted.words)
    return found


def _canonical(begins: bool, text: str) -> str:
    """A piece as the tokenizer meets it: folded, and marked where its script marks beginnings."""
    body = unicodedata.normalize("NFKC", text).lower()
    return _BEGIN + body if body and begins and _script(body[0]) in _MARKED else body


@lru_cache(maxsize=65536)
def _script(letter: str) -> str:
    """The first word of a letter's name in Unicode, "cjk" for ideographs, "other" for what is no letter."""
    return unicodedata.name(letter, "other").split()[0].lower() if letter.isalpha() else "other"


def _tokenizer(vocabulary: list[tuple[str, float]]) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace(Regex(WORD_BEGINS), _BEGIN)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(_PUNCTUATION), "isolated")]
    )
    return tokenizer
