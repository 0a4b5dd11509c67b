from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from romaine.train import losses
from romaine.train.losses import Matryoshka
from romaine.train.objectives import ScoreForm


def vectors(count, dim, seed):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32))


def unit(count, dim, seed):
    return functional.normalize(vectors(count, dim, seed), dim=1)


def nothing(rows, columns):
    return torch.zeros(rows, columns, dtype=torch.bool)


@pytest.fixture(scope="module")
def reference():
    package = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    if not hasattr(package.CoSENTLoss, "compute_loss_from_embeddings"):
        pytest.skip("this version computes losses from texts alone")
    return package


def test_cosent_is_that_of_sentence_transformers(reference):
    left, right, scores = vectors(12, 8, 0), vectors(12, 8, 1), torch.arange(12) // 2 / 6
    expected = reference.CoSENTLoss(None).compute_loss_from_embeddings([left, right], scores)
    ours = losses.scored(
        functional.normalize(left, dim=1),
        functional.normalize(right, dim=1),
        scores,
        form=ScoreForm.COSENT,
    )
    assert ours == pytest.approx(float(expected), rel=1e-5)


def test_ranking_is_that_of_sentence_transformers(reference):
    left, right = vectors(12, 8, 0), vectors(20, 8, 1)
    expected = reference.MultipleNegativesRankingLoss(None, scale=20).compute_loss_from_embeddings(
        [left, right[:12], right[8:20]], None
    )
    documents = functional.normalize(torch.cat([right[:12], right[8:20]]), dim=1)
    ours = losses.ranking(
        functional.normalize(left, dim=1), documents, torch.arange(12), nothing(12, 24), temperature=0.05
    )
    assert ours == pytest.approx(float(expected), rel=1e-5)


def test_what_is_left_out_is_no_negative():
    queries, documents = unit(3, 6, 0), unit(5, 6, 1)
    positive = torch.tensor([0, 1, 2])
    excluded = nothing(3, 5)
    excluded[:, 3:] = True
    excluded[0, 0] = True  # a positive stays in whatever happens
    fewer = losses.ranking(queries, documents[:3], positive, nothing(3, 3), temperature=0.1)
    assert losses.ranking(queries, documents, positive, excluded, temperature=0.1) == pytest.approx(
        float(fewer)
    )


def test_a_student_like_its_teacher_loses_nothing():
    same = unit(6, 4, 0)
    assert losses.relational(same, same @ same.T, temperature=0.05) == pytest.approx(0, abs=1e-4)
    other = unit(6, 4, 1)
    assert losses.relational(other, same @ same.T, temperature=0.05) > 1


def test_squares_and_divergence_of_all_others_are_summed():
    same, goal = unit(5, 4, 0), unit(5, 6, 1) @ unit(5, 6, 1).T
    others = ~np.eye(5, dtype=bool)
    found, wanted = (
        (rows.numpy()[others]).reshape(5, 4).astype(np.float64) for rows in (same @ same.T, goal)
    )
    q, p = (np.exp(rows / 0.1) / np.exp(rows / 0.1).sum(1, keepdims=True) for rows in (found, wanted))
    divergence = (p * np.log(p / q)).sum(1).mean()
    expected = 100 * ((found - wanted) ** 2).mean() + 0.3 * divergence
    assert losses.relational(same, goal, temperature=0.1).item() == pytest.approx(expected, rel=1e-4)


def test_squared_is_its_formula():
    left, right, scores = unit(9, 4, 0), unit(9, 4, 1), torch.linspace(0, 1, 9)
    cosines = (left * right).sum(1).numpy()
    ours = losses.scored(left, right, scores, form=ScoreForm.SQUARED).item()
    assert ours == pytest.approx(10 * ((cosines - scores.numpy()) ** 2).mean(), rel=1e-5)


@pytest.mark.parametrize("form", ScoreForm)
def test_scores_are_learned_in_every_form(form):
    torch.manual_seed(0)
    left, right = vectors(16, 6, 0).requires_grad_(True), vectors(16, 6, 1)
    scores = torch.linspace(0, 1, 16)
    optimiser = torch.optim.Adam([left], lr=0.05)

    def loss():
        return losses.scored(
            functional.normalize(left, dim=1), functional.normalize(right, dim=1), scores, form=form
        )

    first = loss().item()
    for _ in range(100):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    cosines = functional.cosine_similarity(left, right).detach().numpy()
    assert loss().item() < first / 2
    assert np.corrcoef(cosines, scores.numpy())[0, 1] > 0.9


def test_slices_are_weighted_and_made_unit_length():
    whole = vectors(4, 8, 0) * 100
    slices = Matryoshka((2, 8), (1.0, 3.0))

    def width(unit_vectors):
        assert torch.allclose(unit_vectors.norm(dim=1), torch.ones(4))
        return torch.tensor(float(unit_vectors.shape[1]))

    assert slices.mean(width, whole) == (2 * 1 + 8 * 3) / 4
