"""Importing: a file read whole before anything is written, and then each part of it to its scope.

The same import again adds nothing, so one that was interrupted is simply repeated.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from romaine.bounded.parsing import check_cost, read_line
from romaine.errors import FormatError, OptionError
from romaine.formats.placement import PlacedChat, Placement, place
from romaine.formats.registry import Source, open_source, read, source_name
from romaine.formats.result import ImportResult
from romaine.memory import RoleplayMemory, Scope

_EXPORTED = {"user", "id", "kind", "text", "created_at"}  # what every line of an export has
_BATCH = 1000  # turns of one write: what an interrupted import has at most to do again


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file that has been read: where its parts go, or None for what `export_jsonl` wrote."""

    source: Source
    format: str
    placement: Placement | None
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """What it is called."""
        return source_name(self.source)

    @property
    def steps(self) -> int:
        """How many turns and notes it holds; an export is written in one step."""
        if self.placement is None:
            return 1
        return sum(len(part.chat.turns) for part in self.placement.chats) + len(self.placement.notes)


@dataclass(kw_only=True)
class ImportReport:
    """What became of a file.

    Attributes:
        file: The file.
        chats: For each chat its scope, and how many turns were added, edited, unchanged, pinned, retracted.
        notes_added: How many notes are new.
        notes_known: How many were there already.
        restored: How many memories of an export are new.
    """

    file: SourceFile
    chats: list[dict[str, Any]] = field(default_factory=list)
    notes_added: int = 0
    notes_known: int = 0
    restored: int = 0

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON holds it."""
        return {
            "file": self.file.name,
            "format": self.file.format,
            "chats": self.chats,
            "notes": {"added": self.notes_added, "known": self.notes_known},
            "restored": self.restored,
            "skipped": [{"where": where, "why": why} for where, why in self.file.skipped],
        }


def read_source(source: Source, scope: Scope, options: Mapping[str, Any]) -> SourceFile:
    """Reads a file of any known format, or an export.

    Args:
        source: A path, or a file's name and bytes.
        scope: Whose memory it is to become; see `place`.
        options: As `romaine.formats.read` takes them, by name.

    Raises:
        FormatError: If it cannot be read or is of none.
    """
    if options.get("format") is None and _is_export(source):
        return SourceFile(source=source, format="export", placement=None)
    name = source_name(source)
    try:
        result = _result(source, scope, options)
    except FormatError as error:
        raise error if name in str(error) else FormatError(f"{name}: {error}") from None
    placement = place(
        result, user=scope.user, character=scope.character, chat=scope.chat, file_name=Path(name).stem
    )
    skipped = tuple((left.where, left.why) for left in result.skipped)
    return SourceFile(source=source, format=result.format, placement=placement, skipped=skipped)


def check_chats(files: Sequence[SourceFile]) -> None:
    """Checks that no two chats become one: each would edit the other's messages.

    Raises:
        OptionError: If two do.
    """
    seen: dict[Scope, str] = {}
    for file in files:
        for part in file.placement.chats if file.placement else ():
            if part.scope in seen:
                raise OptionError(
                    f"{seen[part.scope]} and {file.name} would both become chat {part.scope.chat!r}; import"
                    " them one at a time, each with its own --chat"
                )
            seen[part.scope] = file.name


def write_source(
    memory: RoleplayMemory,
    file: SourceFile,
    scope: Scope,
    *,
    sync: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> ImportReport:
    """Writes what a file holds, in several writes; done again, it goes on where it was.

    Args:
        memory: Where to.
        file: What `read_source` gave.
        scope: As there.
        sync: Whether to take out messages that a chat no longer holds.
        advance: Told how many more of the file's steps are done.
    """
    report = ImportReport(file=file)
    if file.placement is None:
        report.restored = _import_export(memory, file.source, scope)
        advance(file.steps)
        return report
    for part in file.placement.chats:
        report.chats.append(_add_chat(memory, part, advance))
    for notes in _batches(file.placement.notes):
        added = memory.add_notes(part.memory for part in notes)
        stored = sum(note.stored for note in added)
        report.notes_added += stored
        report.notes_known += len(added) - stored
        advance(len(added))
    if sync:
        for part, counts in zip(file.placement.chats, report.chats, strict=True):
            counts["retracted"] = _retract_missing(memory, part)
    return report


def _result(source: Source, scope: Scope, options: Mapping[str, Any]) -> ImportResult:
    result = read(source, **options)
    if result.character_name is None and scope.character is not None:
        return read(source, **{**options, "character_name": scope.character})
    return result


def _is_export(source: Source) -> bool:
    """Whether the first line is a memory as `export_jsonl` writes it; a plain chat has no kinds and users."""
    try:
        with open_source(source) as file:
            line = read_line(file, "line 1")
        check_cost(line, "line 1")
        record = json.loads(line.decode("utf-8", "surrogatepass"))  # halves of pairs stand as they are
    except (OSError, ValueError, RecursionError):  # the readers say what is wrong
        return False
    return isinstance(record, dict) and record.keys() >= _EXPORTED


def _add_chat(memory: RoleplayMemory, part: PlacedChat, advance: Callable[[int], None]) -> dict[str, Any]:
    scope = part.scope
    counts = {"added": 0, "edited": 0, "unchanged": 0, "pinned": 0, "retracted": 0}
    for turns in _batches(part.chat.turns):
        result = memory.add_turns(scope, turns)
        counts["added"] += result.added
        counts["edited"] += result.edited
        counts["unchanged"] += result.unchanged
        for turn, id_ in zip(turns, result.ids, strict=True):
            if turn.source_id in part.chat.pinned and not memory.get(scope, id_).pinned:
                memory.pin(scope, id_)
                counts["pinned"] += 1
        advance(len(turns))
    return {"user": scope.user, "character": scope.character, "chat": scope.chat, **counts}


def _retract_missing(memory: RoleplayMemory, part: PlacedChat) -> int:
    """Takes out the turns of a chat that its file no longer holds; what other characters own stays."""
    scope = part.scope
    present = {turn.source_id for turn in part.chat.turns}
    gone = [
        turn.source_id
        for turn in memory.list(scope, kinds=["turn"])
        if turn.source_id is not None
        and turn.source_id not in present
        and turn.scope.chat is not None
        and turn.scope.character == scope.character
    ]
    return memory.retract(scope, gone) if gone else 0


def _import_export(memory: RoleplayMemory, source: Source, scope: Scope) -> int:
    """Imports an export: into the scopes it names if they are the user's, or into a named one."""
    file = io.BytesIO(source[1]) if isinstance(source, tuple) else Path(source)
    if scope.character is not None or scope.chat is not None:
        return memory.import_jsonl(file, scope=scope)
    return memory.import_jsonl(file, user=scope.user)


def _batches(parts: Sequence[Any]) -> Iterator[list[Any]]:
    rest = iter(parts)
    while batch := list(islice(rest, _BATCH)):
        yield batch
