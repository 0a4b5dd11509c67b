"""MCP over HTTP: the SDK's own client against a running server, with keys."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest

pytest.importorskip("mcp")

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.testclient import TestClient

from romaine.server.app import create_app
from romaine.server.keys import KeyFile
from romaine.server.settings import ServerSettings
from tests.server.conftest import RunningServer, running_server

KEY = "I left the silver key under the third step."
SEARCH = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "memory_stats"}}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFile:
    return KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def ana(keys: KeyFile) -> str:
    return keys.make("ana")


@pytest.fixture(scope="module")
def server(keys: KeyFile, ana: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("live")
    flags = ("--memory", str(folder / "memories.db"), "--keys", str(keys.path))
    with running_server(folder / "log", *flags) as running:
        yield running
    assert KEY not in running.log.read_text()


@asynccontextmanager
async def connected(server: RunningServer, key: str, path: str, mode: str = "auto") -> AsyncIterator[Client]:
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as http:
        transport = streamable_http_client(server.url + path, http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_client_over_http(server, ana, mode):
    async def talk() -> None:
        async with connected(server, ana, f"/mcp/ana/{mode}", mode) as client:
            assert len((await client.list_tools()).tools) <= 10
            added = await client.call_tool("add_memory", {"text": KEY, "pinned": True})
            found = await client.call_tool("search_memories", {"query": "Where is the key?"})
            assert found.structured_content["memories"][0]["id"] == added.structured_content["id"]
            assert len((await client.list_resources()).resources) == 2
            wrong = await client.call_tool("add_memory", {"text": KEY, "user": "bob"})
            assert wrong.is_error

    asyncio.run(talk())


def test_the_url_says_which_chat(server, ana):
    async def talk(path: str, text: str | None) -> list[str]:
        async with connected(server, ana, path) as client:
            if text is not None:
                await client.call_tool("add_memory", {"text": text})
            page = await client.call_tool("get_memories")
            return [memory["text"] for memory in page.structured_content["memories"]]

    assert asyncio.run(talk("/mcp/ana/Mira?chat=tavern", "It rains.")) == ["It rains."]
    assert asyncio.run(talk("/mcp/ana/Mira?chat=harbour", None)) == []
    assert asyncio.run(talk("/mcp/ana/Mira", None)) == []


def test_agents_at_once(server, ana):
    async def agent(number: int) -> list[str]:
        ids = []
        async with connected(server, ana, "/mcp/ana/Crowd?chat=all") as client:
            for turn in range(10):
                said = {"text": f"{number}: {turn}", "speaker": f"Agent {number}", "role": "character"}
                added = await client.call_tool("add_turns", {"turns": [said]})
                ids += added.structured_content["ids"]
        return ids

    async def all_at_once() -> list[list[str]]:
        return await asyncio.gather(*map(agent, range(4)))

    async def listed() -> list[dict]:
        async with connected(server, ana, "/mcp/ana/Crowd?chat=all") as client:
            return (await client.call_tool("get_memories", {"limit": 100})).structured_content["memories"]

    ids = asyncio.run(all_at_once())
    turns = asyncio.run(listed())
    assert {turn["id"] for turn in turns} == {id_ for part in ids for id_ in part}
    assert [turn["position"] for turn in turns] == list(range(40))


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/mcp/ana/Cassian", "", 401),
        ("/mcp/bob/Cassian", "ana", 403),
        ("/mcp/ana", "ana", 404),
        ("/mcp/ana/Cassian/tavern", "ana", 404),
        ("/mcp/ana/Cassian?chats=tavern", "ana", 422),
        ("/mcp/ana/Cassian", "ana", 200),
    ],
)
def test_the_key_decides(server, ana, path, key, status):
    headers = ACCEPT | ({"Authorization": f"Bearer {ana}"} if key else {})
    assert httpx.post(server.url + path, json=SEARCH, headers=headers).status_code == status


def test_nothing_is_kept_between_requests(server, ana):
    headers = ACCEPT | {"Authorization": f"Bearer {ana}"}
    answer = httpx.post(f"{server.url}/mcp/ana/Cassian", json=SEARCH, headers=headers)
    assert "mcp-session-id" not in answer.headers
    assert httpx.get(f"{server.url}/mcp/ana/Cassian", headers=headers).status_code == 405


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 50_000,
        b"[]",
        b'{"jsonrpc": "2.0"}',
        b"\xff",
        b"7" * 9000,
        KEY.encode(),
        json.dumps({"jsonrpc": "2.0", "id": KEY, "method": KEY, "params": KEY}).encode(),
        json.dumps(SEARCH | {"params": {"name": KEY}, "id": {"id": KEY}}).encode(),
    ],
)
@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28", KEY])
def test_bodies_that_are_none(server, ana, content, version):
    """Nor are they, or what they hold, in the log, which the fixture looks at in the end."""
    headers = ACCEPT | {
        "Authorization": f"Bearer {ana}",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": version,
    }
    answer = httpx.post(f"{server.url}/mcp/ana/Cassian", content=content, headers=headers)
    assert answer.status_code == 202 or 400 <= answer.status_code < 500


def test_without_the_extra_there_is_no_such_route(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("romaine.mcp")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp_types", None)
    app = create_app(ServerSettings(memory=tmp_path / "memories.db"))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.post("/mcp/ana/Cassian", json=SEARCH, headers=ACCEPT).status_code == 404
        assert client.get("/v1/memory/stats", params={"user": "ana"}).status_code == 200
