from __future__ import annotations

import numpy as np

from romaine.arrays import l2_normalize
from romaine.memory import DefaultAnalyzer, Kind, Memory, Scope
from romaine.server.page.picture import memory_map

THEMES = ("The bees swarm in the garden", "A ship sails for the harbour", "Snow falls on the mountain pass")


def told(count: int) -> tuple[list[Memory], np.ndarray]:
    """Memories of three themes that are far apart, and their vectors."""
    random = np.random.default_rng(0)
    texts = [f"{THEMES[n % 3]} for the {n}th time." for n in range(count)]
    vectors = np.eye(3, 16, dtype=np.float32)[np.arange(count) % 3] + 0.05 * random.standard_normal(
        (count, 16), dtype=np.float32
    )
    memories = [
        Memory(scope=Scope(user="ana"), kind=Kind.TURN, text=text, position=n) for n, text in enumerate(texts)
    ]
    return memories, l2_normalize(vectors)


def test_what_means_alike_lies_close_and_is_named():
    memories, vectors = told(36)
    found = memory_map(memories, vectors, DefaultAnalyzer())
    assert found is not None
    assert [cluster.size for cluster in found.clusters] == [12, 12, 12]
    by_theme = [{dot.cluster for dot in found.dots[n::3]} for n in range(3)]
    assert [len(clusters) for clusters in by_theme] == [1, 1, 1]
    words = {word for cluster in found.clusters for word in cluster.words}
    assert {"bees", "harbour", "snow"} <= words
    for cluster in found.clusters:
        assert len({memory.text[:9] for memory in cluster.nearest}) == 1
    assert found.shown > 0.8
    assert all(0 <= dot.x <= 100 and 0 <= dot.y <= 100 for dot in found.dots)


def test_clusters_are_ordered_by_size():
    memories, vectors = told(60)
    keep = [n for n in range(60) if n % 3 == 0 or n < 40]
    found = memory_map([memories[n] for n in keep], vectors[keep], DefaultAnalyzer())
    assert found is not None
    sizes = [cluster.size for cluster in found.clusters]
    assert sizes == sorted(sizes, reverse=True)
    assert [cluster.number for cluster in found.clusters] == list(range(len(sizes)))


def test_odd_vectors_are_laid_out_too():
    memories, vectors = told(30)
    assert memory_map(memories[:2], vectors[:2], DefaultAnalyzer()) is None
    for odd in (np.zeros_like(vectors), np.ones_like(vectors)):
        found = memory_map(memories, odd, DefaultAnalyzer())
        assert found is not None
        assert all(np.isfinite([dot.x, dot.y]).all() for dot in found.dots)
