"""docs/server.md and what deploys a server: what they show runs, and names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from romaine.server.app import create_app
from romaine.server.settings import ServerSettings
from tests.pages import run_page

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
DEPLOY = ROOT / "deploy"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.filterwarnings("default")
def test_its_code_prints_what_it_says(server, tmp_path):
    pytest.importorskip("openai")
    run_page(ROOT / "docs" / "server.md", tmp_path, server=server.url)


def test_its_settings_are_settings(tmp_path, monkeypatch):
    (file,) = blocks("toml")
    (tmp_path / "romaine.toml").write_text(file)
    monkeypatch.setenv("ROMAINE_CONFIG", str(tmp_path / "romaine.toml"))
    assert ServerSettings().port == 8080
    for flag in re.findall(r"--([a-z-]+)", "".join(blocks("console")).replace("--user", "")):
        assert flag.replace("-", "_") in ServerSettings.model_fields


def test_it_names_every_route():
    paths = create_app(ServerSettings()).openapi()["paths"]
    ours = {path for path in paths if not path.startswith(("/v1/memory", "/mcp", "/v1/models/"))}
    assert ours == set(
        re.findall(r"`(?:[A-Z]+ )?(/[\w/]*)`", PAGE.partition("## What it answers")[2].partition("##")[0])
    )


def test_what_deploys_it_names_settings_that_there_are():
    for file in DEPLOY.iterdir():
        for name in re.findall(r"ROMAINE_(\w+)=", file.read_text(encoding="utf-8")):
            assert name in {"CONFIG", "CACHE"} or name.lower() in ServerSettings.model_fields, file
    docker = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert "USER 10001" in docker
    assert "ROMAINE_OFFLINE=true" in docker
