from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine import SparseEncoder
from romaine.errors import OptionError, TextTypeError, UnknownNameError
from romaine.memory.language import DEFAULT
from romaine.memory.lexical import LexicalIndex
from romaine.memory.sparse import SPARSE_DIM, SparseVector
from romaine.memory.terms import word_terms

DOCUMENTS = [
    "The silver key lies under the third step.",
    "Keys, keys and more keys: who needs them?",
    "Der Schlüssel liegt unter der Stufe.",
    "은빛 열쇠는 계단 아래에 있어.",
    "",
]


def dot(a: SparseVector, b: SparseVector) -> float:
    _, of_a, of_b = np.intersect1d(a.indices, b.indices, return_indices=True)
    return float(a.values[of_a] @ b.values[of_b])


def test_a_fitted_encoder_scores_as_the_memory_does() -> None:
    encoder = SparseEncoder().fit(DOCUMENTS)
    vectors = encoder.encode_documents(DOCUMENTS)
    index = LexicalIndex()
    index.add([np.array(DEFAULT.numbers(text), dtype=np.uint32) for text in DOCUMENTS])
    for question in ("Where is the key?", "silver step", "the the"):
        words = DEFAULT.words(question)
        content = [word for word in words if not word.is_stop] or words
        expected = index.match(word_terms(content))
        query = encoder.encode_query(question)
        np.testing.assert_allclose([dot(query, v) for v in vectors], expected.scores, rtol=1e-4, atol=1e-6)


def test_a_word_is_found_in_whatever_form_its_language_gives_it() -> None:
    encoder = SparseEncoder().fit(DOCUMENTS)
    query = encoder.encode_query("열쇠가 어디 있어?")
    scores = [dot(query, vector) for vector in encoder.encode_documents(DOCUMENTS)]
    assert scores.index(max(scores)) == 3


def test_an_encoder_that_was_not_fitted_leaves_rarity_to_the_store() -> None:
    encoder = SparseEncoder()
    assert encoder.encode_query("Where is the silver key?").values.tolist() == [1.0, 1.0]
    once, often = encoder.encode_documents(["key", "key key key key"])
    assert once.indices.tolist() == often.indices.tolist()
    assert once.values[0] < often.values[0] < encoder.k1 + 1


def test_longer_documents_weigh_less_where_they_shall() -> None:
    texts = ["silver key", "silver key " + "and so on and on " * 40]
    for encoder, fewer in ((SparseEncoder(b=0.75), True), (SparseEncoder(b=0.0), False)):
        short, long = encoder.encode_documents(texts)
        query = encoder.encode_query("silver key")
        assert (dot(query, long) < dot(query, short)) is fewer


@given(st.text(), st.text())
def test_any_text_makes_a_vector_a_store_takes(document: str, query: str) -> None:
    encoder = SparseEncoder()
    for vector in (*encoder.encode_documents([document]), encoder.encode_query(query)):
        assert vector.indices.dtype == np.int64
        assert vector.values.dtype == np.float32
        assert (np.diff(vector.indices) > 0).all()
        assert ((vector.indices >= 0) & (vector.indices < SPARSE_DIM)).all()
        assert (vector.values > 0).all()


def test_a_fit_may_be_kept_as_json() -> None:
    encoder = SparseEncoder(k1=1.2, b=0.75).fit(DOCUMENTS)
    again = SparseEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert again == encoder
    one, other = (each.encode_query("the silver key") for each in (encoder, again))
    assert one.values.tolist() == other.values.tolist()


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: SparseEncoder(b=1.5), OptionError, "b=1.5"),
        (lambda: SparseEncoder(average_length=0), OptionError, "average_length=0"),
        (lambda: SparseEncoder(analyzer="klingon"), UnknownNameError, "klingon"),
        (lambda: SparseEncoder(analyzer=7), OptionError, "7"),
        (lambda: SparseEncoder().fit([]), OptionError, "empty"),
        (lambda: SparseEncoder().encode_documents(["a", None]), TextTypeError, r"texts\[1\]"),
        (lambda: SparseEncoder().encode_query(b"a"), TextTypeError, "bytes"),
        (lambda: SparseEncoder.from_dict({"frequencies": 3}), OptionError, "to_dict"),
        (lambda: SparseEncoder.from_dict({"frequencies": {}, "moon": 1}), OptionError, "moon"),
    ],
)
def test_what_cannot_be_is_told(make, error, told) -> None:
    with pytest.raises(error, match=told):
        make()
