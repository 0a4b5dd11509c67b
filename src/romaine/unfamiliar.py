"""Telling once that a model does not know how texts are written: their pieces are unknown, or letters alone.

Measured on a sample of each call, with what a text in a script other than Latin is cut into. Of an English
tokenizer such texts give 0.75 and more unfamiliar pieces in Thai, 0.9 and more in Korean, Japanese, Chinese,
Russian, Greek, Arabic and Hindi; of a multilingual one at most 0.45 in what it knows; English chats give 0.1.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MULTILINGUAL = "little-gem-multilingual"
"""The model to take for many languages, and the extra that installs it."""
MULTILINGUAL_EXTRA = "multilingual"

_SAMPLE = 16  # texts looked at in one call
_LONGEST = 400  # characters looked at in a text
_PATIENCE = 256  # texts in other scripts after which a model is taken to know them
_FEW, _MANY = 4, 64  # pieces from which few, or many, tell
_MOST_OF_FEW, _MOST_OF_MANY = 0.75, 0.6
_LATIN_PIECE = 4  # characters of a usual piece

# a few in a row, of one script: faces are made of single letters of many
_OTHER_SCRIPTS = re.compile(
    "[\u0370-\u03ff]{3}|[\u0400-\u052f]{3}|[\u0530-\u058f]{3}|[\u0590-\u05ff]{3}|[\u0600-\u077f]{3}"
    "|[\u0900-\u0dff]{3}|[\u0e00-\u0eff]{3}|[\u1000-\u109f]{3}|[\u10a0-\u10ff]{3}|[\u1200-\u137f]{3}"
    "|[\u1100-\u11ff]{4}|[\u1780-\u17ff]{3}|[\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u9fff]{3}|[\uac00-\ud7a3]{2}"
)

Count = Callable[[Sequence[str]], tuple[int, int]]
"""Takes texts, returns how many of their pieces are unfamiliar, and how many there are."""


class UnfamiliarTextWarning(UserWarning):
    """Texts are in a script that the model does not know. Given once for each loaded model."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Of some texts those in scripts other than Latin.

    Attributes:
        others: Their beginnings.
        latin: Characters of the rest of the sample.
    """

    others: Sequence[str]
    latin: int


def sample_of(texts: Sequence[str]) -> Sample | None:
    """A sample of texts; None if it has none in another script, which is told in no time to speak of."""
    sampled = texts if len(texts) <= _SAMPLE else texts[:: len(texts) // _SAMPLE]
    others = [text for text in sampled if not text.isascii() and _OTHER_SCRIPTS.search(text, 0, _LONGEST)]
    if not others:
        return None
    latin = sum(min(len(text), _LONGEST) for text in sampled) - sum(
        min(len(text), _LONGEST) for text in others
    )
    return Sample(others=[text[:_LONGEST] for text in others], latin=latin)


def is_unfamiliar(sample: Sample, count: Count) -> bool:
    """Tells whether most of a sample is unfamiliar."""
    unfamiliar, pieces = count(sample.others)
    pieces += sample.latin // _LATIN_PIECE
    most = _MOST_OF_MANY if pieces >= _MANY else _MOST_OF_FEW
    return pieces >= _FEW and unfamiliar >= most * pieces


class Familiarity:
    """Whether one model knows what it is given: looks until it has told, or seen enough. Safe to share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = _PATIENCE

    def __reduce__(self) -> tuple[type[Familiarity], tuple[()]]:
        """A copy looks for itself."""
        return Familiarity, ()

    def sample(self, texts: Sequence[str]) -> Sample | None:
        """What of some texts has to be looked at; None for nothing."""
        return sample_of(texts) if self._left > 0 else None

    def look(self, sample: Sample, count: Count, *, model: str, stacklevel: int) -> None:
        """Warns the first time that most of a sample is unfamiliar.

        Args:
            sample: Of texts without prompts.
            count: Of the model's tokenizer.
            model: The model's id.
            stacklevel: Of the warning, counted from the caller of this method.
        """
        tells = is_unfamiliar(sample, count)
        with self._lock:
            tells = tells and self._left > 0
            self._left = 0 if tells else self._left - len(sample.others)
        if tells:
            warnings.warn(f"{remedy(model)} (said once)", UnfamiliarTextWarning, stacklevel=stacklevel + 1)


def remedy(model: str) -> str:
    """What to say of a model that does not know the script of texts; nothing of the texts is in it."""
    other = f", such as {MULTILINGUAL} (pip install 'romaine[{MULTILINGUAL_EXTRA}]')"
    return (
        f"{model} does not know the script of these texts, most of which it reads as unknown pieces or single"
        " letters, so that their vectors say little: take a model of their language"
        f"{'' if model == MULTILINGUAL else other}; `reembed` brings a memory over"
    )
