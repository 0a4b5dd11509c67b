"""The bundled model, and where a file may stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from romaine.embedder import Embedder


@pytest.fixture(scope="session")
def gem() -> Embedder:
    return Embedder(dim=64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memories.db"
