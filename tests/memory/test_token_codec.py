from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.arrays import l2_normalize
from romaine.embedder import Embedder
from romaine.errors import OptionError, StorageCorruptError, UnknownNameError
from romaine.memory.token_codec import (
    MOST_TOKENS,
    LateInteraction,
    check_tokens,
    chosen,
    joined,
    opened,
    pack,
    telling,
    turned,
)

DIMS = (8, 33, 48, 64, 96, 128)


def unpack(packed: list[bytes], dim: int) -> tuple[np.ndarray, np.ndarray]:
    codes, counts = joined(packed, dim)
    return opened(codes, dim), counts


def drawn(count: int, dim: int, seed: int = 0) -> np.ndarray:
    return l2_normalize(np.random.default_rng(seed).standard_normal((count, dim)))


@pytest.mark.parametrize("dim", DIMS)
def test_turning_changes_no_dot_product(dim: int) -> None:
    vectors = drawn(20, dim)
    np.testing.assert_allclose(turned(vectors) @ turned(vectors).T, vectors @ vectors.T, atol=1e-5)


@pytest.mark.parametrize("dim", DIMS)
def test_vectors_come_back_nearly_as_they_were(dim: int) -> None:
    # also such as have all their weight in one component, or in the first few, as those of many models
    skewed = l2_normalize(drawn(50, dim, 1) * np.geomspace(1, 0.01, dim))
    vectors = np.concatenate([drawn(50, dim), np.eye(dim, dtype=np.float32), skewed])
    packed = pack(vectors)
    assert len(packed) == len(vectors) * ((dim + 1) // 2)
    tokens, counts = unpack([packed], dim)
    assert tokens.shape == vectors.shape
    assert tokens.dtype == np.float32
    assert counts.tolist() == [len(vectors)]
    cosines = np.einsum("ij,ij->i", l2_normalize(tokens), turned(vectors))
    assert cosines.mean() > 0.985
    others = drawn(40, dim, 2)
    moved = l2_normalize(tokens) @ turned(others).T - vectors @ others.T
    assert np.abs(moved).mean() < 0.2 / dim**0.5


@given(sizes=st.lists(st.integers(0, 9), max_size=6), dim=st.sampled_from(DIMS))
def test_many_memories_at_once_are_each_alone(sizes: list[int], dim: int) -> None:
    parts = [drawn(size, dim, seed) for seed, size in enumerate(sizes)]
    tokens, counts = unpack([pack(part) for part in parts], dim)
    assert counts.tolist() == sizes
    ends = np.cumsum([0, *sizes])
    for number, part in enumerate(parts):
        alone, _ = unpack([pack(part)], dim)
        np.testing.assert_array_equal(tokens[ends[number] : ends[number + 1]], alone)


def test_what_is_no_number_of_vectors_is_damage() -> None:
    with pytest.raises(StorageCorruptError, match="do not have 32 bytes each, as 64 components need"):
        joined([b"\0" * 32, b"\0" * 33], 64)


def test_of_too_many_tokens_the_rarest_are_kept_in_order() -> None:
    assert telling(np.array([1, 3, 2, 3], dtype=np.float32), 2).tolist() == [1, 3]
    assert telling(np.array([5, 1, 1, 4], dtype=np.float32), 3).tolist() == [0, 1, 3]
    assert telling(np.ones(3, dtype=np.float32)).tolist() == [0, 1, 2]
    assert len(telling(np.ones(MOST_TOKENS + 5, dtype=np.float32))) == MOST_TOKENS


class Late:
    token_dim = 48

    def embed_tokens(self) -> None: ...


def test_what_is_done_if_nobody_says() -> None:
    assert chosen(None, Late()) is LateInteraction.STORED
    assert chosen("computed", Late()) is LateInteraction.COMPUTED
    for setting in (None, "stored", "off"):
        assert chosen(setting, Embedder()) is LateInteraction.OFF
    with pytest.raises(StorageCorruptError, match="unknown late_interaction, 'sometimes'"):
        chosen("sometimes", Late())


def test_what_a_model_cannot_do_is_refused() -> None:
    for wanted in (LateInteraction.STORED, LateInteraction.COMPUTED):
        check_tokens(wanted, Late(), "late")
        with pytest.raises(OptionError, match=f"late_interaction='{wanted.value}' needs vectors of tokens"):
            check_tokens(wanted, Embedder(), "little-gem")
    check_tokens(LateInteraction.OFF, Embedder(), "little-gem")
    check_tokens(None, Embedder(), "little-gem")
    with pytest.raises(UnknownNameError, match="late interaction"):
        LateInteraction.parse("on")
