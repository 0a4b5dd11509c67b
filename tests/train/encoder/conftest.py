"""Chats with evidence for the small teacher's words, and a recipe of a few steps."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.train.conftest import THINGS

RECIPE = """
name = "small"
dims = [16, 48]
token_dim = 8
frozen = 1
scored = "train.csv"
[start]
kind = "model"
model = "TEACHER"
[margins]
kind = "model"
model = "TEACHER"
[watch]
every = 3
sts = "dev.csv"
stop_below = -1.0
[data.evidence]
kind = "evidence"
file = "evidence.jsonl"
held_out = 1
licence = "CC0-1.0"
[data.asked]
kind = "questions"
file = "dialogues.jsonl"
limit = 60
dialogues = 10
[[stages]]
name = "warm-up"
steps = 4
batch = 4
learning_rate = 1e-3
max_tokens = 32
scored = 0.25
[[stages]]
name = "refinement"
steps = 4
rounds = 2
batch = 4
negatives = 2
refresh = 3
learning_rate = 1e-3
decay = true
max_tokens = 40
margin = 1.0
scored = 0.25
distil = 0.25
"""


@pytest.fixture(scope="session")
def chat_folder(data_folder: Path) -> Path:
    """`data_folder` with chats whose questions name the one turn that answers each."""
    rng = random.Random(1)
    chats = []
    for number in range(4):
        turns, questions = [], []
        for place in range(30):
            first, second, third = rng.sample(THINGS, 3)
            turns.append([("Ann", "Bob")[place % 2], f"I found the {first} {second} in my {third} {place}"])
            if place % 3 == 0:
                query = f"what did {turns[-1][0]} say about the {first} {second}"
                questions.append({"query": query, "evidence": [place], "kind": "question"})
        chats.append({"id": str(number), "source": "made", "turns": turns, "questions": questions})
    lines = "".join(json.dumps(chat) + "\n" for chat in chats)
    (data_folder / "evidence.jsonl").write_text(lines, encoding="utf-8")
    return data_folder


@pytest.fixture
def encoder_recipe(small_teacher_folder: Path, tmp_path: Path) -> Path:
    """A recipe with every loss, as a file."""
    path = tmp_path / "small.toml"
    path.write_text(RECIPE.replace("TEACHER", str(small_teacher_folder)), encoding="utf-8")
    return path
