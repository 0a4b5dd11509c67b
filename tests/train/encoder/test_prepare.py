from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from romaine.errors import InputFileError
from romaine.train.encoder import prepare as preparing
from romaine.train.encoder.encoder_run import EncoderRun
from romaine.train.encoder.prepare import prepare
from romaine.train.encoder.recipe import EncoderRecipe
from romaine.train.recipe_file import read_encoder_recipe


@pytest.fixture
def run(encoder_recipe: Path, chat_folder: Path, tmp_path: Path) -> EncoderRun[EncoderRecipe]:
    return EncoderRun(
        recipe=read_encoder_recipe(encoder_recipe),
        recipe_name="small",
        data=(chat_folder,),
        out=tmp_path / "out",
        threads=1,
    )


def test_chats_are_mined_once(run: EncoderRun[EncoderRecipe], monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(run)
    assert set(first.material.asked) == {"evidence", "asked"}
    assert len(first.material.chats["evidence"]) == 3  # one is held out
    assert first.files["evidence"]["licence"] == "CC0-1.0"
    texts, vectors = first.material.kept
    assert vectors.shape == (len(texts), 48)
    monkeypatch.setattr(preparing, "ask_memory", None)  # would fail if the memory were asked again
    again = prepare(run)
    assert again.material.asked == first.material.asked
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.material.weights, first.material.weights)


def test_what_a_measuring_file_holds_is_not_learned_from(
    run: EncoderRun[EncoderRecipe], chat_folder: Path, tmp_path: Path
) -> None:
    lines = (chat_folder / "evidence.jsonl").read_text("utf-8").splitlines()
    asked = [question["query"] for line in lines for question in json.loads(line)["questions"]]
    barred = tmp_path / "measuring.txt"
    barred.write_text("\n".join(asked[::2]), encoding="utf-8")
    left = prepare(replace(run, measuring=(barred,))).material.asked["evidence"]
    assert left
    assert not {question.question for question in left} & set(asked[::2])


def test_missing_data_is_told(run: EncoderRun[EncoderRecipe], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputFileError, match=r"dev.csv is in none of"):
        prepare(replace(run, data=(tmp_path / "empty",)))
