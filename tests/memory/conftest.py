"""A memory on the bundled model, and the people it remembers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope, Turn


@pytest.fixture(scope="session")
def gem() -> Embedder:
    return Embedder(dim=64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memories.db"


@pytest.fixture
def memory(path: Path, gem: Embedder) -> Iterator[RoleplayMemory]:
    with RoleplayMemory(path, embedder=gem) as opened:
        yield opened


@pytest.fixture
def scope() -> Scope:
    return Scope(user="ana", character="Cassian", chat="tavern")


def said(text: str, source_id: str | None = None, *, speaker: str = "Cassian", **fields: object) -> Turn:
    return Turn(text, speaker=speaker, role="character", source_id=source_id, **fields)


CHAT = (
    said("I left the silver key under the third step.", "1"),
    said("Good night, and lock the door.", "2", speaker="Ana"),
    said("The harbour master owes me forty gold pieces.", "3"),
    said("Then we should visit him tomorrow.", "4", speaker="Ana"),
)
