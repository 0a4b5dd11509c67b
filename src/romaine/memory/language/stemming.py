"""Words to the stem that their inflections share, by Snowball's algorithms."""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable

_LOCAL = threading.local()  # a stemmer keeps the word it works on, so no two threads may share one

_DEPARTING = re.compile("(?:bl|log)(?:[iy](?:s|ed|ing)?|ies|ieds?)$")
_HAS_SYLLABLE = re.compile("[aeiou][^aeiou]|[^aeiou]y[^aeiouy]")


def stem(algorithm: str, word: str) -> str:
    """Returns the stem of one lower-case word. Slow: whoever asks keeps it.

    Args:
        algorithm: Name of a Snowball algorithm, "german" for example.
        word: Any str.
    """
    stemmers: dict[str, Callable[[str], str]] = vars(_LOCAL)
    if algorithm not in stemmers:
        # the module by its name: the package's face may hand out another implementation, of other stems
        module = importlib.import_module(f"snowballstemmer.{algorithm}_stemmer")
        stemmers[algorithm] = getattr(module, f"{algorithm.title()}Stemmer")().stemWord
    return _porter(word, stemmers[algorithm]) if algorithm == "porter" else stemmers[algorithm](word)


def _porter(word: str, published: Callable[[str], str]) -> str:
    """The Porter stemmer as its author and SQLite have it, which departs from what he published.

    Words of up to two letters stay, as numbers would; "logi" becomes "log" and "bli" "ble", where it has only
    "abli".
    """
    if len(word) <= 2 or word.isdigit():
        return word
    found = published(word)
    if not _DEPARTING.search(word):
        return found
    if found.endswith("bli") and _HAS_SYLLABLE.search(found[:-3]):
        return published(found[:-1] + "e")
    return found[:-1] if found.endswith("logi") and _HAS_SYLLABLE.search(found[:-4]) else found
