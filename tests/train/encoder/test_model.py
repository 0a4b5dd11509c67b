from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from romaine.train.encoder.model import (
    MASK,
    Preprocess,
    encode,
    encode_pooled,
    fit_head,
    maxsim,
    new_student,
    token_weights,
)

TEXTS = ["Ann: the silver key", "Ann: the silver key\nBob: my garden gate", "", "captain"]


@pytest.fixture(scope="module")
def student(small_teacher_folder: Path) -> SentenceTransformer:
    return new_student(small_teacher_folder, token_dim=8, frozen=1, max_tokens=32)


def test_tokens_before_the_newline_and_special_ones_are_not_compared(student: SentenceTransformer) -> None:
    found = Preprocess(student, 32)(TEXTS)
    alone = Preprocess(student, 32)(["Bob: my garden gate"])
    assert found[MASK][1].sum() == alone[MASK].sum() == alone["attention_mask"].sum() - 2
    kept = found["input_ids"][1][found[MASK][1].bool()]
    assert torch.equal(kept, alone["input_ids"][0][1:-1])
    assert found[MASK][2].sum() == 0


def test_vectors_come_in_order_and_unit_length(student: SentenceTransformer) -> None:
    found = encode(student, TEXTS, max_tokens=32)
    np.testing.assert_allclose(found.pooled, encode_pooled(student, TEXTS, max_tokens=32), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found.pooled, axis=1), 1, atol=1e-5)
    assert [len(ids) for ids in found.ids] == [len(vectors) for vectors in found.vectors]
    alone = encode(student, [TEXTS[1]], max_tokens=32)
    np.testing.assert_allclose(found.vectors[1], alone.vectors[0], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(alone.vectors[0], axis=1), 1, atol=1e-5)


def test_the_head_starts_as_the_main_axes_of_token_states(student: SentenceTransformer) -> None:
    fit_head(student, TEXTS[:2])
    weight = student[1].linear.weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(8), atol=1e-4, rtol=0)


def test_the_first_layers_stay_as_they_are(student: SentenceTransformer) -> None:
    encoder = student[0].auto_model
    learning = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert learning
    assert all(name.startswith(("encoder.layer.1.", "pooler.")) for name in learning)


def test_rare_tokens_weigh_more(student: SentenceTransformer) -> None:
    weights = token_weights(student, ["the key", "the river", "the castle"])
    the, key = student.tokenizer("the key", add_special_tokens=False)["input_ids"]
    assert weights[key] == pytest.approx(np.log(4 / 2))
    assert weights[the] == 0


def test_maxsim_is_the_weighted_mean_of_the_best_cosines() -> None:
    rng = np.random.default_rng(0)
    query = rng.normal(size=(3, 4)).astype(np.float32)
    documents = [rng.normal(size=(size, 4)).astype(np.float32) for size in (2, 0, 5)]
    weights = np.array([0.0, 1.0, 3.0], dtype=np.float32)
    ids = np.array([2, 1, 0])
    wanted = [
        sum(weights[i] * max(query[n] @ vector for vector in document) for n, i in enumerate(ids)) / 4
        if len(document)
        else -1.0
        for document in documents
    ]
    np.testing.assert_allclose(maxsim((ids, query), documents, weights), wanted, rtol=1e-5)
    assert maxsim((ids[:0], query[:0]), documents, weights).tolist() == [0, 0, 0]
