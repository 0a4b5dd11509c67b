"""docs/memory-api.md and docs/mcp.md: what they show runs, and names what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("mcp")

from romaine.mcp.tools import TOOLS
from romaine.server.app import create_app
from romaine.server.settings import ServerSettings
from tests.pages import run_page
from tests.server.conftest import running_server

DOCS = Path(__file__).parents[2] / "docs"
MEMORY_API = (DOCS / "memory-api.md").read_text(encoding="utf-8")
MCP = (DOCS / "mcp.md").read_text(encoding="utf-8")


def test_the_page_on_the_memory_over_http(tmp_path: Path) -> None:
    with running_server(tmp_path / "log", "--memory", str(tmp_path / "memories.db")) as server:
        run_page(DOCS / "memory-api.md", tmp_path, server=server.url)


def test_the_page_on_mcp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(DOCS / "mcp.md", tmp_path)


def test_it_names_every_route() -> None:
    paths = create_app(ServerSettings(memory=Path("none.db"))).openapi()["paths"]
    routes = {path.removeprefix("/v1/memory") for path in paths if path.startswith("/v1/memory/")}
    assert {re.sub(r"\{\w+\}", "{id}", route) for route in routes} <= set(
        re.findall(r"`(?:[A-Z]+ )?(/[\w/{}]+)`", MEMORY_API)
    )


def test_it_names_every_tool() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", MCP, re.MULTILINE)) == set(TOOLS)


def test_its_configurations_are_json() -> None:
    blocks = re.findall(r"^```json\n(.*?)^```$", MCP, re.DOTALL | re.MULTILINE)
    assert all(json.loads(block)["mcpServers"] for block in blocks)
