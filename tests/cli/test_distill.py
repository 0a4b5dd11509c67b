from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from romaine import Embedder
from romaine.errors import ModelFormatError, ModelNotFoundError, OptionError
from tests.train.conftest import made_up_texts, small_teacher_folder, texts_file  # noqa: F401


def run(*arguments: object):
    import typer

    from romaine.cli import distill

    app = typer.Typer()
    distill.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


SMALL = ("--dim", 48, "--steps", 10, "--batch", 32, "--no-progress", "--threads", 1)


@pytest.mark.parametrize(("bits", "largest"), [(4, 9_000), (8, 14_000)])
def test_a_folder_comes_out_that_loads(small_teacher_folder, texts_file, tmp_path, bits, largest):  # noqa: F811
    sts = tmp_path / "sts.csv"
    sts.write_text("silver key,silver key,5\nstorm captain,captain,3\nriver,apple,0\n", encoding="utf-8")
    out = tmp_path / "model"
    result = run(
        small_teacher_folder, "--texts", texts_file, "--out", out, "--bits", bits, "--sts", sts,
        "--name", "mine", "--cache", tmp_path / "cache", *SMALL,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    card = json.loads((out / "romaine.json").read_text("utf-8"))
    assert card["id"] == "mine"
    assert card["dims"] == [32, 48]
    assert str(tmp_path) not in json.dumps(card)
    assert (out / "model.safetensors").stat().st_size < largest
    embedder = Embedder(out)
    assert embedder.embed_documents(["silver key", "storm"]).shape == (2, 48)
    assert Embedder(out, dim=32).embed_query("a letter").shape == (32,)


def test_the_same_command_gives_the_same_bytes(small_teacher_folder, texts_file, tmp_path):  # noqa: F811
    for name in ("one", "two"):
        result = run(small_teacher_folder, "--texts", texts_file, "--out", tmp_path / name, *SMALL)
        assert result.exit_code == 0, result.output
    for file in ("model.safetensors", "tokenizer.json", "romaine.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--bits", 5), OptionError),
        (("--dim", 47), OptionError),
        (("--steps", 0), OptionError),
        (("--device", "abacus"), OptionError),
        (("--max-texts", 1), OptionError),
        (("--sts", "gone.csv"), OptionError),
    ],
)
def test_bad_options_are_errors_of_ours(small_teacher_folder, texts_file, tmp_path, options, error):  # noqa: F811
    result = run(small_teacher_folder, "--texts", texts_file, "--out", tmp_path / "x", *SMALL, *options)
    assert isinstance(result.exception, error)


def test_a_teacher_that_is_not_there_or_not_whole(texts_file, tmp_path):  # noqa: F811
    missing = run(tmp_path / "gone", "--texts", texts_file, "--out", tmp_path / "x", *SMALL)
    assert isinstance(missing.exception, ModelNotFoundError)
    (tmp_path / "empty").mkdir()
    empty = run(tmp_path / "empty", "--texts", texts_file, "--out", tmp_path / "x", *SMALL)
    assert isinstance(empty.exception, ModelFormatError)
