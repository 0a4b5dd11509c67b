"""Character cards V1, V2 and V3 as JSON: what the character is becomes facts, its lorebook becomes lore."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from romaine.errors import FormatError
from romaine.formats.lorebooks import card_book
from romaine.formats.reading import ReadOptions, list_field, name_field, text_field
from romaine.formats.result import ImportResult, Note, Skipped
from romaine.memory.records import Category, Kind

_FACTS = {
    "description": Category.CHARACTER_TRAIT,
    "personality": Category.CHARACTER_TRAIT,
    "scenario": Category.PLOT_EVENT,
}
_NOT_MEMORY = {
    "first_mes": "a greeting: it becomes a turn when a chat begins with it",
    "alternate_greetings": "greetings: one becomes a turn when a chat begins with it",
    "group_only_greetings": "greetings: one becomes a turn when a chat begins with it",
    "mes_example": "example dialogue: it shows a style and never happened",
    "system_prompt": "an instruction to the model",
    "post_history_instructions": "an instruction to the model",
    "creator_notes": "for the reader of the card",
}
_V1_FIELDS = ("description", "personality", "scenario", "first_mes", "mes_example")
#: A short line that is no sentence is a heading; it says nothing without the paragraph that follows.
_HEADING_LENGTH = 60
_SENTENCE_ENDS = (".", "!", "?", '"', "”", "…", ";")
_BLANK_LINES = re.compile(r"\n[ \t\r]*\n\s*")
_LEGACY_MACROS = (
    (re.compile(r"<USER>", re.IGNORECASE), "{{user}}"),
    (re.compile(r"<(?:BOT|CHAR)>", re.IGNORECASE), "{{char}}"),
)


def is_card(document: Any) -> bool:
    """Tells whether a JSON document is a character card."""
    if not isinstance(document, dict):
        return False
    spec = document.get("spec")
    if isinstance(spec, str) and spec.startswith("chara_card"):
        return True
    return isinstance(document.get("name"), str) and any(
        isinstance(document.get(name), str) for name in _V1_FIELDS
    )


def read_card(document: Any, options: ReadOptions) -> ImportResult:
    """Reads a card.

    Description, personality and scenario become facts, one per paragraph. The lorebook becomes lore.
    Greetings, example dialogue and instructions are no memories; they are reported as skipped.

    Raises:
        FormatError: If it is no card or has no name.
    """
    if not is_card(document):
        raise FormatError("no character card here: expected 'spec' and 'data', or 'name' and 'description'")
    data = document.get("data") if "spec" in document else None
    data = data if isinstance(data, dict) else document
    name = name_field(data, "name")
    if name is None:
        raise FormatError("the character card has no name; it is needed to say whose memories these are")
    options = options.known_as(character=name_field(data, "nickname") or name)
    skipped: list[Skipped] = []
    facts = [
        note for field, category in _FACTS.items() for note in _facts(data, field, category, name, options)
    ]
    skipped += [
        Skipped(where=field, why=why)
        for field, why in _NOT_MEMORY.items()
        if text_field(data, field) or list_field(data, field)
    ]
    skipped += [
        Skipped(where=field, why="not text")
        for field in _FACTS
        if data.get(field) is not None and not isinstance(data[field], str)
    ]
    lore = card_book(data, name, options, skipped)
    return ImportResult(
        format="character-card",
        memories=(*facts, *lore),
        skipped=tuple(skipped),
        user_name=options.user_name,
        character_name=name,
    )


def _facts(
    data: Mapping[str, Any], field: str, category: Category, card: str, options: ReadOptions
) -> list[Note]:
    text = text_field(data, field) or ""
    for macro, modern in _LEGACY_MACROS:
        text = macro.sub(modern, text)
    return [
        Note(
            text=paragraph,
            kind=Kind.FACT,
            category=category,
            source_id=f"card/{card}/{field}/{number}",
            metadata={"card": card, "field": field},
        )
        for number, paragraph in enumerate(_paragraphs(options.fill(text)))
    ]


def _paragraphs(text: str) -> list[str]:
    """Splits at blank lines; a heading stays with what it heads."""
    paragraphs: list[str] = []
    heading = ""
    for part in _BLANK_LINES.split(text.strip()):
        joined = f"{heading}\n{part}" if heading else part
        heading = joined if _is_heading(part) else ""
        if not heading:
            paragraphs.append(joined)
    if heading:
        paragraphs.append(heading)
    return [paragraph for paragraph in paragraphs if paragraph.strip()]


def _is_heading(part: str) -> bool:
    bare = part.strip("*_ \t\r\n")
    return len(bare) < _HEADING_LENGTH and "\n" not in bare and not bare.endswith(_SENTENCE_ENDS)
