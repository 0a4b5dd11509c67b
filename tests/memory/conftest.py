"""A memory on the bundled model, and the people it remembers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope, Turn
from tests import late_models, postgres


@pytest.fixture(scope="session")
def gem() -> Embedder:
    return Embedder(dim=64)


@pytest.fixture(scope="session")
def oak(minilm_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """A small model that gives vectors of tokens."""
    folder = late_models.write_own(tmp_path_factory.mktemp("models") / "little-oak", minilm_folder)
    return Embedder(folder, dim=8).warm_up()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memories.db"


ON_EVERY_ENGINE = {
    *("test_recall", "test_forks", "test_edits", "test_late", "test_notes"),
    *("test_restoring", "test_sampling", "test_times"),
}
"""Modules whose tests run over every engine, but for those that look into the file."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = metafunc.fixturenames
    module = metafunc.module.__name__.rpartition(".")[2]
    if module in ON_EVERY_ENGINE and "engine" in names and "path" not in _arguments(metafunc.function):
        metafunc.parametrize("engine", ["sqlite", "postgres"], indirect=True)


def _arguments(function: object) -> set[str]:
    return set(inspect.signature(function).parameters)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture
def memory(path: Path, gem: Embedder, engine: str) -> Iterator[RoleplayMemory]:
    where = path if engine == "sqlite" else postgres.url_for(path)
    with RoleplayMemory(where, embedder=gem) as opened:
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
