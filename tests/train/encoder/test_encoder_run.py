from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from romaine.train.encoder.encoder_run import EncoderRun, machine
from romaine.train.encoder.recipe import EncoderRecipe
from romaine.train.recipe_file import read_encoder_recipe

FILES = {"evidence": {"sha256": "ab"}}


def a_run(recipe: Path, folder: Path, *measuring: Path) -> EncoderRun[EncoderRecipe]:
    return EncoderRun(
        recipe=read_encoder_recipe(recipe),
        recipe_name="small",
        data=(folder, folder),
        out=folder / "out",
        measuring=measuring,
        threads=2,
    )


def test_what_decides_a_run_is_in_its_fingerprint(encoder_recipe: Path, tmp_path: Path) -> None:
    barred = tmp_path / "barred.txt"
    barred.write_text("a line", encoding="utf-8")
    run = a_run(encoder_recipe, tmp_path)
    first = run.fingerprint(FILES)
    # a name decides nothing, and a stage may be added to a run
    renamed = replace(run.recipe, name="other", note="of today", stages=run.recipe.stages[:1])
    assert replace(run, recipe=renamed).fingerprint(FILES) == first
    others = {
        replace(run, recipe=replace(run.recipe, seed=9)).fingerprint(FILES),
        run.fingerprint({"evidence": {"sha256": "cd"}}),
        a_run(encoder_recipe, tmp_path, barred).fingerprint(FILES),
    }
    assert len(others | {first}) == 4


def test_its_command_names_no_folder(encoder_recipe: Path, tmp_path: Path) -> None:
    command = a_run(encoder_recipe, tmp_path, tmp_path / "locomo 1.json").command()
    assert command == (
        "romaine train encoder small --data DIR --data DIR --measuring 'locomo 1.json' --threads 2 --out OUT"
    )
    assert str(tmp_path) not in command


def test_a_machine_is_named_by_kind_only() -> None:
    assert re.fullmatch(r"\S+, \d+ threads, torch [\w.+]+", machine())
