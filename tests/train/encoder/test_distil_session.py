"""`romaine train distill`: a student that aligns, and one that does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from romaine import Embedder
from romaine.cli.train import app
from romaine.errors import OptionError, VectorError
from romaine.train.encoder.distil_session import train_distilled
from romaine.train.encoder.encoder_run import EncoderRun
from romaine.train.recipe_file import read_distil_recipe

RECIPE = """
name = "leaf"
layers = 1
held_out = 20
dims = [16, 48]
[teacher]
kind = "model"
model = "TEACHER"
[data.texts]
kind = "texts"
file = "texts.jsonl"
licence = "CC0-1.0"
[data.chat]
kind = "dialogues"
file = "dialogues.jsonl"
limit = 20
[watch]
every = 40
sts = "dev.csv"
stop_below = -1.0
[[stages]]
name = "alignment"
steps = 80
batch = 16
learning_rate = 1e-2
max_tokens = 24
decay = true
[[stages]]
name = "contrastive"
steps = 4
batch = 8
learning_rate = 1e-4
contrastive = 1.0
[[stages]]
name = "triplet"
steps = 4
batch = 8
learning_rate = 1e-4
contrastive = 0.5
triplet = 0.5
decay = true
"""


def recipe_file(tmp_path: Path, teacher: Path, old: str = "", new: str = "") -> Path:
    path = tmp_path / "leaf.toml"
    path.write_text(RECIPE.replace("TEACHER", str(teacher)).replace(old, new), encoding="utf-8")
    return path


def test_a_student_of_fewer_layers_is_aligned_and_opens(
    small_teacher_folder: Path, data_folder: Path, tmp_path: Path
) -> None:
    path, out = recipe_file(tmp_path, small_teacher_folder), tmp_path / "out"
    command = ["distill", str(path), "--data", str(data_folder), "--out", str(out), "--threads", "1"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.exception
    assert Embedder(out, threads=1).embed_query("the silver key").shape == (48,)
    readings = json.loads((out / "metrics.json").read_text("utf-8"))["readings"]
    aligned = [reading["alignment"] for reading in readings]
    assert aligned[-1] < min(1, aligned[0])
    assert {reading["stage"] for reading in readings} == {"start", "alignment", "contrastive", "triplet"}


def test_a_student_that_does_not_align_is_stopped(
    small_teacher_folder: Path, data_folder: Path, tmp_path: Path
) -> None:
    path = recipe_file(
        tmp_path, small_teacher_folder, "held_out = 20", "held_out = 20\nalignment_limit = 1e-9"
    )
    run = EncoderRun(
        recipe=read_distil_recipe(path), recipe_name="leaf", data=(data_folder,), out=tmp_path / "out"
    )
    with pytest.raises(VectorError, match="alignment with the teacher"):
        train_distilled(run)


def test_alignment_comes_first(small_teacher_folder: Path, tmp_path: Path) -> None:
    path = recipe_file(tmp_path, small_teacher_folder, 'name = "alignment"', 'name = "x"\ncontrastive = 1.0')
    with pytest.raises(OptionError, match="is the first"):
        read_distil_recipe(path)
