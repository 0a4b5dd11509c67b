"""Character cards V1, V2 and V3 as JSON: what the character is becomes facts, its lorebook becomes lore."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from sys import getsizeof
from typing import Any

from romaine.errors import FormatError
from romaine.formats.lorebooks import card_book
from romaine.formats.reading import ReadOptions, Skips, list_field, name_field, text_field
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
#: A piece of a text besides its characters, in memory.
_PIECE_BYTES = 64
_LEGACY_MACROS = (
    (re.compile(r"<USER>", re.IGNORECASE), "{{user}}"),
    (re.compile(r"<(?:BOT|CHAR)>", re.IGNORECASE), "{{char}}"),
)


def is_card(document: Any) -> bool:
    """Tells whether a JSON document is a character card."""
    if not isinstance(document, dict):
        return False
    spec = document.get("spec")
    is_v1 = any(isinstance(document.get(name), str) for name in _V1_FIELDS)
    is_named = isinstance(document.get("name"), str)
    return (is_v1 and is_named) or (isinstance(spec, str) and spec.startswith("chara_card"))


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
    skipped = Skips(options.budget)
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
    found = options.result("character-card", memories=[*facts, *lore], skipped=skipped)
    return replace(found, character_name=name)  # whatever the caller calls it


def _facts(
    data: Mapping[str, Any], field: str, category: Category, card: str, options: ReadOptions
) -> list[Note]:
    text = text_field(data, field) or ""
    pieces = text.count("<") + text.count("\n")  # what it is cut into, at macros and at blank lines
    options.budget.spend(2 * getsizeof(text) + pieces * _PIECE_BYTES, field)
    for macro, modern in _LEGACY_MACROS:
        text = macro.sub(modern, text)
    return [
        options.budget.keep(
            Note(
                text=paragraph,
                kind=Kind.FACT,
                category=category,
                source_id=f"card/{card}/{field}/{number}",
                metadata={"card": card, "field": field},
            )
        )
        for number, paragraph in enumerate(filter(str.strip, _paragraphs(options.fill(text))))
    ]


def _paragraphs(text: str) -> Iterator[str]:
    """Splits at blank lines; a heading stays with what it heads."""
    gathered: list[str] = []  # joined once, because headings may go on for a megabyte
    for part in _BLANK_LINES.split(text.strip()):
        gathered.append(part)
        if not _is_heading(part):
            yield "\n".join(gathered)
            gathered = []
    yield "\n".join(gathered)


def _is_heading(part: str) -> bool:
    bare = part.strip("*_ \t\r\n")
    return len(bare) < _HEADING_LENGTH and "\n" not in bare and not bare.endswith(_SENTENCE_ENDS)
