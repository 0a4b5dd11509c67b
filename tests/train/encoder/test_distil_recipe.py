"""Recipes of students, and what docs/training-encoders.md shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from romaine.errors import OptionError
from romaine.train.cleaning import Contamination
from romaine.train.encoder.chat_files import read_chats
from romaine.train.encoder.distil_recipe import DistilStage
from romaine.train.encoder.recipe import ChatData, ChatKind
from romaine.train.recipe_file import read_distil_recipe
from tests.pages import blocks

PAGE = Path(__file__).parents[3] / "docs" / "training-encoders.md"


@pytest.mark.skipif(not PAGE.is_file(), reason="the pages are not part of an installation")
def test_the_page_shows_files_that_can_be_read(tmp_path: Path) -> None:
    shown = {block.file: block.code for block in blocks(PAGE.read_text("utf-8")) if block.file}
    for name, text in shown.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    recipe = read_distil_recipe(tmp_path / "leaf.toml")
    assert [stage.name for stage in recipe.stages] == ["alignment", "contrastive", "triplet"]
    data = ChatData(kind=ChatKind.EVIDENCE, file="chats.jsonl")
    [chat], _, _ = read_chats(tmp_path / data.file, data, barred=Contamination(), seed=0)
    [asked] = chat.questions
    assert chat.turns[asked.evidence[0]].document == "Tobin: Under the third stair."


@pytest.mark.parametrize("values", [{"steps": 0}, {"triplet": 1.0}, {"alignment": -1.0}])
def test_impossible_values_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(OptionError):
        DistilStage(**{"name": "one", "steps": 1, **values})  # type: ignore[arg-type]
