from __future__ import annotations

import numpy as np

from romaine.memory import RoleplayMemory, Scope

from .conftest import CHAT, said


def test_vectors_are_those_of_the_words(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, CHAT)
    memory.add_fact(scope, "There is a key.")
    memories, vectors = memory.vectors(scope)
    assert [each.id for each in memories] == [each.id for each in memory.list(scope)]
    assert vectors.shape == (5, memory.embedder.full_dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    key, alike = vectors[0], vectors[4]
    assert key @ alike > key @ vectors[1]


def test_a_sample_is_taken_evenly(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, [said(f"This is line number {n}.") for n in range(50)])
    memories, vectors = memory.vectors(scope, limit=5)
    positions = [each.position for each in memories]
    assert positions[0] == 0
    assert positions[-1] == 49
    assert len(positions) == len(vectors) == 5
    assert memory.vectors(scope, kinds=["lore"])[1].shape == (0, memory.embedder.full_dim)
    assert memory.vectors(Scope(user="nobody"))[0] == []
