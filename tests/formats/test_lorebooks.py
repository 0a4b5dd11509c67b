from __future__ import annotations

import json

import pytest

from romaine.errors import FormatError
from romaine.formats import ImportResult, read
from romaine.memory.records import Kind
from tests.formats.samples import WORLD_INFO


def book(document: object, **options: str) -> ImportResult:
    return read(("veldmouth.json", json.dumps(document).encode()), **options)  # type: ignore[arg-type]


def test_world_info_becomes_lore_with_its_keys_beside_it() -> None:
    result = book(WORLD_INFO)
    (note,) = result.memories
    assert (note.text, note.kind, note.pinned) == ("Lamps float.", Kind.LORE, True)
    assert note.metadata == {"book": "veldmouth", "keys": ["lamp"], "order": 5}
    assert note.source_id == "lore/veldmouth/0"


def test_disabled_and_empty_entries_are_reported() -> None:
    assert [(entry.where, entry.why) for entry in book(WORLD_INFO).skipped] == [
        ("lore entry 1", "disabled"),
        ("lore entry 2", "no content"),
    ]


def test_a_version_3_lorebook_has_its_entries_under_data() -> None:
    document = {
        "spec": "lorebook_v3",
        "data": {"name": "V", "entries": [{"keys": ["a"], "content": "x", "enabled": True}]},
    }
    (note,) = book(document).memories
    assert note.source_id == "lore/V/0"


def test_a_risu_lorebook_has_comma_separated_keys() -> None:
    document = {
        "type": "risu",
        "ver": 1,
        "data": [
            {"key": "soup, leek ,", "secondkey": "bowl", "content": "Leek.", "alwaysActive": False},
            {"mode": "folder", "content": "x"},
        ],
    }
    result = book(document)
    (note,) = result.memories
    assert note.metadata["keys"] == ["soup", "leek"]
    assert note.metadata["secondary_keys"] == ["bowl"]
    assert result.skipped[0].why.startswith("a folder")


def test_macros_are_filled_in_text_and_keys() -> None:
    document = {"entries": [{"keys": ["{{char}}"], "content": "{{char}} and {{user}}"}]}
    (note,) = book(document, user_name="Ana", character_name="Cassian").memories
    assert note.text == "Cassian and Ana"
    assert note.metadata["keys"] == ["Cassian"]


@pytest.mark.parametrize("document", [{"entries": 3}, {"entries": None}, {"type": "risu", "data": {}}])
def test_what_is_no_lorebook_is_an_error(document: object) -> None:
    with pytest.raises(FormatError):
        book(document)
