"""`romaine mcp`: what goes wrong before it serves; `tests/mcp/test_stdio.py` has it at work."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from romaine.cli import app
from romaine.errors import MissingExtraError, OptionError


@pytest.fixture
def run(tmp_path):
    def invoke(*options):
        return CliRunner().invoke(app, ["mcp", "--memory", str(tmp_path / "memories.db"), *options])

    return invoke


def test_without_the_extra_it_says_how_to_get_it(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp_types", None)
    for name in [name for name in sys.modules if name.startswith("romaine.mcp")]:
        monkeypatch.delitem(sys.modules, name)
    done = run("--user", "ana")
    assert isinstance(done.exception, MissingExtraError)
    assert "pip install 'romaine[mcp]'" in str(done.exception)


def test_a_user_is_needed(run):
    assert run().exit_code == 2
    pytest.importorskip("mcp")
    assert isinstance(run("--user", "").exception, OptionError)
