"""`romaine memory pin, unpin, forget, decay, branch`: changing what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Annotated

import typer

from romaine.cli.memory_options import Character, File, Ids, User, Whose
from romaine.cli.memory_view import print_memories
from romaine.cli.options import Json
from romaine.cli.terminal import print_json, print_text
from romaine.memory import Lifecycle, Memory, Scope
from romaine.memory.exchange import to_json


def pin(ids: Ids, whose: Whose, as_json: Json = False) -> None:
    """Keep memories warm whatever happens."""
    with whose.open() as memory:
        _show_changed([memory.pin(whose.scope, id_) for id_ in ids], as_json=as_json)


def unpin(ids: Ids, whose: Whose, as_json: Json = False) -> None:
    """Let pinned memories fade again."""
    with whose.open() as memory:
        _show_changed([memory.unpin(whose.scope, id_) for id_ in ids], as_json=as_json)


def forget(
    ids: Ids,
    whose: Whose,
    keep_derived: Annotated[
        bool, typer.Option("--keep-derived", help="Keep facts that were made from them.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete memories for good, from the file, its log and all forks.

    What a fork shares with its parent goes from the fork only.
    """
    with whose.open() as memory:
        if not yes:
            print_memories([memory.get(whose.scope, id_) for id_ in ids], to_stderr=True)
            also = "" if keep_derived else ", with what was made from them"
            typer.confirm(f"Delete them for good{also}?", abort=True, err=True)
        forgotten = memory.forget(whose.scope, ids, derived=not keep_derived)
    if as_json:
        print_json({"forgotten": forgotten.memories, "pending": forgotten.pending})
    else:
        print_text(f"{forgotten.memories} forgotten")
    if forgotten.pending:
        print_text(whose.still_readable, to_stderr=True)


def decay(
    whose: Whose,
    rate: Annotated[float | None, typer.Option(help="Importance lost by what was never used.")] = None,
    cold_below: Annotated[float | None, typer.Option(help="Importance under which it is cold.")] = None,
    hot_tokens: Annotated[int | None, typer.Option(help="Tokens that stay warm.")] = None,
    max_entries: Annotated[int | None, typer.Option(help="Facts and summaries kept.")] = None,
    as_json: Json = False,
) -> None:
    """Let the facts and summaries of exactly this scope fade by one cycle."""
    given = {"decay": rate, "cold_below": cold_below, "hot_tokens": hot_tokens, "max_entries": max_entries}
    settings = {name: value for name, value in given.items() if value is not None}
    with whose.open() as memory:
        memory.lifecycle = replace(Lifecycle(), **settings)  # type: ignore[arg-type]  # checked when made
        result = memory.decay(whose.scope)
    if as_json:
        print_json(asdict(result))
    else:
        print_text(f"{result.decayed} faded, {result.cooled} turned cold, {result.trimmed} trimmed")


def branch(
    to_chat: Annotated[str, typer.Argument(help="Name of the fork.", show_default=False)],
    at: Annotated[
        int, typer.Option(help="Position of the last turn they share; `list` shows it.", show_default=False)
    ],
    file: File,
    user: User,
    chat: Annotated[str, typer.Option(help="The chat to fork from.", show_default=False)],
    character: Character = None,
    as_json: Json = False,
) -> None:
    """Fork a chat: it sees it up to a turn, as it is now, and neither sees what the other changes."""
    with file.open() as memory:
        fork = memory.branch(Scope(user=user, character=character, chat=chat), at=at, to_chat=to_chat)
    if as_json:
        print_json(asdict(fork))
    else:
        print_text(f"{fork.chat} sees {chat} up to position {at}")


def _show_changed(memories: Sequence[Memory], *, as_json: bool) -> None:
    if as_json:
        print_json([to_json(memory) for memory in memories])
    else:
        print_memories(memories)
