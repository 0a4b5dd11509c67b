"""Losses on vectors of a batch, scalars averaged over the Matryoshka slices (Kusupati et al. 2022).

sentence-transformers has most of them, around a model that is run for every column of every batch: its
MatryoshkaLoss wraps the forward pass, GISTEmbedLoss runs the guide again in each step. Here a step gathers
the rows of all texts of all tasks once, and the guides' vectors come from a cache; so the formulas are
written out on vectors, and the tests hold ranking and CoSENT against its classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from romaine.train.objectives import ScoreForm

_SQUARED = 100.0  # brings squared differences of cosines to the size of the divergence
_LISTWISE = 0.3  # weight of the divergence
_COSENT_SCALE = 20.0  # of differences of cosines

_MASKED = -1e4  # a logit that no softmax notices, yet finite in half precision


@dataclass(frozen=True)
class Matryoshka:
    """The slices a loss is averaged over, ascending, and the weight of each."""

    dims: tuple[int, ...]
    weights: tuple[float, ...]

    def mean(self, loss: Callable[..., Tensor], *vectors: Tensor) -> Tensor:
        """The weighted mean of `loss` on unit slices of `vectors`, each (n, full_dim) of any length."""
        total = vectors[0].new_zeros(())
        for dim, weight in zip(self.dims, self.weights, strict=True):
            total = total + weight * loss(*(functional.normalize(v[:, :dim], dim=1) for v in vectors))
        return total / sum(self.weights)


def relational(unit: Tensor, goal: Tensor, *, temperature: float) -> Tensor:
    """How far the similarities within a batch are from the teachers'.

    Only similarities are compared, never vectors, so that student and teachers may differ in dimension (Park
    et al. 2019, "Relational Knowledge Distillation"). Two terms: the squared difference of cosines, which
    keeps their scale, and the Kullback-Leibler divergence of each text's softmax over its batch, which makes
    the nearest neighbours weigh more than the many unrelated ones.

    Args:
        unit: The student's unit vectors (n, dim).
        goal: The teachers' similarities (n, n).
        temperature: Of the softmax.
    """
    others = ~torch.eye(len(goal), dtype=torch.bool, device=goal.device)
    wanted = goal[others].view(len(goal), -1)
    found = (unit @ unit.T)[others].view(len(goal), -1)
    divergence = functional.kl_div(
        functional.log_softmax(found / temperature, dim=1),
        functional.log_softmax(wanted / temperature, dim=1),
        log_target=True,
        reduction="batchmean",
    )
    return functional.mse_loss(found, wanted) * _SQUARED + _LISTWISE * divergence


def ranking(
    queries: Tensor, documents: Tensor, positive: Tensor, excluded: Tensor, *, temperature: float
) -> Tensor:
    """Cross-entropy of finding each query's document among all (InfoNCE, van den Oord et al. 2018).

    Multiple negatives ranking (Henderson et al. 2017) with false negatives taken out, as GISTEmbed (Solatorio
    2024) does.

    Args:
        queries: Unit vectors (n, dim).
        documents: Unit vectors (m, dim).
        positive: Index of each query's document, int64 (n,).
        excluded: Which documents are no negatives of which query, bool (n, m); positives are never left out.
        temperature: Of the softmax.
    """
    logits = queries @ documents.T / temperature
    logits = logits.masked_fill(excluded.scatter(1, positive[:, None], False), _MASKED)
    return functional.cross_entropy(logits, positive)


def scored(left: Tensor, right: Tensor, scores: Tensor, *, form: ScoreForm) -> Tensor:
    """How badly the cosines of pairs fit the scores people gave them.

    Args:
        left: Unit vectors (n, dim).
        right: Unit vectors (n, dim).
        scores: 0 to 1, (n,).
        form: CoSENT (Su 2022): the log of one plus the sum of ``exp(20 * (cosine_i - cosine_j))`` over all
            i, j with ``score_i < score_j``. Squared: ten times the mean squared difference.
    """
    cosines: Tensor = (left * right).sum(1)
    if form is ScoreForm.SQUARED:
        return functional.mse_loss(cosines, scores) * 10
    wrong = _COSENT_SCALE * (cosines[:, None] - cosines[None, :])
    wrong = wrong[scores[:, None] < scores[None, :]]
    return torch.logsumexp(torch.cat([wrong.new_zeros(1), wrong]), dim=0)
