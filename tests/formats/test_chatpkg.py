from __future__ import annotations

import io
import json
import zipfile

import pytest

from romaine.errors import FormatError
from romaine.formats import ImportResult, read
from romaine.memory.records import Category, Kind, Role
from tests.formats.samples import CHATPKG, package


def chatpkg(document: object, **options: str) -> ImportResult:
    return read(("evenings.chatpkg", package(document)), **options)  # type: ignore[arg-type]


def test_messages_become_turns_with_the_selected_variant() -> None:
    result = chatpkg(CHATPKG, user_name="Ana", character_name="Cassian")
    assert [(turn.text, turn.speaker, turn.role) for turn in result.turns] == [
        ("It rains.", "Narrator", Role.NARRATOR),
        ("Is the soup good?", "Ana", Role.USER),
        ("It is hot.", "Cassian", Role.CHARACTER),
    ]
    assert result.chats[0].pinned == {"m2"}
    assert result.skipped[0].where == "message 4"


def test_what_the_app_remembered_becomes_facts_once() -> None:
    notes = chatpkg(CHATPKG).memories
    assert [(note.text, note.kind) for note in notes] == [
        ("Ana eats leek.", Kind.FACT),
        ("Ana came by boat.", Kind.FACT),
        ("A wet evening.", Kind.SUMMARY),
    ]
    assert (notes[0].importance, notes[0].pinned, notes[0].category) == (0.5, True, Category.PREFERENCE)


def test_a_group_chat_names_its_speakers() -> None:
    document = {
        "type": "group_chat",
        "version": 1,
        "payload": {
            "groupSession": {"name": "Lamp Night", "memorySummary": ""},
            "participation": [{"characterId": "c1", "characterDisplayName": "Ilse"}],
            "characterSnapshots": [{"id": "c2", "name": "Osk"}],
            "personaSnapshot": {"title": "Ana"},
            "messages": [
                {"id": "1", "role": "assistant", "content": "One.", "speakerCharacterId": "c1"},
                {"id": "2", "role": "assistant", "content": "Two.", "speakerCharacterId": "c2"},
                {"id": "3", "role": "user", "content": "Three."},
                {"id": "4", "role": "assistant", "content": "Four.", "speakerCharacterId": "gone"},
            ],
        },
    }
    result = chatpkg(document)
    assert [turn.speaker for turn in result.turns] == ["Ilse", "Osk", "Ana", "Character"]
    assert result.title == "Lamp Night"


def test_the_document_alone_is_read_too() -> None:
    alone = read(("chat.json", json.dumps(CHATPKG).encode()))
    assert alone == read(("chat.chatpkg", package(CHATPKG)))


@pytest.mark.parametrize(
    "document", [CHATPKG | {"version": 2}, CHATPKG | {"payload": []}, CHATPKG | {"type": "other"}, [], 3]
)
def test_what_is_no_chat_is_an_error(document: object) -> None:
    with pytest.raises(FormatError):
        chatpkg(document)


def test_other_entries_are_never_touched() -> None:
    data = package(CHATPKG, **{"../../evil.txt": b"x", "/etc/passwd": b"x"})
    assert len(read(("chat.chatpkg", data)).turns) == 3


def zipped(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return buffer.getvalue()


def test_a_bomb_is_refused() -> None:
    bomb = zipped(**{"chat.json": b"[" + b" " * 80_000_000 + b"]"})
    assert len(bomb) < 200_000
    with pytest.raises(FormatError, match="bomb"):
        read(("chat.chatpkg", bomb))


def test_a_size_that_lies_does_not_help_a_bomb() -> None:
    data = bytearray(zipped(**{"chat.json": b" " * 10_000_000}))
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (100).to_bytes(4, "little")
    with pytest.raises(FormatError):
        read(("chat.chatpkg", bytes(data)))


def test_a_zip_without_a_chat_is_an_error() -> None:
    with pytest.raises(FormatError, match=r"exactly one chat\.json"):
        read(("chat.chatpkg", zipped(**{"card.json": b"{}"})))


def test_two_chats_of_the_same_name_are_an_error() -> None:
    data = zipped(**{"chat.json": json.dumps(CHATPKG).encode(), "chat.jsox": b"{}"})
    data = data.replace(b"chat.jsox", b"chat.json")
    with pytest.raises(FormatError, match="exactly one"):
        read(("chat.chatpkg", data))


def test_an_encrypted_package_is_an_error() -> None:
    data = bytearray(package(CHATPKG))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    with pytest.raises(FormatError, match="cannot be unpacked"):
        read(("chat.chatpkg", bytes(data)))


def test_too_many_entries_are_refused() -> None:
    with pytest.raises(FormatError, match="entries"):
        read(("chat.chatpkg", zipped(**{f"{number}": b"" for number in range(20_001)})))
