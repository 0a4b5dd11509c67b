from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from romaine.cli.demo import _QUESTIONS, _sample_chat
from romaine.cli.demo import _questions as demo_questions
from romaine.formats import read
from romaine.models import catalog


def demo(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "romaine", "demo", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=os.environ | {"COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
    )


def test_prepared_questions_find_their_turns():
    done = demo()
    assert done.returncode == 0, done.stderr
    assert all(question in done.stdout for question in _QUESTIONS)
    for answer in (
        "I left the silver key",
        "say the words to him",
        '"A gate, they say.',
        "screaming",
        '"Forty crowns.',
    ):
        assert answer in done.stdout
    assert f"{len(read(_sample_chat()).turns)} turns remembered" in done.stdout


@pytest.mark.parametrize(
    ("language", "said"),
    [("ko", "암호"), ("ja", "？"), ("zh", "？")],
)
def test_other_languages_have_samples_of_their_own(language, said):
    done = demo("--language", language)
    assert done.returncode == 0, done.stderr
    assert all(question in done.stdout for question in demo_questions(language))
    assert said in done.stdout
    assert "…│" not in done.stdout.replace(" ", "")  # nothing is cut off
    missing = "little-gem-multilingual" in catalog.installable()
    assert ("pip install 'romaine[multilingual]'" in done.stderr) == missing
    assert "Warning" not in done.stderr


def test_a_language_without_a_sample_names_those_there_are():
    done = demo("--language", "eo")
    assert done.returncode == 1
    assert "Allowed: 'en', 'ko', 'ja', 'zh'" in done.stderr


def test_own_chat_and_question(tmp_path):
    chat = tmp_path / "chat.jsonl"
    messages = [("Bo", "My [bold]boat[/bold] is called Margery."), ("Al", "Hm.")]
    chat.write_text("".join(json.dumps({"speaker": s, "text": t}) + "\n" for s, t in messages))
    done = demo("What is the boat called?", "--chat", chat, "-k", "1")
    assert done.returncode == 0, done.stderr
    assert "My [bold]boat[/bold] is called Margery." in done.stdout


def test_a_file_that_is_no_chat_is_one_line(tmp_path):
    chat = tmp_path / "chat.jsonl"
    chat.write_text("not a chat")
    done = demo("--chat", chat)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
