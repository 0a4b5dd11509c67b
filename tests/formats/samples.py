"""Valid files of every format, small, with something to skip in each."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples" / "data"


def jsonl(*records: Any) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def message(text: str, name: str = "Cassian", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "is_user": name == "Ana",
        "is_system": False,
        "send_date": "June 3, 2024 5:12pm",
        "mes": text,
        "extra": {},
    } | fields


HEADER = {
    "user_name": "Ana",
    "character_name": "Cassian",
    "create_date": "2024-6-3@17h12m",
    "chat_metadata": {},
}

CARD = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": {
        "name": "Cassian",
        "description": "{{char}} keeps an inn.\n\n## Habits\n\nHe dries one glass, and <USER> notices.",
        "personality": "dry",
        "scenario": "{{user}} comes in from the rain.",
        "first_mes": "We close at ten.",
        "mes_example": "<START>",
        "system_prompt": "Stay in character.",
        "alternate_greetings": ["Come in."],
        "extensions": {},
        "character_book": {
            "name": "Veldmouth",
            "entries": [
                {
                    "id": 7,
                    "keys": ["{{char}}", "inn"],
                    "content": "The inn is narrow.",
                    "constant": True,
                    "enabled": True,
                },
                {"id": 8, "keys": ["roof"], "content": "The roof leaks.", "enabled": False},
            ],
        },
    },
}

WORLD_INFO = {
    "entries": {
        "0": {
            "uid": 0,
            "key": ["lamp"],
            "keysecondary": [],
            "content": "Lamps float.",
            "constant": True,
            "order": 5,
        },
        "1": {"uid": 1, "key": ["bell"], "content": "The bell is cracked.", "disable": True},
        "2": {"uid": 2, "key": ["spit"], "content": "   ", "disable": False},
    }
}

RISU = {
    "type": "risuChat",
    "ver": 2,
    "data": {
        "name": "Evenings",
        "message": [
            {"role": "user", "data": "Is the soup good?", "chatId": "a", "time": 1717434720000},
            {"role": "char", "data": "It is hot.", "chatId": "b", "time": 1717434780000},
            {"role": "char", "data": "A note to myself", "chatId": "c", "isComment": True},
            {"role": "char", "data": "gone", "chatId": "d", "disabled": True},
        ],
        "localLore": [
            {"key": "soup, leek", "content": "It is always leek.", "alwaysActive": True, "insertorder": 3}
        ],
    },
}

CHATPKG = {
    "type": "single_chat",
    "version": 1,
    "exportedAt": 1717434720000,
    "source": {"app": "lettuce", "format": "chatpkg"},
    "payload": {
        "session": {
            "title": "Evenings",
            "messages": [
                {"id": "m0", "role": "scene", "content": "It rains.", "createdAt": 1717434600000},
                {"id": "m1", "role": "user", "content": "Is the soup good?", "createdAt": 1717434720000},
                {
                    "id": "m2",
                    "role": "assistant",
                    "content": "It is hot.",
                    "createdAt": 1717434780000,
                    "isPinned": True,
                    "selectedVariantId": "v2",
                    "variants": [
                        {"id": "v1", "content": "It is cold."},
                        {"id": "v2", "content": "It is hot."},
                    ],
                },
                {"id": "m3", "role": "tool", "content": "{}"},
            ],
            "memories": ["Ana eats leek.", "Ana came by boat."],
            "memoryEmbeddings": [
                {
                    "id": "e1",
                    "text": "Ana eats leek.",
                    "embedding": [0.1],
                    "importanceScore": 0.5,
                    "isPinned": True,
                    "category": "preference",
                }
            ],
            "memorySummary": "A wet evening.",
        }
    },
}

LOCOMO = {
    "sample_id": "conv-1",
    "conversation": {
        "speaker_a": "Ana",
        "speaker_b": "Cassian",
        "session_2_date_time": "9:00 am on 9 May, 2023",
        "session_2": [{"speaker": "Ana", "dia_id": "D2:1", "text": ""}],
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ana", "dia_id": "D1:1", "text": "Where is the key?"},
            {"speaker": "Cassian", "dia_id": "D1:2", "text": "Look!", "blip_caption": "a photo of a stair"},
        ],
    },
    "qa": [
        {"question": "Where?", "answer": 3, "evidence": ["D1:2; D1:1", "D9:9", "D1:2"], "category": 1},
        {"question": "Who?", "evidence": ["D9:9"]},
    ],
}

PLAIN = jsonl(
    {"text": "Is the soup good?", "speaker": "Ana", "role": "user", "at": "2024-06-03T17:12:00Z", "id": 1},
    {"text": "It is hot.", "speaker": "Cassian", "mood": "dry"},
    {"text": "", "speaker": "Cassian"},
)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    picture = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + picture + chunk(b"IEND", b"")


def encoded(card: Any) -> bytes:
    return base64.b64encode(json.dumps(card).encode())


def package(document: Any, **other_entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("chat.json", json.dumps(document))
        for name, data in other_entries.items():
            file.writestr(name, data)
    return buffer.getvalue()


#: format name -> a valid file of it
VALID = {
    "sillytavern-chat": jsonl(HEADER, message("We close at ten."), message("Good.", "Ana")),
    "jsonl": PLAIN,
    "character-card": json.dumps(CARD).encode(),
    "lorebook": json.dumps(WORLD_INFO).encode(),
    "risu-chat": json.dumps(RISU).encode(),
    "chatpkg": package(CHATPKG),
    "locomo": json.dumps(LOCOMO).encode(),
}
CARD_PICTURE = png(chunk(b"tEXt", b"chara\0" + encoded(CARD)))
