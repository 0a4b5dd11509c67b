"""The files of an import, read whole before anything is written, and where each part of them goes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from romaine.bounded.parsing import check_cost, read_line
from romaine.errors import FormatError, OptionError
from romaine.formats import ImportResult, Placement, place, read
from romaine.memory import Scope
from romaine.options import keywords

_EXPORTED = {"user", "id", "kind", "text", "created_at"}  # what every line of an export has


@dataclass(frozen=True, kw_only=True)
class Names:
    """The options about files and their names; see `romaine.formats.read` and `place`."""

    user_name: Annotated[str | None, typer.Option(help="Stands for {{user}}; else the file's.")] = None
    character_name: Annotated[
        str | None, typer.Option(help="Stands for {{char}}; else the file's, else --character.")
    ] = None
    include_hidden: Annotated[
        bool, typer.Option("--include-hidden", help="Take messages that their app hides, too.")
    ] = False
    format: Annotated[
        str | None,
        typer.Option(help="What the files are, e.g. jsonl; else found out. A wrong one lists all."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file that has been read: where its parts go, or None for what `export` wrote."""

    path: Path
    format: str
    placement: Placement | None
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def steps(self) -> int:
        """How many turns and notes it holds; an export is written in one step."""
        if self.placement is None:
            return 1
        return sum(len(part.chat.turns) for part in self.placement.chats) + len(self.placement.notes)


def read_source(path: Path, scope: Scope, names: Names) -> SourceFile:
    """Reads a file of any known format.

    Raises:
        FormatError: If it cannot be read or is of none.
    """
    if names.format is None and _is_export(path):
        return SourceFile(path=path, format="export", placement=None)
    try:
        result = _result(path, scope, names)
    except FormatError as error:
        raise error if str(path) in str(error) else FormatError(f"{path}: {error}") from None
    placement = place(
        result, user=scope.user, character=scope.character, chat=scope.chat, file_name=path.stem
    )
    skipped = tuple((left.where, left.why) for left in result.skipped)
    return SourceFile(path=path, format=result.format, placement=placement, skipped=skipped)


def _result(path: Path, scope: Scope, names: Names) -> ImportResult:
    result = read(path, **keywords(names))
    if result.character_name is None and scope.character is not None:
        return read(path, **keywords(names) | {"character_name": scope.character})
    return result


def _is_export(path: Path) -> bool:
    """Whether the first line is a memory as `export` writes it; a plain chat has no kinds and users."""
    try:
        with path.open("rb") as file:
            line = read_line(file, "line 1")
        check_cost(line, "line 1")
        record = json.loads(line.decode("utf-8", "surrogatepass"))  # halves of pairs stand as they are
    except (OSError, ValueError, RecursionError):  # the readers say what is wrong
        return False
    return isinstance(record, dict) and record.keys() >= _EXPORTED


def check_chats(files: Sequence[SourceFile]) -> None:
    """Checks that no two chats become one: each would edit the other's messages.

    Raises:
        OptionError: If two do.
    """
    seen: dict[Scope, Path] = {}
    for file in files:
        for part in file.placement.chats if file.placement else ():
            if part.scope in seen:
                raise OptionError(
                    f"{seen[part.scope]} and {file.path} would both become chat {part.scope.chat!r}; import"
                    " them one at a time, each with its own --chat"
                )
            seen[part.scope] = file.path
