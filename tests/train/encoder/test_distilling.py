from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from romaine.arrays import l2_normalize
from romaine.errors import OptionError
from romaine.train.encoder.distilling import (
    AlignmentLoss,
    Targets,
    as_wide,
    cut_student,
    layer_vectors,
    matched,
)
from romaine.train.encoder.model import Preprocess, encode_pooled

TEXTS = ["the silver key", "my garden", "the captain found the river yesterday", "a dragon"]


def test_a_student_keeps_layers_evenly_and_the_last() -> None:
    assert matched(3, 6) == [1, 3, 5]
    assert matched(2, 12) == [5, 11]
    assert matched(4, 4) == [0, 1, 2, 3]


def test_a_cut_student_has_the_teachers_own_layers(small_teacher_folder: Path) -> None:
    whole = cut_student(small_teacher_folder, 2, 32)
    student = cut_student(small_teacher_folder, 1, 32)
    assert len(student[0].auto_model.encoder.layer) == student[0].auto_model.config.num_hidden_layers == 1
    last, own = whole[0].auto_model.encoder.layer[1], student[0].auto_model.encoder.layer[0]
    for one, other in zip(last.parameters(), own.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(OptionError, match="has 2; choose 1 to 2"):
        cut_student(small_teacher_folder, 3, 32)


def test_a_teacher_is_aligned_with_itself_and_its_mean_is_not(small_teacher_folder: Path) -> None:
    teacher = cut_student(small_teacher_folder, 2, 32)
    layers = layer_vectors(teacher, TEXTS, max_tokens=32)
    vectors = encode_pooled(teacher, TEXTS, max_tokens=32)
    np.testing.assert_allclose(l2_normalize(layers[:, -1]), vectors, atol=1e-5)
    loss = AlignmentLoss(teacher, Targets(layers, vectors))
    places = torch.arange(len(TEXTS))
    with torch.no_grad():
        assert float(loss([Preprocess(teacher, 32)(TEXTS)], places)) == pytest.approx(0, abs=1e-6)
    mean = torch.from_numpy(layers).mean(dim=0, keepdim=True).expand(len(TEXTS), -1, -1)
    final = torch.from_numpy(vectors).mean(dim=0, keepdim=True).expand(len(TEXTS), -1)
    assert float(loss.distance(mean, final, places)) == pytest.approx(1, rel=1e-4)


def test_vectors_of_another_width_keep_their_cosines() -> None:
    rng = np.random.default_rng(0)
    flat = l2_normalize((rng.normal(size=(50, 3)) @ rng.normal(size=(3, 8))).astype(np.float32))
    for width in (4, 12):
        found = as_wide(flat, width)
        assert found.shape == (50, width)
        np.testing.assert_allclose(found @ found.T, flat @ flat.T, atol=1e-4)
