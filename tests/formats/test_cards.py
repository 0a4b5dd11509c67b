from __future__ import annotations

import json

import pytest

from romaine.errors import FormatError
from romaine.formats import ImportResult, read
from romaine.memory.records import Category, Kind
from tests.formats.samples import CARD


def card(document: object, **options: str) -> ImportResult:
    return read(("card.json", json.dumps(document).encode()), **options)  # type: ignore[arg-type]


def test_what_the_character_is_becomes_facts_and_the_book_lore() -> None:
    result = card(CARD, user_name="Ana")
    assert result.character_name == "Cassian"
    assert [(note.text, note.kind, note.category) for note in result.memories] == [
        ("Cassian keeps an inn.", Kind.FACT, Category.CHARACTER_TRAIT),
        (
            "## Habits\nHe dries one glass, and Ana notices.",
            Kind.FACT,
            Category.CHARACTER_TRAIT,
        ),
        ("dry", Kind.FACT, Category.CHARACTER_TRAIT),
        ("Ana comes in from the rain.", Kind.FACT, Category.PLOT_EVENT),
        ("The inn is narrow.", Kind.LORE, Category.WORLD_DETAIL),
    ]
    assert result.memories[-1].pinned
    assert result.memories[-1].metadata["keys"] == ["Cassian", "inn"]
    assert result.turns == ()


def test_greetings_examples_and_instructions_are_reported_not_remembered() -> None:
    assert {entry.where for entry in card(CARD).skipped} == {
        "first_mes",
        "alternate_greetings",
        "mes_example",
        "system_prompt",
        "lore entry 1",
    }


def test_an_unknown_user_stays_a_macro() -> None:
    assert card(CARD).memories[3].text == "{{user}} comes in from the rain."


def test_version_1_has_its_fields_at_the_top() -> None:
    result = card({"name": "Ilse", "description": "A glass blower.", "first_mes": "Mind the step."})
    assert [note.text for note in result.memories] == ["A glass blower."]
    assert result.character_name == "Ilse"


def test_version_3_speaks_of_the_character_by_nickname() -> None:
    document = {
        "spec": "chara_card_v3",
        "spec_version": "3.0",
        "data": CARD["data"] | {"nickname": "Cass", "assets": [], "group_only_greetings": ["Hi."]},  # type: ignore[operator]
    }
    result = card(document)
    assert result.memories[0].text == "Cass keeps an inn."
    assert result.character_name == "Cassian"


def test_source_ids_differ_and_stay() -> None:
    ids = [note.source_id for note in card(CARD).memories]
    assert len(set(ids)) == len(ids)
    assert ids == [note.source_id for note in card(CARD).memories]


def test_a_card_without_a_name_is_an_error() -> None:
    with pytest.raises(FormatError, match="has no name"):
        card({"spec": "chara_card_v2", "data": {"description": "Nobody."}})


def test_fields_of_a_wrong_type_are_reported() -> None:
    result = card({"spec": "chara_card_v2", "data": {"name": "Osk", "description": ["a"], "personality": 3}})
    assert result.memories == ()
    assert [entry.where for entry in result.skipped] == ["description", "personality"]
