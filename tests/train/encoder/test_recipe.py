from __future__ import annotations

import pytest

from romaine.errors import OptionError
from romaine.train.encoder.recipe import ChatData, ChatKind, EncoderRecipe, Stage
from romaine.train.recipe import TeacherKind, TeacherSpec
from romaine.train.recipe_file import read_encoder_recipe

CHATS = {"chats": ChatData(kind=ChatKind.EVIDENCE, file="chats.jsonl")}
START = TeacherSpec(kind=TeacherKind.MINILM)


def test_the_recipe_of_oakleaf_has_three_stages() -> None:
    recipe = read_encoder_recipe("oakleaf")
    assert [stage.name for stage in recipe.stages][:3] == ["warm-up", "main", "refinement"]
    assert recipe.dims == (64, 128, 256, 384)
    assert all(data.licence for data in recipe.data.values())
    assert not any("locomo" in data.file or "realmem" in data.file for data in recipe.data.values())


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ({"data": ("others",)}, "others"),
        ({"scored": 0.2}, "scored=0.2"),
        ({"margin": 1.0, "negatives": 1, "scored": 0.0}, "no teacher"),
    ],
)
def test_what_a_stage_lacks_is_told(stage: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        EncoderRecipe(
            name="mine",
            start=START,
            data=CHATS,
            stages=(Stage(name="one", steps=1, **stage),),  # type: ignore[arg-type]
        )


@pytest.mark.parametrize(
    "values",
    [{"steps": 0}, {"batch": 1}, {"learning_rate": 0.0}, {"scored": 0.6, "distil": 0.5}, {"margin": 1.0}],
)
def test_impossible_values_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        Stage(**{"name": "one", "steps": 1, **values})  # type: ignore[arg-type]
