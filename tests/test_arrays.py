from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from romaine.arrays import (
    Pooling,
    as_float_array,
    empty_aligned,
    l2_normalize,
    layer_norm,
    pool,
    slice_dim,
    top_k,
)
from romaine.errors import DimensionError, UnknownNameError, VectorError

finite = st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False)
matrices = hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=finite)


def norms(vectors):
    return np.linalg.norm(np.asarray(vectors, dtype=np.float64), axis=-1)


@pytest.mark.parametrize(("count", "dim"), [(1, 1), (5, 7), (100, 384)])
def test_room_begins_where_a_cache_line_does(count, dim):
    rooms = [empty_aligned(count, dim) for _ in range(20)]
    assert {room.ctypes.data % 64 for room in rooms} == {0}
    assert {(room.shape, room.dtype, room.flags.c_contiguous) for room in rooms} == {
        ((count, dim), np.dtype(np.float32), True)
    }


class TestNormalize:
    @given(matrices)
    def test_every_row_is_unit_or_zero(self, vectors):
        result = l2_normalize(vectors)
        assert result.dtype == np.float32
        assert result.shape == vectors.shape
        zero = ~np.abs(vectors).astype(bool).any(axis=1)
        assert (norms(result)[zero] == 0).all()
        np.testing.assert_allclose(norms(result)[~zero], 1, atol=1e-6)

    @given(matrices, st.floats(0.01, 100))
    def test_scale_does_not_matter(self, vectors, factor):
        scaled = vectors * np.float32(factor)
        kept = (np.abs(vectors).max(axis=1) > 1e-30) | ~vectors.any(axis=1)
        np.testing.assert_allclose(l2_normalize(scaled)[kept], l2_normalize(vectors)[kept], atol=1e-5)

    def test_the_input_is_not_changed(self):
        vectors = np.array([[3.0, 4.0]], dtype=np.float32)
        l2_normalize(vectors)
        assert vectors.tolist() == [[3.0, 4.0]]

    def test_empty(self):
        assert l2_normalize(np.zeros((0, 5))).shape == (0, 5)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    def test_not_finite_names_the_row(self, bad):
        with pytest.raises(VectorError, match=r"1 of 3 vectors.*row 1"):
            l2_normalize([[1, 2], [bad, 1], [3, 4]])

    def test_a_number_is_no_vector(self):
        with pytest.raises(VectorError, match="single number"):
            as_float_array(3.0)


class TestSliceDim:
    @given(matrices, st.data())
    def test_slices_are_unit_again(self, vectors, data):
        dim = data.draw(st.integers(1, vectors.shape[1]))
        result = slice_dim(vectors, dim)
        assert result.shape == (len(vectors), dim)
        np.testing.assert_allclose(norms(result), (vectors[:, :dim] != 0).any(axis=1), atol=1e-6)

    @given(matrices, st.data())
    def test_slicing_twice_is_slicing_once(self, vectors, data):
        wide = data.draw(st.integers(1, vectors.shape[1]))
        narrow = data.draw(st.integers(1, wide))
        # components that vanish beside far larger ones may underflow in the first step
        vectors = np.clip(vectors, -1e3, 1e3).round(3)
        np.testing.assert_allclose(
            slice_dim(slice_dim(vectors, wide), narrow), slice_dim(vectors, narrow), atol=1e-5
        )

    def test_one_vector(self):
        np.testing.assert_allclose(slice_dim(np.array([3.0, 4.0, 12.0]), 2), [0.6, 0.8], atol=1e-7)

    @pytest.mark.parametrize("dim", [0, -1, 4, 2.0, True, None, "2"])
    def test_impossible_dims(self, dim):
        with pytest.raises(DimensionError, match="choose 1 to 3"):
            slice_dim(np.ones((2, 3)), dim)


class TestPool:
    states = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    mask = np.array([[1, 1, 1, 0], [1, 0, 0, 0]])

    @pytest.mark.parametrize(
        ("pooling", "expected"),
        [
            (Pooling.MEAN, [[3, 4, 5], [12, 13, 14]]),
            (Pooling.CLS, [[0, 1, 2], [12, 13, 14]]),
            (Pooling.LAST, [[6, 7, 8], [12, 13, 14]]),
            (Pooling.MAX, [[6, 7, 8], [12, 13, 14]]),
        ],
    )
    def test_values(self, pooling, expected):
        result = pool(self.states, self.mask, pooling)
        assert result.dtype == np.float32
        assert result.tolist() == expected

    def test_a_mean_is_not_rounded(self):
        states = np.array([[[1, -3], [2, 0], [9, 9]]], dtype=np.float32)
        assert pool(states, np.array([[1, 1, 0]]), Pooling.MEAN).tolist() == [[1.5, -1.5]]

    @pytest.mark.parametrize("pooling", list(Pooling))
    def test_a_text_without_tokens_is_zero(self, pooling):
        assert not pool(self.states, np.zeros((2, 4)), pooling).any()

    def test_unknown(self):
        with pytest.raises(UnknownNameError, match=r"'meen'.*Did you mean 'mean'.*'cls'"):
            Pooling.parse("meen")


def test_layer_norm_has_mean_0_and_variance_1():
    result = layer_norm(np.random.default_rng(0).normal(3, 5, (4, 100)))
    np.testing.assert_allclose(result.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(result.var(axis=1), 1, atol=1e-4)


class TestTopK:
    @given(
        hnp.arrays(np.float32, st.integers(0, 30), elements=st.integers(-3, 3).map(float)),
        st.integers(-1, 35),
    )
    def test_is_a_stable_sort(self, scores, k):
        expected = sorted(range(len(scores)), key=lambda i: -scores[i])[: max(k, 0)]
        assert top_k(scores, k).tolist() == expected

    @pytest.mark.parametrize("k", [1, 2, 7, 33, 50, 98, 99, 100])
    def test_of_many_different_scores(self, k):
        scores = np.random.default_rng(0).permutation(100)
        assert scores[top_k(scores, k)].tolist() == list(range(99, 99 - k, -1))
