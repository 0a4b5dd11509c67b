"""`romaine memory import`: chats, cards, lorebooks, or what `export` wrote -> a memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from romaine.cli.memory_options import Whose, repeatable
from romaine.cli.memory_sources import Names, SourceFile, check_chats, read_source
from romaine.cli.memory_view import print_rows
from romaine.cli.options import Json
from romaine.cli.terminal import print_json, print_text
from romaine.formats import PlacedChat
from romaine.memory import RoleplayMemory, Scope
from romaine.progress import progress_bar

_BATCH = 1000  # turns of one write: what an interrupted import has at most to do again
_SKIPPED_SHOWN = 5


@dataclass(kw_only=True)
class _Report:
    """What became of a file."""

    file: SourceFile
    chats: list[dict[str, Any]] = field(default_factory=list)
    notes_added: int = 0
    notes_known: int = 0
    restored: int = 0  # memories of an export that are new

    def to_json(self) -> dict[str, Any]:
        return {
            "file": str(self.file.path),
            "format": self.file.format,
            "chats": self.chats,
            "notes": {"added": self.notes_added, "known": self.notes_known},
            "restored": self.restored,
            "skipped": [{"where": where, "why": why} for where, why in self.file.skipped],
        }


def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Chats, cards, lorebooks.", show_default=False)
    ],
    whose: Whose,
    names: Names,
    sync: Annotated[
        bool, typer.Option("--sync", help="Take out messages that a chat no longer holds.")
    ] = False,
    analyzer: Annotated[
        str | None,
        typer.Option(help="What makes of texts the terms they are found by; the file's own if not given."),
    ] = None,
    vector_format: Annotated[
        str | None, typer.Option(help="Of a new file: float32, float16 or int8.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Import files. The same import again adds nothing, so one that was interrupted is simply repeated."""
    # all of them before anything is written
    sources = [read_source(path, whose.scope, names) for path in files]
    check_chats(sources)
    with (
        whose.open(create=True, vector_format=vector_format, analyzer=analyzer) as memory,
        repeatable(),
        progress_bar("importing", sum(file.steps for file in sources)) as advance,
    ):
        reports = [_write(memory, file, whose.scope, advance) for file in sources]
        if sync:
            _sync(memory, reports)
    if as_json:
        print_json({"files": [report.to_json() for report in reports]})
    else:
        _print(reports)


def _write(memory: RoleplayMemory, file: SourceFile, scope: Scope, advance: Callable[[int], None]) -> _Report:
    report = _Report(file=file)
    if file.placement is None:
        report.restored = _import_export(memory, file.path, scope)
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
    return report


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


def _sync(memory: RoleplayMemory, reports: Sequence[_Report]) -> None:
    for report in reports:
        chats = report.file.placement.chats if report.file.placement else ()
        for part, counts in zip(chats, report.chats, strict=True):
            counts["retracted"] = _retract_missing(memory, part)


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


def _import_export(memory: RoleplayMemory, path: Path, scope: Scope) -> int:
    """Imports what `export` wrote: into the scopes it names if they are the user's, or into a named one."""
    if scope.character is not None or scope.chat is not None:
        return memory.import_jsonl(path, scope=scope)
    return memory.import_jsonl(path, user=scope.user)


def _batches(parts: Sequence[Any]) -> Iterator[list[Any]]:
    rest = iter(parts)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _print(reports: Sequence[_Report]) -> None:
    counted = ("added", "edited", "unchanged", "pinned", "retracted")
    chats = [(report, chat) for report in reports for chat in report.chats]
    rows = []
    for report, chat in chats:
        whose = (chat["character"] or "", chat["chat"] or "")
        counts = (str(chat[name]) for name in counted)
        rows.append((report.file.path.name, report.file.format, *whose, *counts))
    if rows:
        print_rows(("file", "format", "character", "chat", *counted), rows)
    for report in reports:
        if report.file.placement is None:
            print_text(f"{report.file.path.name}: {report.restored} new memories")
        if report.notes_added or report.notes_known:
            print_text(f"{report.file.path.name}: {report.notes_added} notes, {report.notes_known} known")
        for where, why in report.file.skipped[:_SKIPPED_SHOWN]:
            print_text(f"{report.file.path.name}: skipped {where}: {why}")
        if len(report.file.skipped) > _SKIPPED_SHOWN:
            more = len(report.file.skipped) - _SKIPPED_SHOWN
            print_text(f"{report.file.path.name}: {more} more were skipped; --json tells which")
