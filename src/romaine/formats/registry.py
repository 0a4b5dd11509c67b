"""Which format a file has, and its reader: three tables, each tried in order.

The first bytes tell a picture or a zip. Everything else is JSON: lines, where the first line alone is a JSON
object and more lines follow, or one document. Which one is decided by its fields, never by the file's name.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from romaine.bounded.budget import Budget
from romaine.bounded.parsing import parse_json, read_line
from romaine.errors import FormatError
from romaine.formats.cards import is_card, read_card
from romaine.formats.chatpkg import ZIP_SIGNATURE, is_chatpkg, read_chatpkg, read_chatpkg_document
from romaine.formats.locomo import is_locomo, read_locomo
from romaine.formats.lorebooks import is_lorebook, read_lorebook
from romaine.formats.plain import is_plain, read_plain
from romaine.formats.png import PNG_SIGNATURE, read_png_card
from romaine.formats.reading import ReadOptions, open_file, read_document
from romaine.formats.result import ImportResult
from romaine.formats.risu import is_risu, read_risu
from romaine.formats.sillytavern import is_sillytavern, read_sillytavern

#: A path, or the name and the bytes of a file that is in memory.
Source = str | os.PathLike[str] | tuple[str, bytes]

_StreamReader = Callable[[BinaryIO, ReadOptions], ImportResult]
_DocumentReader = Callable[[Any, ReadOptions], ImportResult]
_Reader = Callable[[ReadOptions], ImportResult]


@dataclass(frozen=True, kw_only=True)
class _BinaryFormat:
    name: str
    signature: bytes
    read: _StreamReader


@dataclass(frozen=True, kw_only=True)
class _LineFormat:
    name: str
    recognises: Callable[[Any], bool]
    read: _StreamReader


@dataclass(frozen=True, kw_only=True)
class _DocumentFormat:
    name: str
    recognises: Callable[[Any], bool]
    read: _DocumentReader


_BINARY_FORMATS = (
    _BinaryFormat(name="character-card", signature=PNG_SIGNATURE, read=read_png_card),
    _BinaryFormat(name="chatpkg", signature=ZIP_SIGNATURE, read=read_chatpkg),
)
_DOCUMENT_FORMATS = (
    _DocumentFormat(name="risu-chat", recognises=is_risu, read=read_risu),
    _DocumentFormat(name="chatpkg", recognises=is_chatpkg, read=read_chatpkg_document),
    _DocumentFormat(name="locomo", recognises=is_locomo, read=read_locomo),
    _DocumentFormat(name="lorebook", recognises=is_lorebook, read=read_lorebook),
    _DocumentFormat(name="character-card", recognises=is_card, read=read_card),
)
_LINE_FORMATS = (
    _LineFormat(name="sillytavern-chat", recognises=is_sillytavern, read=read_sillytavern),
    _LineFormat(name="jsonl", recognises=is_plain, read=read_plain),
)

#: Names of the formats that can be read.
FORMATS: tuple[str, ...] = tuple(
    dict.fromkeys(entry.name for entry in (*_LINE_FORMATS, *_DOCUMENT_FORMATS, *_BINARY_FORMATS))
)


def detect(source: Source) -> str:
    """Tells the format of a file, one of `FORMATS`.

    Args:
        source: A path, or a file's name and bytes.

    Raises:
        FormatError: If the file cannot be read, is damaged or of no known format.
    """
    with _open(source) as stream:
        return _choose(stream, Budget())[0]


def read(
    source: Source,
    *,
    user_name: str | None = None,
    character_name: str | None = None,
    include_hidden: bool = False,
) -> ImportResult:
    """Reads a file of any known format, whole or not at all.

    Args:
        source: A path, or a file's name and bytes.
        user_name: The user's name; else the file's.
        character_name: The character's name; else the file's.
        include_hidden: Whether messages that their app hides from the model become turns too.

    Returns:
        Its chats and notes, and what was skipped. Texts are as they stand in the file, but for ``{{user}}``
        and ``{{char}}``, in whose place the names stand where they are known.

    Raises:
        FormatError: If the file cannot be read, is damaged, too large or of no known format.
    """
    name = source[0] if isinstance(source, tuple) else os.fspath(source)
    options = ReadOptions(
        user_name=user_name,
        character_name=character_name,
        include_hidden=include_hidden,
        book_name=Path(name).stem or None,
    )
    with _open(source) as stream:
        return _choose(stream, options.budget)[1](options)


def _open(source: Source) -> AbstractContextManager[BinaryIO]:
    if isinstance(source, tuple):
        return io.BytesIO(source[1])
    return open_file(source)


def _choose(stream: BinaryIO, budget: Budget) -> tuple[str, _Reader]:
    """Returns the format's name and what reads it from the stream, which stands where that begins."""
    head = stream.read(len(PNG_SIGNATURE))
    if not head:
        raise FormatError("the file is empty")
    stream.seek(0)
    for binary in _BINARY_FORMATS:
        if head.startswith(binary.signature):
            return binary.name, partial(binary.read, stream)
    first, is_all = _first_line(stream, budget)
    for lines in _LINE_FORMATS:
        if lines.recognises(first):
            return lines.name, partial(lines.read, stream)
    if is_all:
        document = first
    else:
        has_lines, first = first is not None, None  # not held while the whole is parsed
        document = _document(stream, budget, has_lines=has_lines)
    for entry in _DOCUMENT_FORMATS:
        if entry.recognises(document):
            return entry.name, partial(entry.read, document)
    raise FormatError(f"the file is JSON of no known format; known: {', '.join(FORMATS)}")


def _document(stream: BinaryIO, budget: Budget, *, has_lines: bool) -> Any:
    try:
        return read_document(stream, "the file", budget)
    except FormatError:
        if not has_lines:
            raise
        known = ", ".join(lines.name for lines in _LINE_FORMATS)
        raise FormatError(f"the first line is JSON of no known format; known for lines: {known}") from None


def _first_line(stream: BinaryIO, budget: Budget) -> tuple[Any, bool]:
    """Returns the first line that is not blank, parsed, and whether it is all there is.

    It is None where it is no JSON by itself and others follow.
    """
    try:
        while (line := read_line(stream, "line 1")) and line.isspace():
            pass
    except FormatError:
        return None, False
    finally:
        is_all = not stream.read(1)
        stream.seek(0)
    if is_all:
        return parse_json(line, "the file", budget, keep=True), True
    try:
        return parse_json(line, "line 1", Budget()), False
    except FormatError:
        return None, False
