"""Vectors as plain numpy, without I/O: normalising, slicing, pooling, stable top-k.

This module is the only place that slices a Matryoshka vector and the only one that makes vectors unit length.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from romaine.choice import Choice
from romaine.errors import DimensionError, VectorError

FloatArray: TypeAlias = NDArray[np.float32]

_CACHE_LINE = 64
_LAYER_NORM_EPS = 1e-5  # torch.nn.functional.layer_norm's default, which nomic's card relies on


class Pooling(Choice):
    """How one vector is made of the token states of a text."""

    MEAN = "mean"
    CLS = "cls"
    LAST = "last"
    MAX = "max"


def empty_aligned(count: int, dim: int) -> FloatArray:
    """Room for vectors, (count, dim), that begins where a line of the cache does.

    Else every other access touches two lines: dot products of many rows take a tenth longer.
    """
    room = np.empty(4 * count * dim + _CACHE_LINE, dtype=np.uint8)
    begin = -room.ctypes.data % _CACHE_LINE
    return room[begin : begin + 4 * count * dim].view(np.float32).reshape(count, dim)


def as_float_array(vectors: ArrayLike) -> FloatArray:
    """Returns `vectors` as float32, refusing what cannot be compared by cosine.

    Raises:
        VectorError: If there is no axis, or any component is NaN or infinite.
    """
    array = np.asarray(vectors, dtype=np.float32)
    if array.ndim == 0:
        raise VectorError(f"a vector or an array of vectors is needed, got the single number {array!s}")
    # min and max propagate NaN and reach infinities without a boolean copy of the array
    if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        rows = np.flatnonzero(~np.isfinite(array).reshape(-1, array.shape[-1]).all(axis=1))
        raise VectorError(
            f"{len(rows)} of {array.size // array.shape[-1]} vectors hold NaN or infinite values"
            f" (first: row {rows[0]}); all components must be finite. Check the model and its precision."
        )
    return array


def l2_normalize(vectors: ArrayLike) -> FloatArray:
    """Scales vectors to unit length along the last axis.

    Args:
        vectors: Shape (..., dim).

    Returns:
        float32 of the same shape; zero vectors stay zero.

    Raises:
        VectorError: If `vectors` has no axis or holds NaN or infinite values.
    """
    array = np.asarray(vectors, dtype=np.float32)
    if not array.size or not array.ndim:
        return as_float_array(array).copy()
    # Dividing by the largest component first keeps the squares of very large or small vectors in range.
    peak = np.maximum(array.max(axis=-1, keepdims=True), -array.min(axis=-1, keepdims=True))
    if not np.isfinite(peak).all():  # it is where all components are: max and min propagate NaN
        as_float_array(array)
    scaled: FloatArray = np.divide(array, np.where(peak > 0, peak, 1), dtype=np.float32)
    norms = np.sqrt(np.einsum("...i,...i->...", scaled, scaled))[..., None]
    return np.divide(scaled, np.where(norms > 0, norms, 1), out=scaled)


def slice_dim(vectors: ArrayLike, dim: int) -> FloatArray:
    """Keeps the first `dim` components of Matryoshka vectors and makes them unit length again.

    A slice of a unit vector is shorter than one; cosine by dot product is only right after renormalising.

    Args:
        vectors: Shape (..., full_dim).
        dim: How many components to keep, 1 to full_dim.

    Returns:
        float32 of shape (..., dim), unit length; zero vectors stay zero.

    Raises:
        DimensionError: If `dim` is not an int from 1 to full_dim.
        VectorError: If `vectors` has no axis or holds NaN or infinite values.
    """
    array = np.asarray(vectors, dtype=np.float32)
    if type(dim) is int and array.shape[-1:] == (dim,):
        return l2_normalize(array)
    full_dim = as_float_array(array).shape[-1]
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)) or not 1 <= dim <= full_dim:
        raise DimensionError(
            f"dim={dim!r} is not possible: these vectors have {full_dim} components; choose 1 to {full_dim}"
        )
    return l2_normalize(array[..., :dim])


def layer_norm(vectors: ArrayLike) -> FloatArray:
    """Shifts and scales each vector to mean 0 and variance 1 (Ba et al. 2016, without gain and bias).

    nomic-embed-text-v1.5 needs it between pooling and slicing.

    Args:
        vectors: Shape (..., dim).

    Returns:
        float32 of the same shape.
    """
    array = as_float_array(vectors)
    centred = array - array.mean(axis=-1, keepdims=True)
    variance = np.einsum("...i,...i->...", centred, centred)[..., None] / max(array.shape[-1], 1)
    return np.asarray(centred / np.sqrt(variance + _LAYER_NORM_EPS), dtype=np.float32)


def pool(states: FloatArray, mask: NDArray[Any], pooling: Pooling) -> FloatArray:
    """Makes one vector of each text's token states.

    Args:
        states: Shape (n, length, dim).
        mask: Shape (n, length), nonzero where there is a token, padding on the right.
        pooling: How.

    Returns:
        float32 (n, dim), not normalised; a text without tokens gives a zero vector.
    """
    kept = np.asarray(mask, dtype=bool)
    if pooling is Pooling.MEAN:
        weights = kept.astype(np.float32)
        counts = np.maximum(weights.sum(axis=1, keepdims=True), 1)
        return np.asarray(np.einsum("nld,nl->nd", states, weights) / counts, dtype=np.float32)
    if pooling is Pooling.MAX:
        peaks = np.where(kept[..., None], states, np.float32(-np.inf)).max(axis=1, initial=-np.inf)
        return np.where(kept.any(axis=1, keepdims=True), peaks, np.float32(0))
    last = (
        np.zeros(len(kept), dtype=np.intp) if pooling is Pooling.CLS else np.maximum(kept.sum(axis=1) - 1, 0)
    )
    return np.asarray(states[np.arange(len(kept)), last] * kept.any(axis=1, keepdims=True), dtype=np.float32)


def top_k(scores: ArrayLike, k: int) -> NDArray[np.intp]:
    """Indices of the `k` largest scores, best first; equal scores keep their order.

    Args:
        scores: Shape (n,).
        k: How many; more than n gives n.

    Returns:
        intp of shape (min(k, n),).
    """
    array = np.asarray(scores)
    k = max(0, min(k, array.size))
    if k == 0:
        return np.empty(0, dtype=np.intp)
    if k < array.size:
        # Everything above the k-th largest score is in; of those equal to it, the first ones.
        threshold = np.partition(array, array.size - k)[array.size - k]
        candidates = np.flatnonzero(array >= threshold)
        if candidates.size > k:
            equal = np.flatnonzero(array[candidates] == threshold)
            candidates = np.delete(candidates, equal[k - candidates.size :])
    else:
        candidates = np.arange(array.size)
    return candidates[np.argsort(-array[candidates], kind="stable")]
