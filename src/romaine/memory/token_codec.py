"""Vectors of tokens in 4 bits a component, as a memory keeps them, and whether it does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.choice import Choice
from romaine.errors import OptionError, StorageCorruptError, UnknownNameError
from romaine.models.lowbit import pairs_of

# What 16 levels of a standard normal variable lose the least with: J. Max, "Quantizing for minimum
# distortion" (1960), table I.
_POSITIVE = np.array([0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733], dtype=np.float32)
_LEVELS = np.concatenate([-_POSITIVE[::-1], _POSITIVE])
_HALFWAY = (_LEVELS[1:] + _LEVELS[:-1]) / 2
_SCATTER = 0x9E3779B1  # an odd number without a pattern in its bits


MOST_TOKENS = 64
"""How many tokens of one memory are kept: of a longer one those that count most."""


class LateInteraction(Choice):
    """Where the vectors of tokens come from that late interaction compares.

    STORED: they are kept beside each memory, about 1 KB, in one go with its vectors. COMPUTED: they are made
    of the texts when a recall looks at them, which keeps files small and recalls slow. OFF: nowhere, and
    memories are compared by their own vectors alone.
    """

    STORED = "stored"
    COMPUTED = "computed"
    OFF = "off"


def chosen(setting: object, embedder: object) -> LateInteraction:
    """What is done with an embedder where a memory says `setting`, or nothing.

    Raises:
        StorageCorruptError: If the memory says what nobody knows.
    """
    try:
        wanted = LateInteraction.STORED if setting is None else LateInteraction.parse(setting)
    except UnknownNameError:
        raise StorageCorruptError(f"the memory names an unknown late_interaction, {setting!r}") from None
    return LateInteraction.OFF if token_dim_of(embedder) is None else wanted


def token_dim_of(embedder: object) -> int | None:
    """Components of an embedder's vectors of tokens, or None if it gives none."""
    dim = getattr(embedder, "token_dim", None)
    return dim if isinstance(dim, int) and callable(getattr(embedder, "embed_tokens", None)) else None


def check_tokens(wanted: LateInteraction | None, embedder: object, name: str) -> None:
    """Checks that an embedder can do what is wanted of it.

    Raises:
        OptionError: If it gives no vectors of tokens and they are asked for.
    """
    if wanted in (LateInteraction.STORED, LateInteraction.COMPUTED) and token_dim_of(embedder) is None:
        raise OptionError(
            f"late_interaction={wanted.value!r} needs vectors of tokens, and {name} gives none; choose a"
            " late-interaction model, such as Embedder('oakleaf'), or leave it out"
        )


def telling(rarity: FloatArray, most: int = MOST_TOKENS) -> NDArray[np.intp]:
    """Which of a memory's tokens are kept, in order: if they are too many, the rarest (tokens,)."""
    if len(rarity) <= most:
        return np.arange(len(rarity))
    return np.sort(np.argsort(-rarity, kind="stable")[:most])


def pack(vectors: FloatArray) -> bytes:
    """Packs unit vectors (tokens, dim) into (dim + 1) // 2 bytes each.

    They are turned first, so that their components are spread like those of a normal distribution whatever
    the model does: 16 fixed levels then do for all of them, without a scale. A cosine moves by about 0.01.
    """
    dim = vectors.shape[1]
    codes = np.searchsorted(_HALFWAY, turned(vectors) * np.float32(dim**0.5)).astype(np.uint8)
    if dim % 2:
        codes = np.append(codes, np.zeros((len(codes), 1), dtype=np.uint8), axis=1)
    return np.bitwise_or(codes[:, 0::2], np.left_shift(codes[:, 1::2], 4, dtype=np.uint8)).tobytes()


def joined(packed: Sequence[bytes], dim: int) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Puts the packed tokens of many memories after one another, for `opened`.

    Args:
        packed: Of n memories.
        dim: Components of a vector.

    Returns:
        The packed vectors, uint8 (tokens, (dim + 1) // 2), and how many each memory has, intp (n,).

    Raises:
        StorageCorruptError: If one is not a number of such vectors.
    """
    width = (dim + 1) // 2
    sizes = np.fromiter(map(len, packed), np.intp, len(packed))
    if (sizes % width).any():
        raise StorageCorruptError(
            f"vectors of tokens do not have {width} bytes each, as {dim} components need"
        )
    return np.frombuffer(b"".join(packed), dtype=np.uint8).reshape(-1, width), sizes // width


def opened(codes: NDArray[np.uint8], dim: int) -> FloatArray:
    """Undoes `pack`, but for the turning: vectors of about unit length, float32 (tokens, dim)."""
    vectors: FloatArray = _pairs(dim).take(codes, mode="clip").view(np.float32)
    return vectors[:, :dim]


@lru_cache(maxsize=8)
def _pairs(dim: int) -> NDArray[np.complex64]:
    return pairs_of(_LEVELS * np.float32(dim**-0.5))


def turned(vectors: FloatArray) -> FloatArray:
    """Turns vectors (n, dim), all alike, so that their dot products stay what they are."""
    return np.asarray(vectors @ _turn(vectors.shape[1]), dtype=np.float32)


@lru_cache(maxsize=8)
def _turn(dim: int) -> FloatArray:
    """An orthogonal matrix (dim, dim): the cosine transform (DCT-II) of components with scattered signs."""
    at = np.arange(dim)
    cosines = np.cos(np.pi / dim * (at[:, None] + 0.5) * at[None, :]) * (2 / dim) ** 0.5
    cosines[:, 0] *= 0.5**0.5
    signs = 1 - 2.0 * ((at * _SCATTER >> 16) & 1)
    return np.asarray(signs[:, None] * cosines, dtype=np.float32)
