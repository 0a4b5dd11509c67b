from __future__ import annotations

from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.errors import OtherEmbedderError
from romaine.memory import RoleplayMemory, Scope, reembed

from .conftest import CHAT, said


@pytest.fixture(scope="module")
def other() -> Embedder:
    """The same model asked differently: another vector space, as far as the memory is concerned."""
    return Embedder(dim=64, document_prompt="passage: ")


class Interrupted(Exception):  # noqa: N818
    pass


def test_a_file_changes_its_embedder(path: Path, gem: Embedder, other: Embedder, scope: Scope) -> None:
    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
        memory.add_fact(scope, "The key is silver.")
        before = memory.list(scope)
    told: list[tuple[int, int]] = []
    assert reembed(path, other, batch_size=2, progress=lambda *now: told.append(now)) == 5
    assert told == [(2, 5), (4, 5), (5, 5)]
    with pytest.raises(OtherEmbedderError):
        RoleplayMemory(path, embedder=gem)
    with RoleplayMemory(path, embedder=other) as memory, RoleplayMemory(":memory:", embedder=other) as fresh:
        assert memory.list(scope) == before
        fresh.add_turns(scope, CHAT)
        fresh.add_fact(scope, "The key is silver.")
        scores = [hit.score for hit in memory.recall("key", scope, k=9)]
        assert scores == pytest.approx([hit.score for hit in fresh.recall("key", scope, k=9)], abs=1e-5)
        assert memory.verify().is_sound


def test_an_interrupted_change_goes_on(path: Path, gem: Embedder, other: Embedder, scope: Scope) -> None:
    def interrupt(done: int, _total: int) -> None:
        if done >= 4:
            raise Interrupted

    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, [said(f"line {n} of the song", str(n)) for n in range(9)])
        with pytest.raises(Interrupted):
            reembed(path, other, batch_size=2, progress=interrupt)
        assert memory.recall("song", scope)  # the old vectors serve
        memory.add_turns(scope, [said("another line", "9"), said("line 0, sung anew", "0")])
        memory.forget(scope, memory.list(scope)[5].id)
        assert reembed(path, other, batch_size=2) < 10
        with pytest.raises(OtherEmbedderError):
            memory.recall("song", scope)
        with pytest.raises(OtherEmbedderError):
            memory.add_turns(scope, [said("too late")])
    with RoleplayMemory(path, embedder=other) as memory:
        assert len(memory.recall("line", scope, k=20)) == 9
        assert memory.verify().is_sound


def test_another_target_starts_over(path: Path, gem: Embedder, other: Embedder, scope: Scope) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise Interrupted

    with RoleplayMemory(path, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
    with pytest.raises(Interrupted):
        reembed(path, other, batch_size=2, progress=interrupt)
    assert reembed(path, gem) == 4
    with RoleplayMemory(path, embedder=gem) as memory:
        assert memory.recall("silver key", scope)[0].memory.text == CHAT[0].text


def test_an_open_memory_changes_its_embedder(gem: Embedder, other: Embedder, scope: Scope) -> None:
    with RoleplayMemory(":memory:", embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
        assert memory.reembed(other) == 4
        assert memory.embedder is other
        assert memory.recall("silver key", scope)[0].memory.text == CHAT[0].text
        assert memory.add_turns(scope, [said("more")]).added == 1
