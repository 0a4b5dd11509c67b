"""The example of docs/training.md, with files like those it shows."""

from __future__ import annotations

import json
import random
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from romaine.cli import app
from tests.pages import blocks, commands
from tests.train.conftest import THINGS

PAGE = Path(__file__).parents[2] / "docs" / "training.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the pages are not part of an installation")


def more_like(name, shown):
    """Enough records of a shown file's shape to train on."""
    rng = random.Random(1)

    def sentence():
        return "the {} of the {} is near the {} {}".format(*rng.sample(THINGS, 3), rng.randint(1, 999))

    if name.endswith(".csv"):
        return shown + "".join(f"{sentence()},{sentence()},{rng.randint(0, 5)}\n" for _ in range(20))
    record = json.loads(shown)
    for _ in range(60):
        if "turns" in record:
            record["turns"] = [[speaker, sentence()] for speaker in ("Mira", "Tobin") * 3]
        else:
            record |= {"query": f"which {sentence()}?", "positive": sentence()}
        shown += json.dumps(record) + "\n"
    return shown


def test_the_example_runs(small_teacher_folder, tmp_path, monkeypatch, capsys):
    page = [block for block in blocks(PAGE.read_text("utf-8")) if not block.skipped]
    monkeypatch.chdir(tmp_path)
    for name, shown in ((block.file, block.code) for block in page if block.file):
        if name.endswith(".toml"):
            # the same recipe with a teacher of a few thousand weights
            assert 'kind = "minilm" ' in shown
            shown = shown.replace('kind = "minilm" ', f'kind = "model"\nmodel = "{small_teacher_folder}" ')
        else:
            shown = more_like(name, shown)
        Path(name).write_text(shown, encoding="utf-8")
    consoles = [block for block in page if block.language == "console"]
    shown = [command for block in consoles for command, _ in commands(block)]
    [command] = [command for command in shown if command.startswith("romaine ")]
    result = CliRunner().invoke(app, [*shlex.split(command)[1:], "--threads", "1", "--no-progress"])
    assert result.exit_code == 0, result.output
    [python] = [block for block in page if block.language == "python"]
    exec(compile(python.code, "docs/training.md", "exec"), {})
    assert capsys.readouterr().out.strip() == "(32,)"


def test_every_key_of_a_recipe_is_listed():
    from dataclasses import fields

    from romaine.train.recipe import DataSource, Initial, Phase, Recipe, TeacherSpec, Watch

    page = PAGE.read_text("utf-8")
    for kind in (Recipe, TeacherSpec, Initial, DataSource, Phase, Watch):
        for item in fields(kind):
            name = {
                "teachers": "[[teachers]]",
                "phases": "[[phases]]",
                "watch": "[watch]",
                "data": "[data.NAME]",
            }
            assert f"`{name.get(item.name, item.name)}`" in page or item.name in ("initial", "tasks"), (
                item.name
            )
