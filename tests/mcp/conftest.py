"""A memory with the memories of two users, and a client of the server that serves one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope

if TYPE_CHECKING:
    from mcp import Client

if find_spec("mcp") is None:  # the extra is not installed
    collect_ignore_glob = ["test_*.py"]

SCOPE = Scope(user="ana", character="Cassian", chat="tavern")

Ask = Callable[..., Any]


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
def ask(memory: RoleplayMemory) -> Ask:
    """Runs what is to be done with a client of Ana's server."""
    from mcp import Client
    from mcp.shared.exceptions import MCPError

    from romaine.mcp import OpenMemory, memory_server

    def run(do: Callable[[Client], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            async with Client(memory_server(lambda _: OpenMemory(memory=memory, scope=SCOPE))) as client:
                try:
                    return await do(client)
                except MCPError as error:  # not raised here: the client's tasks would make a group of it
                    return error

        result = asyncio.run(connected())
        if isinstance(result, MCPError):
            raise result
        return result

    return run


@pytest.fixture
def call(ask: Ask) -> Callable[..., Any]:
    """Calls a tool; what it gives, or the text of its error."""

    def run(name: str, **arguments: Any) -> Any:
        result = ask(lambda client: client.call_tool(name, arguments))
        return result.content[0].text if result.is_error else result.structured_content

    return run
