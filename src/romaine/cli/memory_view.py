"""How the `romaine memory` commands show memories: tables for people, JSON's own types for programs.

Chats are text that others wrote: nothing of it is taken for markup.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from romaine.cli.terminal import console, print_text, printable, speaks_unicode
from romaine.memory import Explanation, Hit, Memory
from romaine.memory.exchange import to_json

if TYPE_CHECKING:
    from rich.console import Console, OverflowMethod

_PIPED_WIDTH = 200  # columns where the output is no terminal


def print_memories(memories: Sequence[Memory], *, to_stderr: bool = False) -> None:
    """Prints memories as a table, a line for each."""
    table = _table()
    for title in ("id", "position", "kind", "", "speaker"):
        table.add_column(title, justify="right" if title == "position" else "left", no_wrap=True)
    table.add_column("text")  # alone gives way where the terminal is narrow
    for memory in memories:
        position = "" if memory.position is None else str(memory.position)
        cells = (memory.id, position, memory.kind.value, _marks(memory), memory.speaker or "", memory.text)
        table.add_row(*(_line(cell, cut=True) for cell in cells))
    _console(to_stderr=to_stderr).print(table)


def print_memory(memory: Memory) -> None:
    """Prints everything about one memory."""
    fields = to_json(memory)
    text = fields.pop("text", "")
    print_fields({name: _value(value) for name, value in fields.items()} | {"text": text})


def print_hits(hits: Sequence[Hit], *, with_parts: bool) -> None:
    """Prints hits as a table, each with its neighbours around it and its id below."""
    table = _table("score", "speaker", "text")
    for hit in hits:
        shown = sorted((*hit.neighbours, hit.memory), key=lambda memory: memory.position or 0)
        for memory in shown:
            if memory.id == hit.memory.id:
                table.add_row(f"{hit.score:.2f}", _speaker(memory), _found(hit, with_parts=with_parts))
            else:
                table.add_row("", _speaker(memory), Text(printable(memory.text), style="dim"))
        table.add_section()
    _console().print(table)


def print_explanation(explanation: Explanation) -> None:
    """Prints hits, what was left out and why, and what the file lacks."""
    print_hits(explanation.hits, with_parts=True)
    if explanation.rejected:
        table = _table("score", "left out for", "speaker", "text", title="left out")
        for rejected in explanation.rejected:
            memory = rejected.memory
            table.add_row(f"{rejected.score:.2f}", rejected.reason, _speaker(memory), _line(memory.text))
        _console().print(table)
    print_text(f"confidence {explanation.confidence:.2f}")
    if explanation.damaged:
        print_text(f"{explanation.damaged} memories could not be searched; `romaine memory check --repair`")


def print_fields(fields: Mapping[str, str]) -> None:
    """Prints names and values, a pair a row."""
    table = _table()
    table.show_header = False
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(name, Text(printable(value)))
    _console().print(table)


def print_rows(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table; numbers stand right."""
    table = _table()
    kept = [[printable(cell) for cell in row] for row in rows]
    for index, title in enumerate(titles):
        is_number = all(row[index].isdecimal() for row in kept)
        table.add_column(title, justify="right" if is_number else "left", overflow="fold")
    for row in kept:
        table.add_row(*(Text(cell) for cell in row))
    _console().print(table)


def _found(hit: Hit, *, with_parts: bool) -> Text:
    text = Text(printable(hit.memory.text))
    text.append(f"\n{hit.memory.id}", style="dim")
    if with_parts:
        terms = ", ".join(f"{name} {value:+.2f}" for name, value in hit.parts.items() if value)
        text.append(f"\n{terms}", style="dim")
    return text


def _speaker(memory: Memory) -> Text:
    return _line(memory.speaker or memory.kind.value)


def _line(text: str, *, cut: bool = False) -> Text:
    """A text on one line, wrapped or cut where there is no room."""
    overflow: OverflowMethod = "fold"
    if cut:
        overflow = "ellipsis" if speaks_unicode() else "crop"
    return Text(printable(" ".join(text.split())), no_wrap=cut, overflow=overflow)


def _marks(memory: Memory) -> str:
    marks = {"pinned": memory.pinned, "cold": memory.cold, "superseded": memory.superseded_by is not None}
    return " ".join(name for name, holds in marks.items() if holds)


def _value(value: object) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(*titles: str, title: str | None = None) -> Table:
    return Table(*titles, title=title, title_justify="left", box=None, pad_edge=False)


def _console(*, to_stderr: bool = False) -> Console:
    stream = sys.stderr if to_stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPED_WIDTH
    return console(stderr=to_stderr, width=width)
