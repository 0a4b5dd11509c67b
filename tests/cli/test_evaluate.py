from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from romaine.cli.evaluate import app
from tests.evaluate.conftest import locomo


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = []
    for name in ("harbour", "library", "desert"):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(locomo(name)), encoding="utf-8")
        paths.append(str(path))
    return paths


def test_prints_a_table(files: list[str]) -> None:
    result = CliRunner().invoke(app, ["memory", *files])
    assert result.exit_code == 0
    for name in ("questions", "hit@1", "recall@10", "mrr@10", "queries/s"):
        assert name in result.output


def test_prints_json(files: list[str]) -> None:
    result = CliRunner().invoke(app, ["memory", *files, "--mode", "dense", "--dim", "64", "--json"])
    figures = json.loads(result.output)
    assert figures["questions"] == 6
    assert figures["dim"] == 64
    assert figures["mode"] == "dense"


@pytest.mark.parametrize("extra", [[], ["--json"]])
def test_calibrates(files: list[str], extra: list[str]) -> None:
    result = CliRunner().invoke(app, ["abstention", *files, *extra])
    assert result.exit_code == 0
    assert "silent" in result.output
