"""The loss on a batch of student vectors: relational distillation inside a Matryoshka loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

_TEMPERATURE = 0.05
"""Softmax temperature over cosines, the one common in contrastive training of sentence vectors."""


def relational_loss(
    student: Tensor, teacher: Tensor, *, dims: Sequence[int], listwise: float = 1.0
) -> Tensor:
    """How far the student's similarities within a batch are from the teacher's, averaged over slices.

    Only similarities are compared, never vectors, so that student and teacher may differ in dimension (Park
    et al. 2019, "Relational Knowledge Distillation"). Two terms: the squared difference of cosines, which
    keeps their scale, and the Kullback-Leibler divergence of each text's softmax over its batch, which makes
    the nearest neighbours weigh more than the many unrelated ones.

    Args:
        student: Pooled vectors (n, full_dim), any length.
        teacher: Unit vectors (n, teacher_dim).
        dims: Matryoshka dimensions (Kusupati et al. 2022), each weighing the same.
        listwise: Weight of the divergence term.

    Returns:
        A scalar.
    """
    others = ~torch.eye(len(teacher), dtype=torch.bool, device=teacher.device)
    goal = (teacher @ teacher.T)[others].view(len(teacher), -1)
    goal_odds = functional.log_softmax(goal / _TEMPERATURE, dim=1)
    total = student.new_zeros(())
    for dim in dims:
        unit = functional.normalize(student[:, :dim], dim=1)
        found = (unit @ unit.T)[others].view(len(teacher), -1)
        total = total + functional.mse_loss(found, goal) * 100
        if listwise:
            odds = functional.log_softmax(found / _TEMPERATURE, dim=1)
            total = total + listwise * functional.kl_div(
                odds, goal_odds, log_target=True, reduction="batchmean"
            )
    return total / len(dims)
