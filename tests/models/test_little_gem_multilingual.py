"""The model of `models/little-gem-multilingual`, as its distribution ships it."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from romaine import Embedder

PACKAGE = Path(__file__).parents[2] / "models/little-gem-multilingual"
FOLDER = PACKAGE / "romaine_little_gem_multilingual"
MOST_BYTES = 16_000_000


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(FOLDER)


def test_files_are_those_of_the_card_and_small_enough() -> None:
    card = json.loads((FOLDER / "romaine.json").read_text(encoding="utf-8"))
    assert card["id"] == PACKAGE.name
    assert card["dims"][0] == 32
    for name, digest in card["sha256"].items():
        assert sha256((FOLDER / name).read_bytes()).hexdigest() == digest
    assert sum((FOLDER / name).stat().st_size for name in card["files"].values()) <= MOST_BYTES


def test_the_distribution_names_the_model() -> None:
    point = f'^\\[project.entry-points."romaine.models"\\]\\n{PACKAGE.name} = "{FOLDER.name}"$'
    assert re.search(point, (PACKAGE / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("고양이는 어디에서 자요?", "The cat sleeps in the kitchen."),
        ("猫はどこで寝ていますか？", "고양이는 부엌에서 잔다."),
        ("猫在哪里睡觉？", "Кошка спит на кухне."),
        ("Wo schläft die Katze?", "猫在厨房里睡觉。"),
        ("Где спит кошка?", "El gato duerme en la cocina."),
    ],
)
@pytest.mark.parametrize("dim", [256, 64])
def test_a_question_finds_its_answer_in_another_language(
    embedder: Embedder, question: str, answer: str, dim: int
) -> None:
    others = (
        "The train leaves at nine.",
        "내일은 비가 온다.",
        "彼は新しい本を買った。",
        "Wir fahren morgen ans Meer.",
    )
    vectors = embedder.with_dim(dim).embed_documents([*others, answer])
    assert int(np.argmax(vectors @ embedder.with_dim(dim).embed_query(question))) == len(others)


def test_common_syllables_and_ideographs_are_known(embedder: Embedder) -> None:
    tokenizer = json.loads((FOLDER / "tokenizer.json").read_text(encoding="utf-8"))
    known = {piece for piece, _ in tokenizer["model"]["vocab"]}
    assert not set("가나다라마바사녕뭐왜괜찮") - known
    assert not set("的一是我不見见這这犬猫食") - known
    assert not set("あいうえおカキクケコー") - known
