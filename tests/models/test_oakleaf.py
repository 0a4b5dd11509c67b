"""The model of `models/oakleaf`, as its distribution ships it."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from romaine import Embedder

PACKAGE = Path(__file__).parents[2] / "models/oakleaf"
FOLDER = PACKAGE / "romaine_oakleaf"
MOST_BYTES = 25_000_000
TURNS = (
    "Ann: What did you do last weekend?",
    "Bob: We took the ferry to the island and slept in a lighthouse.",
    "Ann: My sister is getting married in June.",
    "Bob: I have been learning the violin since spring.",
)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(FOLDER, threads=1)


def test_files_are_those_of_the_card_and_small_enough() -> None:
    card = json.loads((FOLDER / "romaine.json").read_text(encoding="utf-8"))
    assert card["id"] == PACKAGE.name
    assert (card["dims"], card["token_dim"]) == ([64, 128, 256, 384], 64)
    for name, digest in card["sha256"].items():
        assert sha256((FOLDER / name).read_bytes()).hexdigest() == digest
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) <= MOST_BYTES


def test_the_distribution_names_the_model() -> None:
    point = f'^\\[project.entry-points."romaine.models"\\]\\n{PACKAGE.name} = "{FOLDER.name}"$'
    assert re.search(point, (PACKAGE / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)


def test_quality_that_the_card_states_is_above_what_was_asked() -> None:
    card = json.loads((FOLDER / "romaine.json").read_text(encoding="utf-8"))
    values = {measure["name"]: measure["value"] for measure in card["measured"]}
    assert values["STSb dev Spearman, int8, 384 dims"] >= 0.85
    assert values["STSb dev Spearman, int8, 64 dims"] >= 0.83


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where did Bob spend the night?", 1),
        ("Whose wedding is coming?", 2),
        ("Which instrument does Bob play?", 3),
    ],
)
def test_a_question_finds_the_turn_by_both_kinds_of_vectors(
    embedder: Embedder, question: str, answer: int
) -> None:
    for dim in (384, 64):
        small = embedder.with_dim(dim)
        assert int(np.argmax(small.embed_documents(TURNS) @ small.embed_query(question))) == answer
    [asked] = embedder.embed_tokens([question], query=True)
    turns = embedder.embed_tokens(TURNS, previous=[None, *TURNS[:-1]])
    scores = [float((asked.vectors @ turn.vectors.T).max(axis=1).mean()) for turn in turns]
    assert int(np.argmax(scores)) == answer
