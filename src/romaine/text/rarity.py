"""How rare the pieces of a tokenizer are, told by the vocabulary alone.

A vocabulary is made from the most frequent piece on, be it WordPiece, BPE or Unigram, and how frequent the
n-th word of a language is falls as 1 / n (Zipf's law). So the logarithm of a piece's place among the words
says what an idf says that is counted in a corpus, but for a constant. What stands before all words, signs
and letters alone, says next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from romaine.arrays import FloatArray

_MARKS = "\u2581\u0120 "  # before a piece that begins a word
_LEAST = 0.1  # of a sign, beside about 10 of a rare word


def rarities(vocabulary: Mapping[str, int], size: int) -> FloatArray:
    """How much each piece says, by its id.

    Args:
        vocabulary: Ids by piece.
        size: How many ids there are, the highest of the vocabulary's or more.

    Returns:
        float32 (size,), above zero: the logarithm of one more than how many words come before it.
    """
    words = np.zeros(size, dtype=np.int64)
    words[[number for piece, number in vocabulary.items() if _is_word(piece)]] = 1
    before = np.cumsum(words) - words
    return np.asarray(_LEAST + np.log1p(before), dtype=np.float32)


def _is_word(piece: str) -> bool:
    bare = piece.removeprefix("##").strip(_MARKS)
    return len(bare) > 1 and bare.isalpha()
