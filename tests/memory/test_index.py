from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from romaine.arrays import FloatArray, l2_normalize, slice_dim, top_k
from romaine.errors import DimensionError
from romaine.memory import columns
from romaine.memory import index as index_module
from romaine.memory.index import VectorIndex


def nested_vectors(count: int, dim: int, seed: int = 0) -> FloatArray:
    """Vectors like a Matryoshka model's: what comes first weighs most, and rows come in families."""
    random = np.random.default_rng(seed)
    decay = 1 / np.sqrt(1 + np.arange(dim) / 8)
    centres = random.normal(size=(max(count // 40, 1), dim))
    rows = centres[random.integers(len(centres), size=count)] + 0.7 * random.normal(size=(count, dim))
    return l2_normalize(rows * decay)


def filled(vectors: FloatArray, dim: int) -> VectorIndex:
    index = VectorIndex(full_dim=vectors.shape[1], dim=dim)
    index.add(vectors)
    return index


def nearest(
    index: VectorIndex,
    query: FloatArray,
    k: int,
    mask: NDArray[np.bool_] | None = None,
    dim: int | None = None,
) -> tuple[list[int], FloatArray]:
    """The `k` nearest rows through the funnel, best first, and their cosines."""
    visible = np.arange(len(index)) if mask is None else np.flatnonzero(mask)
    rows = np.sort(index.pool(query, visible, k=k, dim=dim))
    cosines = index.cosines(query, rows)
    best = top_k(cosines, k)
    return rows[best].tolist(), cosines[best]


def exact(vectors: FloatArray, query: FloatArray, k: int) -> list[int]:
    return np.argsort(-(vectors @ query), kind="stable")[:k].tolist()


def test_few_rows_are_searched_exactly_at_any_dim() -> None:
    vectors = nested_vectors(500, 32)
    index = filled(vectors, 2)
    for query in vectors[:20]:
        rows, cosines = nearest(index, query, 7)
        assert rows == exact(vectors, query, 7)
        np.testing.assert_allclose(cosines, (vectors @ query)[rows], rtol=1e-5)


@pytest.mark.parametrize("dim", [16, 32, 64])
def test_the_funnel_finds_what_the_exact_scan_finds(dim: int) -> None:
    vectors = nested_vectors(20_000, 128)
    index = filled(vectors, dim)
    queries = nested_vectors(60, 128, seed=1)
    found = [len({*nearest(index, q, 10)[0]} & {*exact(vectors, q, 10)}) / 10 for q in queries]
    assert np.mean(found) >= 0.99


def test_scans_shorter_slices_than_it_keeps() -> None:
    vectors = nested_vectors(20_000, 64)
    index = filled(vectors, 32)
    np.testing.assert_allclose(
        index.scan(vectors[0], dim=8), slice_dim(vectors, 8) @ slice_dim(vectors[0], 8), rtol=1e-4, atol=1e-5
    )
    assert nearest(index, vectors[5], 1, dim=8)[0] == [5]


def test_one_array_serves_when_nothing_is_sliced_off() -> None:
    vectors = nested_vectors(17_000, 16)
    index = filled(vectors, 16)
    assert index.nbytes == vectors.nbytes
    assert nearest(index, vectors[9], 3)[0] == exact(vectors, vectors[9], 3)


def test_masked_rows_are_never_found_and_take_no_ones_place() -> None:
    vectors = nested_vectors(18_000, 32)
    index = filled(vectors, 8)
    mask = np.arange(18_000) % 9 != 0
    for allowed in (mask, ~mask):
        query = vectors[18]
        rows, _ = nearest(index, query, 10, mask=allowed)
        expected = [row for row in exact(vectors, query, 18_000) if allowed[row]][:10]
        assert len(set(rows) & set(expected)) >= 9
        assert allowed[rows].all()


def test_equal_cosines_keep_the_order_of_insertion() -> None:
    vectors = np.tile(nested_vectors(1, 16), (50, 1))
    assert nearest(filled(vectors, 4), vectors[0], 5)[0] == [0, 1, 2, 3, 4]


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 40))
def test_gives_as_many_as_there_are(count: int, k: int) -> None:
    vectors = nested_vectors(30, 8)[:count]
    rows, cosines = nearest(filled(vectors, 4), np.ones(8, np.float32), k)
    assert len(rows) == len(cosines) == min(count, k)
    assert len(set(rows)) == len(rows)


def test_rows_can_be_replaced_and_dropped() -> None:
    vectors = nested_vectors(100, 16)
    index = filled(vectors[:50], 4)
    index.add(vectors[50:])
    index.replace(np.array([3]), -vectors[3:4])
    assert nearest(index, -vectors[3], 1)[0] == [3]
    index.keep(np.arange(100) >= 3)
    assert len(index) == 97
    assert nearest(index, -vectors[3], 1)[0] == [0]


def test_rows_in_many_blocks_are_searched_like_rows_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = nested_vectors(18_000, 32)
    whole = filled(vectors, 8)
    monkeypatch.setattr(columns, "BLOCK_ROWS", 1000)
    parts = VectorIndex(full_dim=32, dim=8)
    for start in range(0, 18_000, 300):
        parts.add(vectors[start : start + 300])
    visible = np.flatnonzero(np.arange(18_000) % 7 != 0)
    for query in vectors[:5]:
        np.testing.assert_allclose(parts.scan(query), whole.scan(query), atol=1e-6)  # in other bundles
        np.testing.assert_array_equal(parts.cosines(query, visible[:50]), whole.cosines(query, visible[:50]))
        assert set(parts.pool(query, visible, k=5)) == set(whole.pool(query, visible, k=5))


def test_zero_vectors_match_nothing() -> None:
    index = filled(np.zeros((3, 8), np.float32), 4)
    assert index.cosines(np.ones(8, np.float32)).tolist() == [0, 0, 0]


def test_a_crowd_within_reach_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "LARGEST_POOL", 300)
    vectors = nested_vectors(20_000, 64)
    assert len(filled(vectors, 4).pool(vectors[0], np.arange(20_000), k=10)) <= 300


@pytest.fixture
def small_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    """A funnel that a few hundred rows go through."""
    monkeypatch.setattr(index_module, "EXACT_ROWS", 40)
    monkeypatch.setattr(index_module, "FIRST_POOL", 8)


def best_of(values: FloatArray, count: int) -> set[int]:
    return set(np.argsort(-values, kind="stable")[:count].tolist())


def funnel(vectors: FloatArray, query: FloatArray, dim: int, k: int, first_pool: int) -> set[int]:
    """The funnel as its description has it, by rows of `vectors`."""
    size = max(first_pool, 2 * k)
    slices, cosines = slice_dim(vectors, dim) @ slice_dim(query, dim), vectors @ query
    first = sorted(best_of(slices, size))
    reach = np.sort(cosines[first])[-k] - 1.5 * np.std(cosines[first] - slices[first])
    if slices[first].min() <= reach:
        return set(first)
    near = np.flatnonzero(slices >= reach)
    return {int(near[i]) for i in best_of(cosines[near], size)}


@pytest.mark.usefixtures("small_pools")
@pytest.mark.parametrize("k", [1, 3, 4, 5, 11])
@pytest.mark.parametrize("dim", [3, 12, 24])
def test_rows_within_reach_of_the_best_are_tried(dim: int, k: int) -> None:
    vectors = nested_vectors(300, 32)
    index = filled(vectors, dim)
    visible = np.flatnonzero(np.arange(300) % 5 != 2)
    for query in nested_vectors(8, 32, seed=1):
        assert set(index.pool(query, np.arange(300), k=k).tolist()) == funnel(vectors, query, dim, k, 8)
        found = index.pool(query, visible, k=k).tolist()
        assert len(found) == len(set(found))
        assert set(found) == {int(visible[i]) for i in funnel(vectors[visible], query, dim, k, 8)}


@pytest.mark.usefixtures("small_pools")
def test_a_rough_pool_is_what_slices_alone_say() -> None:
    vectors = nested_vectors(300, 32)
    index = filled(vectors, 8)
    visible = np.flatnonzero(np.arange(300) % 5 != 2)
    for query in nested_vectors(8, 32, seed=1):
        for dim in (8, 4):
            slices = slice_dim(vectors, dim) @ slice_dim(query, dim)
            assert set(index.rough_pool(query, np.arange(300), dim=dim).tolist()) == best_of(slices, 8)
            found = index.rough_pool(query, visible, dim=dim).tolist()
            assert len(found) == 8
            assert set(found) == {int(visible[i]) for i in best_of(slices[visible], 8)}


@pytest.mark.usefixtures("small_pools")
def test_where_few_are_visible_all_are_tried() -> None:
    index = filled(nested_vectors(300, 32), 8)
    query = nested_vectors(1, 32, seed=1)[0]
    few, more = np.arange(0, 200, 5), np.arange(0, 205, 5)
    assert (len(few), len(more)) == (40, 41)
    assert index.pool(query, few, k=1).tolist() == few.tolist()
    assert index.rough_pool(query, few[:8]).tolist() == few[:8].tolist()
    assert len(index.pool(query, more, k=1)) == 8
    assert index.pool(query, more, k=41).tolist() == more.tolist()


def test_a_whole_scan_leaves_256_rows_or_twice_what_is_wanted() -> None:
    vectors = nested_vectors(16_400, 4)
    index = filled(vectors, 4)
    everything = np.arange(16_400)
    assert [len(index.pool(vectors[0], everything, k=k)) for k in (10, 128, 129)] == [256, 256, 258]
    assert len(index.rough_pool(vectors[0], everything)) == 256
    assert len(index.pool(vectors[0], everything[:16_384], k=1)) == 16_384
    assert len(index.pool(vectors[0], everything[:16_385], k=1)) == 256


@pytest.mark.parametrize("dim", [4, 16])
def test_slices_follow_their_rows(dim: int) -> None:
    vectors = nested_vectors(100, 16)
    index = filled(vectors[:50], dim)
    index.add(vectors[50:])
    index.replace(np.array([3, 60]), vectors[[61, 4]])
    vectors[[3, 60]] = vectors[[61, 4]]
    keep = np.arange(100) % 3 != 1
    query = nested_vectors(1, 16, seed=1)[0]
    for expected in (vectors, vectors[keep]):
        np.testing.assert_allclose(
            index.scan(query), slice_dim(expected, dim) @ slice_dim(query, dim), atol=1e-6
        )
        np.testing.assert_allclose(index.cosines(query), expected @ query, atol=1e-6)
        assert index.nbytes == expected.nbytes + (len(expected) * dim * 4 if dim < 16 else 0)
        index.keep(keep) if len(index) == 100 else None


@pytest.mark.parametrize("dim", [0, 9])
def test_impossible_dims_are_refused(dim: int) -> None:
    with pytest.raises(DimensionError, match=f"dim={dim}"):
        VectorIndex(full_dim=8, dim=dim)
    with pytest.raises(DimensionError, match=f"dim={dim}"):
        filled(nested_vectors(3, 8), 8).scan(np.ones(8, np.float32), dim=dim)


@pytest.mark.parametrize("alike", [1, 300, 30_000])
def test_the_largest_of_many_are_found_however_many_are_alike(alike: int) -> None:
    values = np.random.default_rng(alike).permutation(30_000).astype(np.float32)
    values[values < alike] = 0
    values[values > 29_990 - alike] = 29_990
    for count in (1, 7, 256):
        found = values[index_module._largest(values, count)]
        np.testing.assert_array_equal(np.sort(found), np.sort(values)[-count:])


def test_a_query_without_words_is_answered_where_there_are_many() -> None:
    vectors = nested_vectors(index_module.EXACT_ROWS + 3_000, 16)
    rows = np.arange(len(vectors))
    pool = filled(vectors, 8).pool(np.zeros(16, dtype=np.float32), rows, k=10)
    assert len(set(pool.tolist())) == index_module.FIRST_POOL
