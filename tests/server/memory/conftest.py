"""A server with a memory and keys of Ana, of Bob and of everybody, without sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from romaine.memory import RoleplayMemory

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx import Response
    from starlette.testclient import TestClient

    from romaine.server.keys import KeyFile

if find_spec("fastapi") is None:  # the extra is not installed
    collect_ignore_glob = ["test_*.py"]

BASE = "http://127.0.0.1"
KEY = "I left the silver key under the third step."
NOBODY = "01a2003c-5c62-7c97-ad15-67ece870e079"

Ask = Callable[..., Any]

_chats = count()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFile:
    from romaine.server.keys import KeyFile

    return KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def app(keys: KeyFile, tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    from romaine.server.app import create_app
    from romaine.server.settings import ServerSettings

    file = tmp_path_factory.mktemp("memory") / "memories.db"
    return create_app(ServerSettings(memory=file, keys=keys.path))


@pytest.fixture(scope="module")
def client(app: FastAPI, keys: KeyFile) -> Iterator[TestClient]:
    """A client whose default key is Ana's."""
    from starlette.testclient import TestClient

    with TestClient(app, base_url=BASE, headers=bearer(keys.make("ana"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def bob(keys: KeyFile) -> dict[str, str]:
    """Headers of Bob's key."""
    return bearer(keys.make("bob"))


@pytest.fixture(scope="module")
def anyone(keys: KeyFile) -> dict[str, str]:
    """Headers of a key for all users."""
    return bearer(keys.make("*"))


@pytest.fixture
def memory(app: FastAPI, client: TestClient) -> RoleplayMemory:
    """The open memory behind the server."""
    opened: RoleplayMemory = app.state.memory
    return opened


@pytest.fixture
def scope() -> dict[str, str]:
    """A chat of Ana's that no other test has."""
    return {"character": "Cassian", "chat": f"chat {next(_chats)}"}


@pytest.fixture
def post(client: TestClient, scope: dict[str, str]) -> Ask:
    """Posts to a route of the memory, about the test's own chat."""

    def send(route: str, *, headers: dict[str, str] | None = None, **body: Any) -> Response:
        return client.post(f"/v1/memory/{route}", json={"scope": scope} | body, headers=headers)

    return send


@pytest.fixture
def get(client: TestClient, scope: dict[str, str]) -> Ask:
    """Gets a route of the memory, about the test's own chat."""

    def send(route: str, **query: Any) -> Response:
        return client.get(f"/v1/memory/{route}", params=scope | query)

    return send


def said(text: str, source_id: str | None = None, **more: Any) -> dict[str, Any]:
    """A turn as JSON has it."""
    return {"text": text, "speaker": "Cassian", "role": "character", "source_id": source_id} | more
