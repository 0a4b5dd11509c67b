"""The page on how it is built: its code runs, and the files it names are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from romaine import Scope, Turn, formats
from romaine.formats.reading import ReadOptions

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-it-is-built.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shown() -> Iterator[dict[str, Any]]:
    """What the page's code defines."""
    names: dict[str, Any] = {"__name__": "page"}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(block, "how-it-is-built.md", "exec"), names)
    yield names
    names["memory"].close()


def test_its_format_reads_a_file(shown: dict[str, Any]) -> None:
    document = {"log": [{"said": "The key hangs by the door.", "by": "Tomas"}]}
    assert isinstance(shown["FORMAT"], formats.Format)
    assert shown["FORMAT"].recognises(document)
    (chat,) = shown["FORMAT"].read(document, ReadOptions()).chats
    assert [(turn.speaker, turn.text) for turn in chat.turns] == [("Tomas", "The key hangs by the door.")]


def test_its_ranker_ranks(shown: dict[str, Any]) -> None:
    scope = Scope(user="ana")
    shown["memory"].add_turns(scope, [Turn("The key hangs by the door.", speaker="Tomas", role="character")])
    (hit,) = shown["memory"].recall("Where is the key?", scope)
    assert hit.parts["nostalgia"] == pytest.approx(3)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([\w/]+(?:/|\.py))`", PAGE))))
def test_the_files_it_names_are_there(name: str) -> None:
    places = (
        ROOT,
        ROOT / "src" / "romaine",
        *(ROOT / "src" / "romaine" / folder for folder in ("memory", "models")),
    )
    assert any((place / name).exists() for place in places)
