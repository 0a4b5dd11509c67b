from __future__ import annotations

from pathlib import Path

import numpy as np

from romaine.arrays import FloatArray
from romaine.evaluate.sts import ScoredPairs
from romaine.train.encoder.chat_files import ChatTurn, EvidenceChat, EvidenceQuestion
from romaine.train.encoder.curriculum import EncoderCurriculum, Material, margins
from romaine.train.encoder.mining import MinedQuestion, Triplet
from romaine.train.encoder.model import new_student
from romaine.train.encoder.recipe import ChatData, ChatKind, EncoderRecipe, Stage
from romaine.train.recipe import TeacherKind, TeacherSpec
from romaine.train.teacher import Side
from tests.train.conftest import THINGS

CHAT = EvidenceChat(
    tuple(ChatTurn("Ann", f"the {thing}") for thing in THINGS), (EvidenceQuestion("q", (0,)),)
)


class Letters:
    """A teacher to whom texts are as alike as their first letters."""

    dim = 26
    fingerprint = "letters"
    sided = True

    def encode(self, texts: list[str], side: Side) -> FloatArray:
        return np.array(
            [[float(text[:1] == chr(97 + n)) for n in range(26)] for text in texts], dtype=np.float32
        )


def test_batches_are_shared_out_as_the_stage_and_the_weights_say(small_teacher_folder: Path) -> None:
    stage = Stage(name="main", steps=20, batch=4, rounds=2, negatives=1, scored=0.25, distil=0.25, margin=1.0)
    data = {
        "often": ChatData(kind=ChatKind.EVIDENCE, file="a", weight=3.0),
        "rarely": ChatData(kind=ChatKind.EVIDENCE, file="b"),
    }
    recipe = EncoderRecipe(
        name="mine",
        start=TeacherSpec(kind=TeacherKind.MINILM),
        data=data,
        stages=(Stage(name="warm-up", steps=10, scored=0.25), stage),
        dims=(16, 48),
        scored="pairs.csv",
        margins=TeacherSpec(kind=TeacherKind.MINILM),
    )
    asked = [
        MinedQuestion(0, f"where is the {thing}", place, (1, 5, 9)) for place, thing in enumerate(THINGS)
    ]
    material = Material(
        chats={"often": [CHAT], "rarely": [CHAT]},
        asked={"often": asked, "rarely": asked},
        scored=ScoredPairs(left=tuple("abc"), right=tuple("abd"), scores=np.array([5.0, 5.0, 0.0])),
        kept=(["the key"], np.ones((1, 48), dtype=np.float32)),
        weights=np.ones(200, dtype=np.float32),
        margins=Letters(),
    )
    curriculum = EncoderCurriculum(recipe, material)
    assert [(item.stage, item.place) for item in curriculum.rounds] == [
        ("warm-up", 0),
        ("main", 1),
        ("main", 2),
    ]
    model = new_student(small_teacher_folder, token_dim=8, frozen=0, max_tokens=32)
    found = curriculum.material(model, curriculum.rounds[1], np.random.default_rng(0))
    sizes = {name: len(rows) for name, (rows, _) in found.items()}
    assert sizes == {"scored": 20, "kept": 20, "questions: often": 30, "questions: rarely": 10}
    assert found["questions: often"][0].column_names == ["anchor", "positive", "negative_0", "label"]
    assert set(found["scored"][0]["label"]) == {0.0, 1.0}


def test_margins_are_differences_of_the_teachers_cosines() -> None:
    assert margins([Triplet("apple", "ant", ("ape", "bee"))], Letters()) == [[0.0, 1.0]]
