from __future__ import annotations

import numpy as np
import pytest

from romaine.arrays import FloatArray
from romaine.errors import OptionError, TextTypeError, VectorError
from romaine.memory.language import DEFAULT
from romaine.memory.query import LATEST_WEIGHT, QUESTION_WEIGHT, Query, named_speakers, query_vector
from romaine.memory.query import build_query as build
from romaine.memory.terms import Forms, term_ids

VECTORS = {"Where is it?": [1.0, 0.0], "The key is gone.\nWhere is it?": [0.0, 1.0], "And now?": [1.0, 0.0]}


def build_query(query: object, embed: object, **options: object) -> Query:
    return build(query, embed, DEFAULT, **options)  # type: ignore[arg-type]


def term(word: str) -> Forms:
    return tuple(term_ids(word, DEFAULT).tolist())


def embed(texts: list[str]) -> FloatArray:
    return np.array([VECTORS.get(text, [0.6, 0.8]) for text in texts], dtype=np.float32)


def test_one_text_is_its_own_vector() -> None:
    query = build_query("Where is it?", embed)
    assert query.vector.tolist() == [1, 0]
    assert query.text == "Where is it?"


def test_messages_blend_the_latest_with_both_the_latest_weighing_most() -> None:
    query = build_query(["long ago", "The key is gone.", "Where is it?"], embed)
    expected = np.array([LATEST_WEIGHT, 1 - LATEST_WEIGHT])
    np.testing.assert_allclose(query.vector, expected / np.linalg.norm(expected), rtol=1e-6)
    assert query.text == "Where is it?"


def test_the_latest_message_has_seven_tenths_of_the_vector() -> None:
    query = build_query(["The key is gone.", "Where is it?"], embed)
    np.testing.assert_allclose(query.vector[0] / query.vector[1], 0.7 / 0.3, rtol=1e-5)


def test_no_more_is_embedded_than_is_needed() -> None:
    asked: list[list[str]] = []

    def noted(texts: list[str]) -> FloatArray:
        asked.append(texts)
        return embed(texts)

    build_query(["Where is it?"], noted)
    build_query(["long ago", "The key is gone.", "Where is it?"], noted)
    assert asked == [["Where is it?"], ["Where is it?", "The key is gone.\nWhere is it?"]]


def test_words_come_from_the_latest_unless_it_has_none() -> None:
    assert build_query(["The key is gone.", "Is it silver?"], embed).terms == (term("silver"),)
    assert term("key") in build_query(["The key is gone.", "Where is it?"], embed).terms


@pytest.mark.parametrize(
    ("message", "asks"),
    [
        ("Hi! Long day. Where is the silver key? Anyway, the soup is good.", "Where is the silver key?"),
        (
            "I am back. Who took the boat?\nAnd when did Bruno leave?",
            "Who took the boat? And when did Bruno leave?",
        ),
        ("\u4f60\u597d\u3002\u94a5\u5319\u5728\u54ea\u91cc\uff1f", "\u94a5\u5319\u5728\u54ea\u91cc\uff1f"),
    ],
)
def test_what_a_message_asks_has_half_of_its_vector(message: str, asks: str) -> None:
    given = {message: [1.0, 0.0], asks: [0.0, 1.0]}
    query = build_query(message, lambda texts: np.array([given[text] for text in texts], dtype=np.float32))
    np.testing.assert_allclose(query.vector[1] / query.vector[0], QUESTION_WEIGHT / (1 - QUESTION_WEIGHT))
    assert query.text == message


@pytest.mark.parametrize(
    "message",
    [
        "Where is the silver key?",
        "The key is gone. The boat is gone.",
        "Where is the key? Who took the boat?",
        "The key is gone. How are you?",
        "...",
        "",
    ],
)
def test_a_message_that_asks_nothing_or_nothing_else_is_one_vector(message: str) -> None:
    query = build_query(message, lambda texts: np.array([[0.6, 0.8]] * len(texts), dtype=np.float32))
    asked: list[list[str]] = []
    build_query(message, lambda texts: asked.append(texts) or embed(texts))
    assert asked == [[message]]
    np.testing.assert_allclose(query.vector, [0.6, 0.8])


def test_names_are_noticed() -> None:
    assert build_query("Did Cassian take it?", embed).names == (term("cassian"),)


@pytest.mark.parametrize("query", [3, None, ["a", 1], b"a"])
def test_anything_but_text_is_refused(query: object) -> None:
    with pytest.raises(TextTypeError, match="query is a str"):
        build_query(query, embed)  # type: ignore[arg-type]


def test_no_messages_are_refused() -> None:
    with pytest.raises(OptionError, match="empty"):
        build_query([], embed)


def test_speakers_are_named_by_any_word_of_their_name() -> None:
    speakers = ["Cassian Vale", "Ana", "The Will"]
    assert named_speakers("What did cassian's sister say, will it hold?", speakers, DEFAULT) == {
        "Cassian Vale"
    }
    assert named_speakers("Anatomy", speakers, DEFAULT) == frozenset()
    assert named_speakers("ANA and Vale", speakers, DEFAULT) == {"Ana", "Cassian Vale"}


def test_a_vector_given_is_searched_with_and_nothing_is_embedded() -> None:
    def refuse(texts: list[str]) -> FloatArray:
        raise AssertionError(texts)

    query = build_query("Where is the key?", refuse, vector=query_vector([0.0, 5.0], 2))
    assert query.vector.tolist() == [0, 1]
    assert query.terms == (term("key"),)


@pytest.mark.parametrize("vector", [[1.0], [1.0, 0.0, 0.0], [[1.0, 0.0]], [np.nan, 1.0], []])
def test_a_vector_that_cannot_be_searched_with_is_refused(vector: list[float]) -> None:
    with pytest.raises(VectorError):
        query_vector(vector, 2)
