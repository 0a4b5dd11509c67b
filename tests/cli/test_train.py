from __future__ import annotations

import json
import sys

import pytest
from typer.testing import CliRunner

from romaine import Embedder
from romaine.cli.train import app
from romaine.errors import (
    InputFileError,
    MissingExtraError,
    ModelNotFoundError,
    OptionError,
    UnknownNameError,
)
from tests.train.conftest import data_folder, recipe_text, small_teacher_folder  # noqa: F401


@pytest.fixture
def recipe_file(recipe_text, tmp_path):  # noqa: F811
    path = tmp_path / "mine.toml"
    path.write_text(
        recipe_text.replace("steps = 24", "steps = 4").replace("steps = 12", "steps = 2"), "utf-8"
    )
    return path


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_folder_comes_out_that_loads(recipe_file, data_folder, tmp_path):  # noqa: F811
    out = tmp_path / "model"
    options = ("--threads", 1, "--bits", 8, "--name", "yours", "--seed", 3, "--cache", tmp_path / "cache")
    files = ("--data", data_folder, "--measuring", data_folder / "dev.csv", "--out", out)
    result = run("static", recipe_file, *files, *options)
    assert result.exit_code == 0, result.output
    assert "yours: 32 components" in result.output
    assert "recall of dev questions, 32 dims" in result.output
    card = json.loads((out / "romaine.json").read_text("utf-8"))
    assert card["id"] == "yours"
    command = card["measured"][0]["command"]
    shown = ("romaine train static mine.toml", "--measuring dev.csv", "--name yours", "--seed 3", "--bits 8")
    for part in shown:
        assert part in command
    assert str(tmp_path) not in json.dumps(card)
    assert Embedder(out, dim=16).embed_query("a letter").shape == (16,)


def test_what_is_watched_in_vain_is_said(recipe_file, data_folder, tmp_path):  # noqa: F811
    text = recipe_file.read_text("utf-8").replace("held_out = 0.2", "held_out = 0.0")
    recipe_file.write_text(text, "utf-8")
    result = run("static", recipe_file, "--data", data_folder, "--out", tmp_path / "x", "--threads", 1)
    assert result.exit_code == 0, result.output
    assert "warning: no dev questions about chat, pairs" in result.output


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--bits", 5), OptionError),
        (("--seed", -1), OptionError),
        (("--device", "abacus"), OptionError),
        (("--threads", 0), OptionError),
        (("--measuring", "gone.csv"), InputFileError),
    ],
)
def test_bad_options_are_errors_of_ours(recipe_file, data_folder, tmp_path, options, error):  # noqa: F811
    result = run("static", recipe_file, "--data", data_folder, "--out", tmp_path / "x", *options)
    assert isinstance(result.exception, error)


def test_files_that_are_not_there(recipe_file, data_folder, tmp_path):  # noqa: F811
    missing = run("static", tmp_path / "gone.toml", "--data", data_folder, "--out", tmp_path / "x")
    assert isinstance(missing.exception, InputFileError)
    empty = run("static", recipe_file, "--data", tmp_path, "--out", tmp_path / "x")
    assert isinstance(empty.exception, InputFileError)
    text = recipe_file.read_text("utf-8")
    model = next(line for line in text.splitlines() if line.startswith("model = "))
    recipe_file.write_text(text.replace(model, f'model = "{tmp_path}/gone"'), "utf-8")
    teacherless = run("static", recipe_file, "--data", data_folder, "--out", tmp_path / "x")
    assert isinstance(teacherless.exception, ModelNotFoundError)


def test_recipes_of_the_package_are_shown():
    names = run("recipe").output.split()
    assert "little-gem" in names
    assert "[[phases]]" in run("recipe", "little-gem").output
    assert isinstance(run("recipe", "no-such-gem").exception, (InputFileError, UnknownNameError))


def test_what_is_not_installed_is_named(recipe_file, data_folder, tmp_path, monkeypatch):  # noqa: F811
    for name in [name for name in sys.modules if name.startswith("romaine.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = run("static", recipe_file, "--data", data_folder, "--out", tmp_path / "x")
    assert isinstance(result.exception, MissingExtraError)
    assert "pip install 'romaine[train]'" in str(result.exception)
