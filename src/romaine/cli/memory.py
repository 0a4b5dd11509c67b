"""`romaine memory`: import chats, recall, look, change, export. This file: recalling and looking."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from romaine.cli.memory_edit import branch, decay, forget, pin, unpin
from romaine.cli.memory_import import import_
from romaine.cli.memory_options import File, Kinds, User, Whose, held_line
from romaine.cli.memory_upkeep import check, copy, erase, export, index, reembed
from romaine.cli.memory_view import (
    print_explanation,
    print_fields,
    print_hits,
    print_memories,
    print_memory,
)
from romaine.cli.options import Json, takes_options
from romaine.cli.terminal import print_json, print_text
from romaine.memory import RoleplayMemory
from romaine.memory.exchange import to_json
from romaine.memory.options import RecallOptions
from romaine.memory.plain import explanation_to_json, hits_to_json, stats_to_json
from romaine.options import keywords

app = typer.Typer(help="A character's long memory: import, recall, look, change.", no_args_is_help=True)


def recall(
    query: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY...",
            help="What is asked, in quotes; or the last few messages, each in quotes, the latest last.",
            show_default=False,
        ),
    ],
    whose: Whose,
    asked: Annotated[RecallOptions, RoleplayMemory.recall],
    mark_used: Annotated[
        bool, typer.Option("--mark-used", help="Note that the hits were of use; recall alone writes nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find the memories that fit a question or what is being said."""
    with whose.open(dim=asked.dim) as memory:
        how = keywords(asked) | {"dim": None, "explain": True}
        found = memory.recall(query if len(query) > 1 else query[0], whose.scope, **how)
        if mark_used:
            memory.mark_used(whose.scope, found.hits)
        if not found.hits:
            whose.say_nothing(memory)
    if as_json and asked.explain:
        print_json(explanation_to_json(found))
    elif as_json:
        print_json({"hits": hits_to_json(found.hits)})
    elif asked.explain:
        print_explanation(found)
    elif found.hits:
        print_hits(found.hits, with_parts=False)


def list_(
    whose: Whose,
    kind: Kinds = None,
    current: Annotated[bool, typer.Option("--current", help="Leave out what was corrected.")] = False,
    offset: Annotated[int, typer.Option(help="How many to pass over.")] = 0,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", help="How many to show; all if not given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List what a scope sees, in the order of the story."""
    with whose.open() as memory:
        memories = memory.list(
            whose.scope, kinds=kind or None, include_superseded=not current, offset=offset, limit=limit
        )
        if not memories:
            whose.say_nothing(memory)
    if as_json:
        print_json([to_json(one) for one in memories])
    elif memories:
        print_memories(memories)


def show(
    memory_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a memory.", show_default=False)],
    whose: Whose,
    as_json: Json = False,
) -> None:
    """Show everything about one memory."""
    with whose.open() as memory:
        found = memory.get(whose.scope, memory_id)
    if as_json:
        print_json(to_json(found))
    else:
        print_memory(found)


def scopes(file: File, user: User, as_json: Json = False) -> None:
    """List the scopes of a user that hold something, as options for the other commands."""
    with file.open() as memory:
        held = memory.scopes(user)
    if as_json:
        print_json([vars(each.scope) | {"memories": each.memories} for each in held])
        return
    if not held:
        print_text(f"nothing is stored for --user {shlex.quote(user)}", to_stderr=True)
    for each in held:
        print_text(held_line(each))


def stats(whose: Whose, as_json: Json = False) -> None:
    """Show how much a scope sees, and how large the file is."""
    with whose.open() as memory:
        figures = stats_to_json(memory.stats(whose.scope))
    if as_json:
        print_json(figures)
        return
    kinds = figures.pop("memories")
    counts = {f"{kind}s" if kind != "lore" else kind: f"{count:,}" for kind, count in kinds.items()}
    shown = {
        name.replace("_", " "): f"{value:,}" if isinstance(value, int) else value
        for name, value in figures.items()
    }
    print_fields({"memories": shown.pop("total")} | counts | shown)


_LOOKING_AND_CHANGING = (recall, scopes, list_, show, pin, unpin, forget, decay, branch, stats)
for _command in (import_, *_LOOKING_AND_CHANGING, export, reembed, copy, index, check, erase):
    app.command(_command.__name__.removesuffix("_"))(takes_options(_command))
