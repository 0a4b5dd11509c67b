"""A schema for each test, and others who write to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from romaine.memory.postgres import PostgresStorage
from tests import postgres


@pytest.fixture
def url(path: Path) -> str:
    return postgres.url_for(path)


@pytest.fixture
def storage(url: str) -> Iterator[PostgresStorage]:
    opened = PostgresStorage(url, lock_timeout=20)
    yield opened
    opened.close()
