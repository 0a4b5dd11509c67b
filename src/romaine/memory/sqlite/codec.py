"""How values stand in a SQLite file: text, names, checksums. Both directions, without I/O."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Sequence
from typing import Any, TypeAlias

from romaine.errors import StorageCorruptError
from romaine.memory.codec import to_json_text

SqlText: TypeAlias = "str | bytes"

_CANONICAL = json.JSONEncoder(default=bytes.hex)


def encode_text(text: str) -> SqlText:
    """Returns text as SQLite takes it: itself, or bytes where lone surrogates keep it from being UTF-8."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def decode_text(value: SqlText) -> str:
    """Undoes `encode_text`.

    Raises:
        StorageCorruptError: If it is no text.
    """
    if isinstance(value, str):
        return value
    try:
        return value.decode("utf-8", "surrogatepass")
    except (UnicodeDecodeError, AttributeError):
        raise StorageCorruptError("the memory file holds a text that is none; verify() says where") from None


def encode_optional(text: str | None) -> SqlText | None:
    """`encode_text`, or None."""
    return None if text is None else encode_text(text)


def decode_optional(value: SqlText | None) -> str | None:
    """Undoes `encode_optional`."""
    return None if value is None else decode_text(value)


def encode_id(identifier: str) -> bytes:
    """Returns a UUID's 16 bytes, which sort as its text does."""
    return bytes.fromhex(identifier.replace("-", ""))


def decode_id(value: bytes) -> str:
    """Undoes `encode_id`."""
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def encode_json(value: Any) -> SqlText:
    """Returns what JSON can hold as one text."""
    return encode_text(to_json_text(value))


def decode_json(value: SqlText) -> Any:
    """Undoes `encode_json`.

    Raises:
        StorageCorruptError: If it is no JSON.
    """
    try:
        return json.loads(decode_text(value))
    except (ValueError, RecursionError):
        raise StorageCorruptError("the memory file holds JSON that is none; verify() says where") from None


def encode_names(names: Collection[str]) -> SqlText | None:
    """Returns names as one text that is equal for equal sets, or None for no names."""
    return encode_json(sorted(names)) if names else None


def decode_names(value: SqlText | None) -> frozenset[str]:
    """Undoes `encode_names`.

    Raises:
        StorageCorruptError: If it is no list of names.
    """
    names = decode_json(value) if value else []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise StorageCorruptError("the memory file holds names that are none; verify() says where")
    return frozenset(names)


def vector_checksum(vector: bytes, context: bytes, previous: int | None) -> int:
    """CRC-32 over both vectors of a memory, and the root of the turn before it."""
    told = b"" if previous is None else str(previous).encode()
    return zlib.crc32(told, zlib.crc32(context, zlib.crc32(vector)))


def content_checksum(values: Sequence[Any], terms: bytes = b"") -> int:
    """CRC-32 over the values of a row as SQLite holds them, and the terms that belong to it."""
    return zlib.crc32(terms, zlib.crc32(_CANONICAL.encode(values).encode()))
