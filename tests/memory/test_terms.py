from __future__ import annotations

import zlib

import numpy as np
import pytest

from romaine.memory.language import DEFAULT, Word
from romaine.memory.terms import QUESTION_MARK, document_text, term_ids, word_terms


def ids(*terms: str) -> list[int]:
    return [term for (term,) in word_terms(Word(term, (term,)) for term in terms)]


def test_terms_are_the_same_for_inflections_and_in_order() -> None:
    found = term_ids("keys key hiding", DEFAULT)
    assert found.dtype == np.uint32
    assert found.tolist() == [*ids("kei"), *ids("kei"), *ids("hide")]


def test_terms_are_those_of_the_first_release() -> None:
    assert term_ids("the Key", DEFAULT).tolist() == [zlib.crc32(b"the"), zlib.crc32(b"kei")]


@pytest.mark.parametrize("text", ["Where?", "Where？", "أين؟"])
def test_a_question_has_a_term_of_its_own(text: str) -> None:
    assert term_ids(text, DEFAULT).tolist()[-1] == QUESTION_MARK
    assert (QUESTION_MARK,) not in word_terms(DEFAULT.words(text))


def test_words_lose_repetitions_and_keep_their_forms() -> None:
    words = [Word("keys", ("key", "~keys")), Word("key", ("key",)), Word("keys", ("key", "~keys"))]
    assert word_terms(words) == ((*ids("key"), *ids("~keys")), tuple(ids("key")))


def test_a_document_begins_with_its_speaker() -> None:
    assert document_text("Hello", "Ana") == "Ana: Hello"
    assert document_text("The moon is red.", None) == "The moon is red."
