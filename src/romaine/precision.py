"""Smaller vectors for storage: float16, int8 and binary codes of unit vectors, and how to compare them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.choice import Choice
from romaine.errors import OptionError, VectorError

_INT8_LEVELS = 127


class Precision(Choice):
    """The form in which an `Embedder` returns vectors.

    ========= ============================== ================= ==========================================
    value     array                          bytes per vector  compare by
    ========= ============================== ================= ==========================================
    float32   float32 (n, dim)               4 x dim           dot product (= cosine)
    float16   float16 (n, dim)               2 x dim           dot product after a cast to float32
    int8      int8 (n, dim)                  dim               cosine of the codes (see `similarity`)
    binary    uint8 (n, ceil(dim / 8))       dim / 8           1 - 2 x Hamming distance / dim
    ========= ============================== ================= ==========================================
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    BINARY = "binary"


def int8_range(vectors: FloatArray) -> float:
    """The calibration range of a model at one dimension: the component size that maps to code 127.

    One range serves all components. A range for each component would use the codes better but make the
    cosine of two code vectors something else than the cosine of the vectors, and every vector store that
    knows int8 computes the former.

    Args:
        vectors: Unit vectors of calibration texts, float32 (n, dim).

    Returns:
        The 99.99th percentile of the absolute components; rarer, larger ones are clipped.
    """
    return float(np.quantile(np.abs(vectors), 0.9999)) if vectors.size else 1.0


def encode(vectors: FloatArray, precision: Precision, *, int8_limit: float | None = None) -> NDArray[Any]:
    """Converts unit vectors to `precision`.

    Args:
        vectors: float32 (..., dim), unit length or zero.
        precision: The form wanted.
        int8_limit: From `int8_range`; needed for INT8.

    Returns:
        The array described in `Precision`. Bit i of a binary code is set where component i is positive,
        most significant bit first, the last byte padded with zeros.

    Raises:
        OptionError: If INT8 is wanted without a positive `int8_limit`.
    """
    if precision is Precision.FLOAT32:
        return vectors
    if precision is Precision.FLOAT16:
        return vectors.astype(np.float16)
    if precision is Precision.BINARY:
        return np.packbits(vectors > 0, axis=-1)
    if int8_limit is None or not int8_limit > 0:
        raise OptionError(
            f"int8 needs a calibration range above 0, got {int8_limit!r}; take it from int8_range()"
        )
    codes = np.rint(vectors * np.float32(_INT8_LEVELS / int8_limit))
    return np.asarray(np.clip(codes, -_INT8_LEVELS, _INT8_LEVELS), dtype=np.int8)


def similarity(
    queries: NDArray[Any], documents: NDArray[Any], precision: Precision, *, dim: int | None = None
) -> FloatArray:
    """Similarity of codes of one precision, on the scale of the cosine (-1 to 1).

    Args:
        queries: (n, width) codes.
        documents: (m, width) codes of the same precision.
        precision: What the codes are.
        dim: Components before packing; needed for BINARY when it is no multiple of 8.

    Returns:
        float32 (n, m).

    Raises:
        VectorError: If the widths differ.
    """
    if queries.shape[-1] != documents.shape[-1]:
        raise VectorError(
            f"codes of {queries.shape[-1]} and {documents.shape[-1]} columns cannot be compared"
        )
    if precision is Precision.BINARY:
        bits = dim if dim is not None else 8 * queries.shape[-1]
        differing = np.unpackbits(queries[:, None, :] ^ documents[None, :, :], axis=-1).sum(
            axis=-1, dtype=np.int64
        )
        return np.asarray(1 - 2 * differing / bits, dtype=np.float32)
    a, b = queries.astype(np.float32), documents.astype(np.float32)
    dots = a @ b.T
    if precision is Precision.INT8:
        norms = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)[None, :]
        dots /= np.where(norms > 0, norms, np.float32(1))
    return dots
