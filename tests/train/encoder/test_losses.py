from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from romaine.train.encoder.losses import QuestionLoss
from romaine.train.encoder.model import Preprocess, encode, maxsim, new_student
from romaine.train.encoder.recipe import Stage

QUESTIONS = ["what did Ann say about the key", "where is the dragon"]
POSITIVES = ["Bob: hello\nAnn: the silver key", "Ann: the dragon is in the cellar"]
NEGATIVES = ["Ann: the river", "Bob: my garden\nAnn: yesterday we sold the candle"]


@pytest.mark.parametrize("only", ["pooled", "late", "margin"])
def test_each_part_is_what_its_name_says(small_teacher_folder: Path, only: str) -> None:
    model = new_student(small_teacher_folder, token_dim=8, frozen=0, max_tokens=32)
    model.eval()
    size = len(model.tokenizer)
    weights = torch.linspace(0, 2, size)
    stage = Stage(
        name="all", steps=1, negatives=1, **{**dict.fromkeys(("pooled", "late", "margin"), 0.0), only: 1.0}
    )
    loss = QuestionLoss(model, stage, dims=(16, 48), weights=weights, temperature=0.1)
    columns = [Preprocess(model, 32)(texts) for texts in (QUESTIONS, POSITIVES, NEGATIVES)]
    labels = torch.tensor([[0.3], [0.1]])
    with torch.no_grad():
        found = float(loss(columns, labels))
    asked, *answers = (encode(model, texts, max_tokens=32) for texts in (QUESTIONS, POSITIVES, NEGATIVES))
    if only == "late":
        documents = [
            vectors for pair in zip(*(part.vectors for part in answers), strict=True) for vectors in pair
        ]
        scores = np.array(
            [maxsim((asked.ids[n], asked.vectors[n]), documents, weights.numpy()) for n in range(2)]
        )
        assert found == pytest.approx(cross_entropy(scores / 0.1, [0, 2]), rel=1e-4)
    elif only == "pooled":
        documents = np.concatenate([part.pooled for part in answers])
        parts = []
        for dim in (16, 48):
            left, right = (
                part[:, :dim] / np.linalg.norm(part[:, :dim], axis=1, keepdims=True)
                for part in (asked.pooled, documents)
            )
            parts.append(cross_entropy(left @ right.T / 0.1, [0, 1]))
        assert found == pytest.approx(np.mean(parts), rel=1e-4)
    else:
        near, far = (np.einsum("ij,ij->i", asked.pooled, part.pooled) for part in answers)
        assert found == pytest.approx(np.mean((near - far - [0.3, 0.1]) ** 2), rel=1e-3)


def cross_entropy(scores: np.ndarray, wanted: list[int]) -> float:
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-np.mean([logs[row, column] for row, column in enumerate(wanted)]))
