"""A server with the page, keys of Ana, of Bob and of everybody, and Ana's memory of a tavern."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from romaine.memory import Memory, RoleplayMemory, Scope, Turn

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from romaine.server.keys import KeyFile

if find_spec("fastapi") is None:  # the extra is not installed
    collect_ignore_glob = ["test_*.py"]

BASE = "http://127.0.0.1"
TAVERN = Scope(user="ana", character="Cassian", chat="tavern")
CHAT = (
    ("Ana", "user", "Where did you hide the silver key?"),
    ("Cassian", "character", "I left the silver key under the third step."),
    ("Ana", "user", "Good night, and lock the door."),
    ("Cassian", "character", "The harbour master owes me forty gold pieces."),
)
SCRIPT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
ESCAPED = "&lt;script&gt;"

Fetch = Callable[..., Any]


def turns(*said: tuple[str, str, str]) -> list[Turn]:
    return [
        Turn(text, speaker=who, role=role, source_id=str(n)) for n, (who, role, text) in enumerate(said, 1)
    ]


@pytest.fixture
def keys(tmp_path) -> KeyFile:
    from romaine.server.keys import KeyFile

    return KeyFile(tmp_path / "keys.json")


@pytest.fixture
def client(client_of, keys, tmp_path) -> TestClient:
    """Nobody yet: signs in with a header, or not at all."""
    made = client_of(memory=tmp_path / "memories.db", keys=keys.path)
    made.base_url = BASE
    return made


@pytest.fixture
def memory(client) -> RoleplayMemory:
    """The open memory of the server, in which the tavern's chat was told."""
    opened: RoleplayMemory = client.app.state.memory
    opened.add_turns(TAVERN, turns(*CHAT))
    return opened


@pytest.fixture
def ana(client, keys, memory) -> Iterator[TestClient]:
    """Ana, signed in."""
    client.headers["Authorization"] = f"Bearer {keys.make('ana')}"
    return client


def about(scope: Scope = TAVERN, **more: object) -> dict[str, object]:
    """What a request's query says of a scope."""
    return {name: value for name, value in {**vars(scope), **more}.items() if value is not None}


def turn(memory: RoleplayMemory, source_id: str, scope: Scope = TAVERN) -> Memory:
    return memory.list(scope, source_ids=[source_id])[0]
