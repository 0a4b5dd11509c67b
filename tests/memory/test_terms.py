from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.memory.terms import (
    QUESTION_MARK,
    document_text,
    name_terms,
    query_terms,
    term_id,
    term_ids,
    tokens,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The silver KEY!", ["the", "silver", "key"]),
        ("Café naïve Ångström", ["cafe", "naive", "angstrom"]),
        ("don't stop_words", ["don", "t", "stop", "words"]),
        ("room 101", ["room", "101"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
        ("水", ["水"]),
        ("ключ", ["ключ"]),
        ("a\x00b\ud800c", ["a", "b", "c"]),
        ('"key" OR (NOT *) NEAR/2', ["key", "or", "not", "near", "2"]),
        ("", []),
    ],
)
def test_splits_folds_and_lowers(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_terms_are_the_same_for_inflections_and_in_order() -> None:
    ids = term_ids("keys key hiding")
    assert ids.dtype == np.uint32
    assert ids.tolist() == [term_id("key"), term_id("key"), term_id("hide")]


def test_a_question_has_a_term_of_its_own() -> None:
    assert term_ids("Where?").tolist() == [term_id("where"), QUESTION_MARK]
    assert QUESTION_MARK not in query_terms("Where is the key?")


def test_a_query_loses_stop_words_and_repetitions() -> None:
    assert list(query_terms("Where is the key, the keys?").values()) == ["key"]


def test_a_query_of_stop_words_keeps_them() -> None:
    assert list(query_terms("Who are you").values()) == ["who", "are", "you"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Where did Cassian hide it?", ["cassian"]),
        ("Cassian hid it. Then Ana found it.", ["ana"]),
        ('He said: "Run to New York!"', ["new", "york"]),
        ("I think I'm lost", []),
        ("where is cassian", []),
    ],
)
def test_names_are_capitalised_inside_a_sentence(text: str, names: list[str]) -> None:
    assert name_terms(text) == tuple(map(term_id, names))


def test_a_document_begins_with_its_speaker() -> None:
    assert document_text("Hello", "Ana") == "Ana: Hello"
    assert document_text("The moon is red.", None) == "The moon is red."


@settings(deadline=None)
@given(st.text(alphabet=st.characters(), max_size=60))
def test_any_text_gives_terms(text: str) -> None:
    assert (
        len(term_ids(text)) <= 2 * len(text) * 18 + 1
    )  # compatibility decomposition makes at most 18 of one
    query_terms(text)
    name_terms(text)
