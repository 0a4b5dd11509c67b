"""Files that ask for far more memory than they have bytes, made in code, of any size."""

from __future__ import annotations

import base64
import json
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

from tests.formats.samples import HEADER, chunk, jsonl, png

#: JSON values of which a list costs far more than its bytes.
TINY = {
    "lists": "[]",
    "dicts": "{}",
    "nested": "[[[]]]",
    "dicts in dicts": '{"":{}}',
    "members": '{"a":0}',
    "zeros": "0",
    "numbers": "1.5",
    "strings": '"ab"',
    "wide strings": '"Ā"',
}


def many(item: str, size: int) -> bytes:
    """A JSON list of so many bytes."""
    return ("[" + ",".join([item] * (size // (len(item) + 1))) + "]").encode()


def card(description: str, name: str = "Cassian") -> bytes:
    return json.dumps({"spec": "chara_card_v2", "data": {"name": name, "description": description}}).encode()


def card_with(extensions: bytes) -> bytes:
    data = b'"name":"Cassian","description":"Keeps an inn.","extensions":'
    return b'{"spec":"chara_card_v2","data":{' + data + extensions + b"}}"


def lorebook(entry: Any, count: int, name: str = "Veldmouth") -> bytes:
    return json.dumps({"name": name, "entries": [entry] * count}, separators=(",", ":")).encode()


def chat_package(document: bytes, packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as file:
        file.writestr("chat.json", document)
    return buffer.getvalue()


def session(fields: bytes) -> bytes:
    return b'{"type":"single_chat","version":1,"payload":{"session":{"title":"x",' + fields + b"}}}"


def entries(size: int) -> bytes:
    """A zip of nothing but entries."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number in range(size // 120):
            file.writestr(str(number), b"")
    return buffer.getvalue()


def spoken(text: str, **fields: Any) -> dict[str, Any]:
    return {"is_user": True, "mes": text} | fields


def called(length: int) -> dict[str, Any]:
    return HEADER | {"user_name": "u" * length}


#: What the file holds -> a function that makes one of about so many bytes.
FILES: dict[str, Callable[[int], bytes]] = {
    "macros in one message": lambda size: jsonl(called(size // 2), spoken("{{user}}" * (size // 20))),
    "a macro in each message": lambda size: jsonl(called(size // 10), *[spoken("{{user}}")] * (size // 50)),
    "a long name for ids": lambda size: jsonl(called(size // 10), *[spoken("a", send_date=1)] * (size // 50)),
    "ids of the skipped": lambda size: jsonl(called(size // 10), *[spoken("", send_date=1)] * (size // 50)),
    "macros in a card": lambda size: card("{{char}}. " * (size // 20), name="c" * (size // 2)),
    "paragraphs": lambda size: card("a.\n\n" * (size // 6)),
    "paragraphs of a long name": lambda size: card("a.\n\n" * (size // 6), name="c" * (size // 10)),
    "headings": lambda size: card("ab\n\n" * (size // 6)),
    "old macros": lambda size: card("<BOT>ab" * (size // 7)),
    "macros in lore": lambda size: lorebook({"content": "{{char}}"}, size // 24),
    "short lore": lambda size: lorebook({"content": "a"}, size // 16),
    "lore of a long name": lambda size: lorebook({"content": "a"}, size // 20, name="b" * (size // 10)),
    "lore that is none": lambda size: lorebook(0, size // 2),
    "keys of lore": lambda size: lorebook({"content": "a", "keys": "ab," * (size // 3)}, 1),
    "distinct keys": lambda size: card_with(
        b"{" + b",".join(b'"%d":0' % number for number in range(size // 10)) + b"}"
    ),
    "short lines": lambda size: b'{"text":"a"}\n' * (size // 13),
    "lines that are no message": lambda size: b'{"text":"a"}\n' + b"1\n" * (size // 2),
    "short messages": lambda size: jsonl(HEADER) + b'{"mes":"a"}\n' * (size // 12),
    "empty messages": lambda size: jsonl(HEADER) + b"{}\n" * (size // 3),
    "a long wide line": lambda size: jsonl(HEADER, spoken("a" * size + "😀")).replace(
        rb"\ud83d\ude00", "😀".encode()
    ),
    "a long line of escapes": lambda size: jsonl(HEADER, spoken("a" * size + "😀")),
    "junk in a long line": lambda size: (
        jsonl(HEADER) + b'{"is_user":true,"mes":"a","extra":' + many("[]", size) + b"}\n"
    ),
    "chats": lambda size: b'{"type":"risuAllChats","ver":2,"data":' + many("{}", size) + b"}",
    "messages": lambda size: (
        b'{"type":"risuChat","ver":2,"data":{"message":' + many('{"role":"user","data":"a"}', size) + b"}}"
    ),
    "conversations": lambda size: b'[{"session_1":[1]},' + many("{}", size)[1:],
    "turns": lambda size: b'{"session_1":' + many('{"speaker":"a","text":"b"}', size) + b"}",
    "sessions": lambda size: json.dumps({f"session_{n}": [0] for n in range(1, size // 18)}).encode(),
    "a conversation of a long name": lambda size: json.dumps(
        {"sample_id": "x" * (size // 2), "session_1": [0] * (size // 6)}
    ).encode(),
    "memories": lambda size: chat_package(
        session(b'"memories":[' + b",".join(b'"%d"' % n for n in range(size // 8)) + b"]")
    ),
    "entries of a zip": entries,
    "a text chunk": lambda size: png(
        chunk(b"tEXt", b"chara\0" + base64.b64encode(card_with(many("[]", size))))
    ),
    "a packed text chunk": lambda size: png(
        chunk(b"zTXt", b"chara\0\0" + zlib.compress(base64.b64encode(card_with(many("[]", size)))))
    ),
    "spaces in a text chunk": lambda size: png(chunk(b"tEXt", b"chara\0" + b"aa " * (size // 3))),
    "a packing that cannot be stopped": lambda size: chat_package(b" " * size * 10, zipfile.ZIP_BZIP2),
}
for _name, _item in TINY.items():
    FILES[f"{_name} in a card"] = lambda size, item=_item: card_with(many(item, size))
    FILES[f"{_name} in a package"] = lambda size, item=_item: chat_package(
        session(b'"x":' + many(item, size))
    )


def unpacked_size(data: bytes) -> int:
    """Bytes of what is read of a file."""
    if data.startswith(b"PK"):
        with zipfile.ZipFile(BytesIO(data)) as package:
            return sum(entry.file_size for entry in package.infolist()) + len(data)
    if (start := data.find(b"zTXtchara\0\0")) >= 0:
        return len(zlib.decompressobj().decompress(data[start + 11 :]))
    return len(data)
