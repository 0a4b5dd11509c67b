"""Which language a chat is in, told by its letters, and by its words where they are Latin."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from romaine.memory.language.folding import TOKEN, lowered
from romaine.memory.language.guess import languages_of_text
from romaine.memory.language.latin import ENGLISH

_SAMPLE = 256  # texts looked at
_LONGEST = 400  # characters looked at in a text
_SHARE_OF_KANA = 0.1  # from which Han is Japanese

_SCRIPTS = {
    "ko": re.compile("[\uac00-\ud7a3]"),
    "ja": re.compile("[\u3041-\u30fa]"),
    "zh": re.compile("[\u3400-\u9fff]"),
    "ru": re.compile("[\u0400-\u052f]"),
    "uk": re.compile("[\u0404\u0406\u0407\u0454\u0456\u0457\u0490\u0491]"),
    "el": re.compile("[\u0370-\u03ff]"),
    "ar": re.compile("[\u0600-\u06ff]"),
    "he": re.compile("[\u0590-\u05ff]"),
    "hi": re.compile("[\u0900-\u097f]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
}
_LATIN = re.compile("[A-Za-z\u00c0-\u024f\u1ea0-\u1eff]")
_LETTERS_OF_A_WORD = {"ko": 2, "ja": 2, "zh": 2}  # of others about five
_USUAL = 5


def language_of(texts: Sequence[str]) -> str:
    """Returns the code of the language that most of some texts is in, by a sample of them.

    Of a script that several languages share it is the one most spoken; English if nothing tells.
    """
    sample = texts if len(texts) <= _SAMPLE else texts[:: len(texts) // _SAMPLE]
    said = [text[:_LONGEST] for text in sample]
    together = "".join(said)
    words = {code: _count(letters, together) for code, letters in _SCRIPTS.items()}
    if words["ja"] > _SHARE_OF_KANA * words["zh"]:
        words["ja"] += words["zh"]
        words["zh"] = 0
    if words["uk"] > 0.02 * words["ru"]:
        words["uk"], words["ru"] = words["ru"], 0
    counts = {code: count / _LETTERS_OF_A_WORD.get(code, _USUAL) for code, count in words.items()}
    code = max(counts, key=counts.__getitem__)
    return code if counts[code] > _count(_LATIN, together) / _USUAL else _latin(said)


def _count(letters: re.Pattern[str], text: str) -> int:
    return sum(1 for _ in letters.finditer(text))


def _latin(texts: Sequence[str]) -> str:
    """The language that most texts show; one that shows several counts in parts, one without as English."""
    votes: dict[str, float] = defaultdict(float)
    for text in texts:
        found = languages_of_text(TOKEN.findall(lowered(text))) or (ENGLISH,)
        for code in found:
            votes[code] += 1 / len(found)
    return max(votes, key=votes.__getitem__, default=ENGLISH)
