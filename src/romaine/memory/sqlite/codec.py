"""How text stands in a SQLite file."""

from __future__ import annotations

from typing import TypeAlias

SqlText: TypeAlias = "str | bytes"


def encode_text(text: str) -> SqlText:
    """Returns text as SQLite takes it: itself, or bytes where lone surrogates keep it from being UTF-8."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def encode_optional(text: str | None) -> SqlText | None:
    """`encode_text`, or None."""
    return None if text is None else encode_text(text)
