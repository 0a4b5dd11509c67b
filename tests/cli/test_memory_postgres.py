"""The commands with the URL of a database in place of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from romaine.cli.memory import app
from romaine.errors import StorageError
from tests import postgres

CHAT = Path(__file__).parents[2] / "examples" / "data" / "heron-and-lantern.jsonl"
WHOSE = ("--user", "ana", "--character", "Cassian", "--chat", "tavern")


def test_commands_take_a_url_by_option_and_by_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.url_for(tmp_path)

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output + repr(done.exception)
        return done.stdout

    missing = CliRunner().invoke(app, ["stats", "--db", url, *WHOSE])
    assert isinstance(missing.exception, StorageError)
    assert "is not there; check the name" in str(missing.exception)
    run("import", str(CHAT), "--db", url, *WHOSE)
    monkeypatch.setenv("ROMAINE_MEMORY", url)
    count = json.loads(run("stats", *WHOSE, "--json"))["memories"]["turn"]
    assert count > 10
    assert f"{count} memories, 0 damaged" in run("check")
    (hit, *_) = json.loads(run("recall", "Where is the silver key?", *WHOSE, "--json"))["hits"]
    assert run("forget", hit["memory"]["id"], "--yes", *WHOSE)
    assert "nothing of what was forgotten" in run("erase")
    assert "embedded with" in run("reembed")
    assert json.loads(run("stats", *WHOSE, "--json"))["memories"]["turn"] == count - 1
    assert not list(tmp_path.iterdir())


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROMAINE_MEMORY", f"postgresql://ana:geheim@/story?host={tmp_path}")
    done = CliRunner().invoke(app, ["stats", *WHOSE])
    assert isinstance(done.exception, StorageError)
    assert "geheim" not in str(done.exception) + done.output
    assert "geheim" not in CliRunner().invoke(app, ["stats", "--help"]).output
