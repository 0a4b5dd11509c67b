"""LettuceAI chat packages: a zip whose ``chat.json`` holds a chat and the memories its app drew from it.

Nothing is unpacked: of all entries only ``chat.json`` is read, into memory, up to a limit.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from romaine.bounded.parsing import parse_json
from romaine.errors import FormatError
from romaine.formats.reading import (
    MAX_DOCUMENT_BYTES,
    ReadOptions,
    Skips,
    UniqueIds,
    chosen_field,
    list_field,
    name_field,
    object_field,
    objects_field,
    share_field,
    text_field,
)
from romaine.formats.result import Chat, ImportResult, Note
from romaine.memory.records import Category, Kind, Role, Turn

ZIP_SIGNATURE = b"PK\x03\x04"
_CHAT_ENTRY = "chat.json"
_VERSION = 1
_MAX_ENTRIES = 20_000
#: Text packs to a tenth, vectors to a third; what packs to less than this share is made to explode.
_MAX_RATIO = 200
_RATIO_FREE_BYTES = 1024 * 1024
_READ_BYTES = 1024 * 1024
#: Of the others, no decoder stops at what it was asked for.
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
#: Longest part of the zip that is read at once, its list of entries for one, in bytes.
_MAX_PART_BYTES = 2 * 1024 * 1024
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error)

_CATEGORIES = {member.value: member for member in Category}
_ROLES = {"user": Role.USER, "assistant": Role.CHARACTER, "scene": Role.NARRATOR}


def is_chatpkg(document: Any) -> bool:
    """Tells whether a JSON document is the ``chat.json`` of a package."""
    return isinstance(document, dict) and document.get("type") in ("single_chat", "group_chat")


def read_chatpkg(stream: BinaryIO, options: ReadOptions) -> ImportResult:
    """Reads a package.

    Raises:
        FormatError: If the zip is damaged, encrypted, built to explode, or holds no chat.
    """
    document = parse_json(_chat_json(stream), _CHAT_ENTRY, options.budget, keep=True)
    return read_chatpkg_document(document, options)


def read_chatpkg_document(document: Any, options: ReadOptions) -> ImportResult:
    """Reads the ``chat.json`` of a package.

    Messages become turns, of several variants the selected one. The app's memories become facts, its summary
    a summary. A single chat does not name its character: give the name.

    Raises:
        FormatError: If it is no such document, or of a newer version.
    """
    if not is_chatpkg(document):
        raise FormatError("no LettuceAI chat here: expected type 'single_chat' or 'group_chat'")
    if document.get("version") != _VERSION:
        raise FormatError(f"this LettuceAI chat is of a version that is not known; known: {_VERSION}")
    payload = object_field(document, "payload")
    session = object_field(payload, "session") or object_field(payload, "groupSession")
    if not session:
        raise FormatError("the LettuceAI chat has no session in its payload")
    persona = object_field(payload, "personaSnapshot")
    options = options.known_as(user=name_field(persona, "title"))
    skipped = Skips(options.budget)
    messages = list_field(session, "messages") or list_field(payload, "messages")
    chat = _chat(messages, name_field(session, "title", "name"), _character_names(payload), options, skipped)
    notes = _notes(session, options, skipped)
    return options.result("chatpkg", chats=[chat], memories=notes, skipped=skipped)


def _chat_json(stream: BinaryIO) -> bytes:
    try:
        with zipfile.ZipFile(cast(BinaryIO, _InParts(stream))) as package:
            return _read_entry(package, _find_entry(package))
    except _DAMAGED as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"the chat package is damaged: {error}") from None
    except (NotImplementedError, RuntimeError) as error:  # unknown compression; encrypted
        raise FormatError(f"the chat package cannot be unpacked: {error}") from None


class _InParts:
    """A stream that refuses long reads: a zip's list of entries is read before anyone can count them."""

    def __init__(self, stream: BinaryIO) -> None:
        self.seek, self.tell, self._read = stream.seek, stream.tell, stream.read

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._read(size if 0 <= size <= _MAX_PART_BYTES else _MAX_PART_BYTES + 1)
        if len(data) > _MAX_PART_BYTES:
            raise FormatError(
                f"the chat package lists its entries in more than {_MAX_PART_BYTES:,} bytes; pack less in"
            )
        return data


def _find_entry(package: zipfile.ZipFile) -> zipfile.ZipInfo:
    entries = package.infolist()
    if len(entries) > _MAX_ENTRIES:
        raise FormatError(f"the chat package has {len(entries):,} entries; at most {_MAX_ENTRIES:,} are read")
    found = [entry for entry in entries if entry.filename == _CHAT_ENTRY]
    if len(found) != 1:
        raise FormatError(f"a chat package holds exactly one {_CHAT_ENTRY}; this zip has {len(found)}")
    if found[0].compress_type not in _PACKINGS:
        raise FormatError(f"{_CHAT_ENTRY} is packed in a way that is not read; pack the zip with deflate")
    return found[0]


def _read_entry(package: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    allowed = min(MAX_DOCUMENT_BYTES, max(_RATIO_FREE_BYTES, entry.compress_size * _MAX_RATIO))
    parts: list[bytes] = []
    size = 0
    with package.open(entry) as file:
        while part := file.read(_READ_BYTES):
            size += len(part)
            if size > allowed:
                raise FormatError(
                    f"{_CHAT_ENTRY} expands to more than {allowed:,} bytes; it is refused as a bomb"
                )
            parts.append(part)
    return b"".join(parts)


def _character_names(payload: Mapping[str, Any]) -> dict[str, str]:
    names: dict[str, str] = {}
    for part in objects_field(payload, "characterSnapshots"):
        if (identity := name_field(part, "id")) and (name := name_field(part, "name")):
            names[identity] = name
    for part in objects_field(payload, "participation"):
        if identity := name_field(part, "characterId"):
            names.setdefault(identity, name_field(part, "characterDisplayName") or "Character")
    return names


def _chat(
    messages: list[Any], title: str | None, names: Mapping[str, str], options: ReadOptions, skipped: Skips
) -> Chat:
    turns: list[Turn] = []
    pinned: set[str] = set()
    ids = UniqueIds(options.budget)
    for number, message in enumerate(messages, 1):
        for turn in skipped.sort_out(f"message {number}", _turn(message, number, names, ids, options)):
            turns.append(turn)
            if message.get("isPinned") is True and turn.source_id:
                pinned.add(turn.source_id)
    return Chat(turns=tuple(turns), title=title, pinned=frozenset(pinned))


def _turn(
    message: Any, number: int, names: Mapping[str, str], ids: UniqueIds, options: ReadOptions
) -> Turn | str:
    if not isinstance(message, dict):
        return "not an object"
    source_id = ids.claim(name_field(message, "id") or f"message {number}")
    role = chosen_field(message, "role", _ROLES)
    if role is None:
        return "role is none of " + ", ".join(_ROLES)
    shown = _selected_variant(message)
    text = text_field(shown, "content") or text_field(message, "content")
    if text is None:
        return "no text"
    character = name_field(shown, "speakerCharacterId") or name_field(message, "speakerCharacterId")
    speaker = names.get(character or "") if role is Role.CHARACTER else None
    return options.turn(text, role=role, speaker=speaker, sent=message.get("createdAt"), source_id=source_id)


def _selected_variant(message: Mapping[str, Any]) -> Mapping[str, Any]:
    selected = name_field(message, "selectedVariantId")
    variants = objects_field(message, "variants") if selected else []
    return next((variant for variant in variants if name_field(variant, "id") == selected), message)


def _notes(session: Mapping[str, Any], options: ReadOptions, skipped: Skips) -> tuple[Note, ...]:
    notes: dict[str, Note] = {}
    for number, memory in enumerate(list_field(session, "memoryEmbeddings"), 1):
        text = text_field(memory, "text") if isinstance(memory, dict) else None
        if text is None:
            skipped.add(f"memory {number}", "no text")
            continue
        notes[text] = _fact(text, f"memory/{name_field(memory, 'id') or number}", memory, options)
    # The plain list repeats what the list with vectors holds; what only it has was written by hand.
    for number, text in enumerate(list_field(session, "memories"), 1):
        if isinstance(text, str) and text.strip() and text not in notes:
            notes[text] = _fact(text, f"memory/manual/{number}", {}, options)
    found = list(notes.values())
    if summary := text_field(session, "memorySummary"):
        text = options.fill(summary.strip())
        found.append(
            options.budget.keep(Note(text=text, kind=Kind.SUMMARY, source_id="memory/summary", chat=0))
        )
    return tuple(found)


def _fact(text: str, source_id: str, memory: Mapping[str, Any], options: ReadOptions) -> Note:
    return options.budget.keep(
        Note(
            text=options.fill(text.strip()),
            kind=Kind.FACT,
            category=chosen_field(memory, "category", _CATEGORIES),
            importance=share_field(memory, "importanceScore", 1.0),
            pinned=memory.get("isPinned") is True,
            source_id=source_id,
            chat=0,
        )
    )
