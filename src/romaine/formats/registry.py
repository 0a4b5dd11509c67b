"""Which format a file has, and its reader: our own in order, then those that other packages bring.

The first bytes tell a picture or a zip. Everything else is JSON: lines, where the first line alone is a JSON
object and more lines follow, or one document. Which one is decided by its fields, never by the file's name.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from romaine.bounded.budget import Budget
from romaine.bounded.parsing import parse_json, read_line
from romaine.choice import Choice
from romaine.errors import FormatError, PluginError, UnknownNameError
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
from romaine.plugins import Plugin, plugins

Source = str | os.PathLike[str] | tuple[str, bytes]
"""What can be read: the path of a file, or the name and the bytes of one that is in memory."""

ENTRY_POINT_GROUP = "romaine.formats"
_HEAD_BYTES = 4096


class Content(Choice):
    """What a file is made of, and so what the functions of a `Format` are given."""

    BYTES = "bytes"
    """`recognises` the first 4,096 bytes, `read` the stream from its begin."""
    LINES = "lines"
    """JSON lines: `recognises` the value of the first, `read` the stream from its begin."""
    DOCUMENT = "document"
    """One JSON document: both its value."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """One format. Another package brings its own as an entry point of the group ``romaine.formats``.

    Attributes:
        name: What it is called, in `ImportResult.format` too.
        content: What a file of it is made of.
        recognises: Tells from what `content` says whether a file has this format.
        read: Reads such a file. Raises `FormatError` if it cannot; reads with `ReadOptions.budget` what would
            else take too much memory.
    """

    name: str
    content: Content
    recognises: Callable[[Any], bool]
    read: Callable[[Any, ReadOptions], ImportResult]

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", Content.parse(self.content))


def _signed(name: str, signature: bytes, read: Callable[[BinaryIO, ReadOptions], ImportResult]) -> Format:
    return Format(
        name=name, content=Content.BYTES, recognises=lambda head: head.startswith(signature), read=read
    )


_LINES, _DOCUMENT = Content.LINES, Content.DOCUMENT
_FORMATS = (
    Format(name="sillytavern-chat", content=_LINES, recognises=is_sillytavern, read=read_sillytavern),
    Format(name="jsonl", content=_LINES, recognises=is_plain, read=read_plain),
    Format(name="risu-chat", content=_DOCUMENT, recognises=is_risu, read=read_risu),
    Format(name="chatpkg", content=_DOCUMENT, recognises=is_chatpkg, read=read_chatpkg_document),
    Format(name="locomo", content=_DOCUMENT, recognises=is_locomo, read=read_locomo),
    Format(name="lorebook", content=_DOCUMENT, recognises=is_lorebook, read=read_lorebook),
    Format(name="character-card", content=_DOCUMENT, recognises=is_card, read=read_card),
    _signed("character-card", PNG_SIGNATURE, read_png_card),
    _signed("chatpkg", ZIP_SIGNATURE, read_chatpkg),
)

#: Names of the formats that this package reads by itself.
FORMATS: tuple[str, ...] = tuple(dict.fromkeys(entry.name for entry in _FORMATS))
"""Names of the formats of this package; `format_names` has those of other packages, too."""


def format_names() -> tuple[str, ...]:
    """Names of all formats that can be read, those that other packages bring last."""
    return (*FORMATS, *(plugin.name for plugin in plugins(ENTRY_POINT_GROUP, taken=FORMATS)))


def detect(source: Source) -> str:
    """Tells the format of a file, one of `format_names()`.

    Args:
        source: A path, or a file's name and bytes.

    Raises:
        FormatError: If the file cannot be read, is damaged or of no known format.
    """
    with open_source(source) as stream:
        return _choose(stream, ReadOptions(), None)[0].name


def read(
    source: Source,
    *,
    user_name: str | None = None,
    character_name: str | None = None,
    include_hidden: bool = False,
    format: str | None = None,  # noqa: A002 - what it is
) -> ImportResult:
    """Reads a file of any known format, whole or not at all.

    Args:
        source: A path, or a file's name and bytes.
        user_name: The user's name; else the file's.
        character_name: The character's name; else the file's.
        include_hidden: Whether messages that their app hides from the model become turns too.
        format: The one it has, of `format_names()`; None to find out, ours before those of other packages.

    Returns:
        Its chats and notes, and what was skipped. Texts are as they stand in the file, but for ``{{user}}``
        and ``{{char}}``, in whose place the names stand where they are known.

    Raises:
        FormatError: If the file cannot be read, is damaged, too large or of no known format.
        UnknownNameError: If there is no such format.
        PluginError: If what another package brings for the format fails.
    """
    options = ReadOptions(
        user_name=user_name,
        character_name=character_name,
        include_hidden=include_hidden,
        book_name=Path(source_name(source)).stem or None,
    )
    with open_source(source) as stream:
        chosen, content, options = _choose(stream, options, format)
        result = chosen.read(content, options)
    if not isinstance(result, ImportResult):
        raise PluginError(f"format {chosen.name!r} gave {type(result).__name__}, needed is an ImportResult")
    return result


def source_name(source: Source) -> str:
    """What a source is called."""
    return source[0] if isinstance(source, tuple) else os.fspath(source)


def open_source(source: Source) -> AbstractContextManager[BinaryIO]:
    """Opens a source.

    Raises:
        FormatError: If it cannot be read.
    """
    if isinstance(source, tuple):
        return io.BytesIO(source[1])
    return open_file(source)


def _choose(stream: BinaryIO, options: ReadOptions, name: str | None) -> tuple[Format, Any, ReadOptions]:
    """Returns a file's format, what its `read` is to be given, and the options for that."""
    if name is not None:
        return *_recognised(stream, options.budget, _named(name)), options
    try:
        return *_recognised(stream, options.budget, _FORMATS), options
    except FormatError as error:
        problem = str(error)  # without what was parsed, which is parsed anew for each
    for plugin in plugins(ENTRY_POINT_GROUP, taken=FORMATS):
        stream.seek(0)
        anew = replace(options, budget=Budget())
        try:
            return *_recognised(stream, anew.budget, [_loaded(plugin)]), anew
        except FormatError:
            problem += f"; nor is it {plugin}"
        except PluginError as error:
            problem += f"; format {error}"
    raise FormatError(problem)


def _named(name: str) -> list[Format]:
    if ours := [entry for entry in _FORMATS if entry.name == name]:
        return ours
    for plugin in plugins(ENTRY_POINT_GROUP):
        if plugin.name == name:
            return [_loaded(plugin)]
    raise UnknownNameError("format", name, format_names())


def _loaded(plugin: Plugin) -> Format:
    """A format that another package brings, whose errors name that package."""
    loaded = plugin.load()
    if not isinstance(loaded, Format):
        raise PluginError(f"{plugin} is a {type(loaded).__name__}, needed is a romaine.formats.Format")

    def told(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except FormatError:
                raise
            except Exception as error:
                raise PluginError(f"{plugin} failed with {type(error).__name__}: {error}") from error

        return call

    return replace(loaded, name=plugin.name, recognises=told(loaded.recognises), read=told(loaded.read))


def _recognised(stream: BinaryIO, budget: Budget, formats: Sequence[Format]) -> tuple[Format, Any]:
    """Returns the format of these that a file has, and what its `read` is to be given."""

    def of(content: Content, value: Any) -> Format | None:
        return next((f for f in formats if f.content is content and f.recognises(value)), None)

    head = stream.read(_HEAD_BYTES)
    if not head:
        raise FormatError("the file is empty")
    stream.seek(0)
    if found := of(Content.BYTES, head):
        return found, stream
    names = ", ".join(dict.fromkeys(entry.name for entry in formats))
    if all(entry.content is Content.BYTES for entry in formats):
        raise FormatError(f"the file is of no known format; known: {names}")
    first, is_all = _first_line(stream, budget)
    if found := of(Content.LINES, first):
        return found, stream
    if is_all:
        document = first
    else:
        has_lines, first = first is not None, None  # not held while the whole is parsed
        document = _document(stream, budget, formats, has_lines=has_lines)
    if found := of(Content.DOCUMENT, document):
        return found, document
    raise FormatError(f"the file is JSON of no known format; known: {names}")


def _document(stream: BinaryIO, budget: Budget, formats: Sequence[Format], *, has_lines: bool) -> Any:
    try:
        return read_document(stream, "the file", budget)
    except FormatError:
        if not has_lines:
            raise
        known = ", ".join(entry.name for entry in formats if entry.content is Content.LINES)
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
