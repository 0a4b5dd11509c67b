"""`romaine memory pin, unpin, forget, decay, branch`: changing what is there."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli import memory_options, options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from romaine.memory import Memory


def register(app: typer.Typer) -> None:
    """Adds the commands to the app."""
    for command in (pin, unpin, forget, decay, branch):
        app.command(command.__name__)(command)


def pin(
    ids: memory_options.Ids,
    db: memory_options.Database,
    user: memory_options.User,
    character: memory_options.Character = None,
    chat: memory_options.Chat = None,
    model: options.Model = memory_options.DEFAULT_MODEL,
    backend: options.Backend = "auto",
    as_json: options.Json = False,
) -> None:
    """Keep memories warm whatever happens."""
    from romaine.memory import Scope

    scope = Scope(user=user, character=character, chat=chat)
    with memory_options.open_memory(db, model, backend) as memory:
        _show_changed([memory.pin(scope, id_) for id_ in ids], as_json=as_json)


def unpin(
    ids: memory_options.Ids,
    db: memory_options.Database,
    user: memory_options.User,
    character: memory_options.Character = None,
    chat: memory_options.Chat = None,
    model: options.Model = memory_options.DEFAULT_MODEL,
    backend: options.Backend = "auto",
    as_json: options.Json = False,
) -> None:
    """Let pinned memories fade again."""
    from romaine.memory import Scope

    scope = Scope(user=user, character=character, chat=chat)
    with memory_options.open_memory(db, model, backend) as memory:
        _show_changed([memory.unpin(scope, id_) for id_ in ids], as_json=as_json)


def forget(
    ids: memory_options.Ids,
    db: memory_options.Database,
    user: memory_options.User,
    character: memory_options.Character = None,
    chat: memory_options.Chat = None,
    keep_derived: Annotated[
        bool, typer.Option("--keep-derived", help="Keep facts that were made from them.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    model: options.Model = memory_options.DEFAULT_MODEL,
    backend: options.Backend = "auto",
    as_json: options.Json = False,
) -> None:
    """Delete memories for good, from the file, its log and all forks.

    What a fork shares with its parent goes from the fork only.
    """
    from romaine.cli.memory_view import print_memories
    from romaine.cli.terminal import print_json, print_text
    from romaine.memory import Scope

    scope = Scope(user=user, character=character, chat=chat)
    with memory_options.open_memory(db, model, backend) as memory:
        if not yes:
            print_memories([memory.get(scope, id_) for id_ in ids], to_stderr=True)
            also = "" if keep_derived else ", with what was made from them"
            typer.confirm(f"Delete them for good{also}?", abort=True, err=True)
        forgotten = memory.forget(scope, ids, derived=not keep_derived)
    if as_json:
        print_json({"forgotten": forgotten.memories, "pending": forgotten.pending})
    else:
        print_text(f"{forgotten.memories} forgotten")
    if forgotten.pending:
        print_text(memory_options.still_readable(db), to_stderr=True)


def decay(
    db: memory_options.Database,
    user: memory_options.User,
    character: memory_options.Character = None,
    chat: memory_options.Chat = None,
    rate: Annotated[float | None, typer.Option(help="Importance lost by what was never used.")] = None,
    cold_below: Annotated[float | None, typer.Option(help="Importance under which it is cold.")] = None,
    hot_tokens: Annotated[int | None, typer.Option(help="Tokens that stay warm.")] = None,
    max_entries: Annotated[int | None, typer.Option(help="Facts and summaries kept.")] = None,
    model: options.Model = memory_options.DEFAULT_MODEL,
    backend: options.Backend = "auto",
    as_json: options.Json = False,
) -> None:
    """Let the facts and summaries of exactly this scope fade by one cycle."""
    from romaine.cli.terminal import print_json, print_text
    from romaine.memory import Lifecycle, Scope

    given = {"decay": rate, "cold_below": cold_below, "hot_tokens": hot_tokens, "max_entries": max_entries}
    settings = {name: value for name, value in given.items() if value is not None}
    with memory_options.open_memory(db, model, backend) as memory:
        memory.lifecycle = replace(Lifecycle(), **settings)  # type: ignore[arg-type]  # checked when made
        result = memory.decay(Scope(user=user, character=character, chat=chat))
    if as_json:
        print_json(asdict(result))
    else:
        print_text(f"{result.decayed} faded, {result.cooled} turned cold, {result.trimmed} trimmed")


def branch(
    to_chat: Annotated[str, typer.Argument(help="Name of the fork.", show_default=False)],
    at: Annotated[
        int, typer.Option(help="Position of the last turn they share; `list` shows it.", show_default=False)
    ],
    db: memory_options.Database,
    user: memory_options.User,
    chat: Annotated[str, typer.Option(help="The chat to fork from.", show_default=False)],
    character: memory_options.Character = None,
    model: options.Model = memory_options.DEFAULT_MODEL,
    backend: options.Backend = "auto",
    as_json: options.Json = False,
) -> None:
    """Fork a chat: it sees it up to a turn, as it is now, and neither sees what the other changes."""
    from romaine.cli.terminal import print_json, print_text
    from romaine.memory import Scope

    with memory_options.open_memory(db, model, backend) as memory:
        fork = memory.branch(Scope(user=user, character=character, chat=chat), at=at, to_chat=to_chat)
    if as_json:
        print_json(asdict(fork))
    else:
        print_text(f"{fork.chat} sees {chat} up to position {at}")


def _show_changed(memories: Sequence[Memory], *, as_json: bool) -> None:
    from romaine.cli.memory_view import print_memories
    from romaine.cli.terminal import print_json
    from romaine.memory.exchange import to_json

    if as_json:
        print_json([to_json(memory) for memory in memories])
    else:
        print_memories(memories)
