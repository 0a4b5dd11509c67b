"""Every numbered example runs offline on the bundled model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from romaine.formats import read
from tests import model_folders

EXAMPLES = Path(__file__).parents[1] / "examples"
LETTUCE = EXAMPLES / "09_lettuce.py"


def run(script: Path, folder: Path, **environment: str) -> str:
    """What an example prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        env=os.environ | {"HAYSTACK_TELEMETRY_ENABLED": "False"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    return done.stdout


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("[0-9]*.py")), ids=lambda path: path.name)
def test_example_runs(script, tmp_path):
    run(script, tmp_path)
    assert not list(tmp_path.iterdir()), "examples leave nothing behind"


def test_lettuce_is_skipped_where_its_files_are_not(tmp_path):
    assert "romaine models download" in run(LETTUCE, tmp_path, HF_HUB_CACHE=str(tmp_path))


def test_lettuce_is_used_where_its_files_are(tmp_path, minilm_folder):
    """A NomicBERT of one layer stands in the hub cache under lettuce's name, in lettuce's layout."""
    from romaine.export import export_model

    torch_folder = model_folders.write_nomic(
        tmp_path / "torch", minilm_folder, width=768, heads=12, layers=1, inner=256
    )
    exported = export_model(torch_folder, tmp_path / "exported").folder
    put_into_cache(
        tmp_path / "hub",
        "Zeolit/lettuce-emb-768d-v4",
        {
            "onnx/model.fp32.onnx": exported / "model.fp32.onnx",
            "tokenizer.json": torch_folder / "tokenizer.json",
            "config.json": torch_folder / "config.json",
        },
    )
    shown = run(LETTUCE, tmp_path, HF_HUB_CACHE=str(tmp_path / "hub"))
    assert "skipped" not in shown
    assert "Cassian: " in shown


def put_into_cache(hub: Path, repository: str, files: Mapping[str, Path]) -> None:
    commit = "0" * 40
    root = hub / ("models--" + repository.replace("/", "--"))
    for name, source in files.items():
        target = root / "snapshots" / commit / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(commit)


@pytest.mark.parametrize("chat", sorted((EXAMPLES / "data").glob("demo-*.jsonl")), ids=lambda path: path.stem)
def test_sample_chats_in_other_languages_are_read_and_have_questions(chat):
    result = read(chat)
    assert 40 <= len(result.turns) <= 60
    assert len({turn.source_id for turn in result.turns}) == len(result.turns)
    assert {turn.role.value for turn in result.turns} >= {"user", "character"}
    questions = json.loads(chat.with_suffix(".questions.json").read_text(encoding="utf-8"))
    assert len(set(questions)) == 5


def test_discarded_swipes_of_the_korean_chat_are_left_out():
    texts = "\n".join(turn.text for turn in read(EXAMPLES / "data" / "demo-ko.jsonl").turns)
    assert "달걀은 아직 따뜻하다" in texts
    assert "붕어빵은 식었다" not in texts
