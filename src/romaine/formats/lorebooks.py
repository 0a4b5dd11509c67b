"""Lorebooks: a card's character_book, SillyTavern's world info, RisuAI's lore. An entry becomes a note."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from romaine.formats.reading import ReadOptions, Skips, list_field, name_field, object_field, text_field
from romaine.formats.result import ImportResult, Note
from romaine.memory.records import Category, Kind

#: A key of its own, where one text holds several.
_KEY_BYTES = 80


def is_lorebook(document: Any) -> bool:
    """Tells whether a JSON document is world info, a lorebook on its own, or one exported by RisuAI."""
    if not isinstance(document, dict):
        return False
    if document.get("spec") == "lorebook_v3":
        return isinstance(document.get("data"), dict)
    if document.get("type") == "risu":
        return isinstance(document.get("data"), list)
    return isinstance(document.get("entries"), (dict, list))


def read_lorebook(document: Any, options: ReadOptions) -> ImportResult:
    """Reads a lorebook that is a file of its own, a document for which `is_lorebook` holds."""
    skipped = Skips(options.budget)
    book = document["data"] if document.get("spec") == "lorebook_v3" else document
    entries = book["data"] if document.get("type") == "risu" else book.get("entries")
    name = name_field(book, "name") or options.book_name
    notes = read_entries(entries, name, options, skipped)
    return options.result("lorebook", memories=notes, skipped=skipped)


def read_entries(entries: Any, book: str | None, options: ReadOptions, skipped: Skips) -> tuple[Note, ...]:
    """Reads the entries of the lorebook of that name, an object by uid or a list.

    Disabled and empty entries are skipped; constant ones are pinned. Keys, comment and order are kept in the
    metadata, where a caller who matches keywords finds them.
    """
    found = entries if isinstance(entries, (dict, list)) else []
    notes: list[Note] = []
    for number, entry in found.items() if isinstance(found, dict) else enumerate(found):
        notes += skipped.sort_out(f"lore entry {number}", _note(str(number), entry, book, options))
    return tuple(notes)


def _note(number: str, entry: Any, book: str | None, options: ReadOptions) -> Note | str:
    if not isinstance(entry, dict):
        return "not an object"
    if entry.get("mode") == "folder":
        return "a folder, not an entry"
    if entry.get("disable") is True or entry.get("enabled") is False:
        return "disabled"
    text = text_field(entry, "content")
    if text is None:
        return "no content"
    identity = _whole_number(entry, "uid", "id")
    name = number if identity is None else str(identity)
    return options.budget.keep(
        Note(
            text=options.fill(text.strip()),
            kind=Kind.LORE,
            category=Category.WORLD_DETAIL,
            pinned=entry.get("constant") is True or entry.get("alwaysActive") is True,
            source_id=f"lore/{book}/{name}" if book else f"lore/{name}",
            metadata=_metadata(entry, book, options),
        )
    )


def _metadata(entry: Mapping[str, Any], book: str | None, options: ReadOptions) -> dict[str, Any]:
    found = {
        "book": book,
        "name": name_field(entry, "name"),
        "comment": name_field(entry, "comment"),
        "keys": _keys(entry, options, "keys", "key"),
        "secondary_keys": _keys(entry, options, "secondary_keys", "keysecondary", "secondkey"),
        "order": _whole_number(entry, "insertion_order", "order", "insertorder"),
        "use_regex": entry.get("use_regex") is True or None,
        "case_sensitive": entry.get("case_sensitive") is True or None,
        "group": name_field(entry, "group"),
    }
    return {name: value for name, value in found.items() if value is not None and value != []}


def _keys(entry: Mapping[str, Any], options: ReadOptions, *names: str) -> list[str]:
    for name in names:
        value = entry.get(name)
        if isinstance(value, str):
            options.budget.check(value.count(",") * _KEY_BYTES, "a text of keys")
            keys: list[Any] = value.split(",")
        else:
            keys = list_field(entry, name)
        if found := [options.fill(key.strip()) for key in keys if isinstance(key, str) and key.strip()]:
            return found
    return []


def _whole_number(entry: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = entry.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53:
            return value
    return None


def card_book(
    data: Mapping[str, Any], card_name: str, options: ReadOptions, skipped: Skips
) -> tuple[Note, ...]:
    """Reads the lorebook inside a character card, none where it has none."""
    book = object_field(data, "character_book")
    return read_entries(book.get("entries"), name_field(book, "name") or card_name, options, skipped)
