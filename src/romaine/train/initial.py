"""The table training starts from: each token's own vector, on its main axes and weighted by rarity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.text.ragged import Ragged
from romaine.train.recipe import Centre, Initial

_NEW_AXES = 0.1
"""Size of the random components beyond the teacher's dimension, relative to the others' root mean square."""

_SMALLEST = 1e-6
"""Deviation below which a component is taken for constant."""


def token_odds(tokens: Ragged, vocab: int) -> NDArray[np.float64]:
    """How probable each token is in texts, one added to every count: float64 (vocab,), summing to one."""
    counts = np.bincount(tokens.ids, minlength=vocab) + 1.0
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def initial_table(
    token_vectors: FloatArray, odds: NDArray[np.float64], *, dim: int, initial: Initial, seed: int
) -> FloatArray:
    """Makes a table of the teacher's vectors of single tokens.

    A mean is subtracted: that of running text or of the vocabulary. Measured before any training, the first
    is better on LoCoMo (recall@5 0.475 for 0.430) and worse on STS dev (0.776 for 0.797) and on FriendsQA
    (0.350 for 0.359); after training with the losses of `little-gem` the second is better on all. Then the
    axes become the principal ones, so that the first components carry the most, components are brought part
    of the way to one size, and each token is scaled by ``sif / (sif + p)``, smooth inverse frequency (Arora
    et al. 2017).

    Args:
        token_vectors: Of each token alone, float32 (vocab, teacher_dim).
        odds: See `token_odds`.
        dim: Components wanted; those beyond teacher_dim start small and random.
        initial: Which of this is done.
        seed: Of the random components.

    Returns:
        float32 (vocab, dim), rows of mean length one.
    """
    rng = np.random.default_rng(seed)
    if initial.random:
        table = rng.normal(0, 1, (len(token_vectors), dim))
    else:
        table = _turned(_centred(token_vectors, odds, initial.centre), initial.axes)[:, :dim]
        table = table / np.maximum(table.std(axis=0), _SMALLEST) ** initial.whiten
    if (missing := dim - table.shape[1]) > 0:
        noise = rng.normal(0, _NEW_AXES * np.sqrt((table**2).mean()), (len(table), missing))
        table = np.concatenate([table, noise], axis=1)
    table *= (initial.sif / (initial.sif + odds))[:, None]
    return np.asarray(table / np.linalg.norm(table, axis=1).mean(), dtype=np.float32)


def _centred(vectors: FloatArray, odds: NDArray[np.float64], centre: Centre) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    if centre is Centre.NONE:
        return wide
    return np.asarray(wide - (odds @ wide if centre is Centre.TEXT else wide.mean(axis=0)))


def _turned(vectors: NDArray[np.float64], axes_wanted: bool) -> NDArray[np.float64]:
    if not axes_wanted:
        return vectors
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    axes *= np.where(axes.sum(axis=0) < 0, -1, 1)  # the sign of an eigenvector is the library's whim
    return np.asarray(vectors @ axes[:, ::-1])
