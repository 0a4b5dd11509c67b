"""`romaine memory`: import chats, recall, look, change, export. This file: recalling and looking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from romaine.cli import memory_edit, memory_import, memory_options, memory_upkeep, options

if TYPE_CHECKING:
    from romaine.memory import Explanation, Scope

app = typer.Typer(help="A character's long memory: import, recall, look, change.", no_args_is_help=True)
memory_import.register(app)


@app.command("recall")
def recall(
    query: Annotated[
        list[str],
        typer.Argument(
            metavar="QUERY...",
            help="What is asked, in quotes; or the last few messages, each in quotes, the latest last.",
            show_default=False,
        ),
    ],
    db: memory_options.Database,
    user: memory_options.User,
    character: memory_options.Character = None,
    chat: memory_options.Chat = None,
    k: Annotated[int, typer.Option("-k", help="Hits at most.")] = 5,
    token_budget: Annotated[int | None, typer.Option(help="Tokens of hits and neighbours together.")] = None,
    min_score: Annotated[
        str | None, typer.Option(help="Score a hit must reach; auto: nothing where the answer is not there.")
    ] = None,
    kind: memory_options.Kinds = None,
    speaker: Annotated[list[str] | None, typer.Option(help="Whose words; may be given again.")] = None,
    as_character: Annotated[str | None, typer.Option(help="Only what this character witnessed.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Only what was there by this story position or ISO time.")
    ] = None,
    include_superseded: Annotated[
        bool, typer.Option("--include-superseded", help="What was corrected, too.")
    ] = False,
    neighbours: Annotated[int, typer.Option(help="Turns to show before and after each hit.")] = 0,
    order: Annotated[str, typer.Option(help="score or chronological.")] = "score",
    diversity: Annotated[
        int | None, typer.Option(help="Of one category first, before others have their turn.")
    ] = None,
    dim: Annotated[int | None, typer.Option("--dim", "-d", help="Components of the first search.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what was left out and why.")] = False,
    mark_used: Annotated[
        bool, typer.Option("--mark-used", help="Note that the hits were of use; recall alone writes nothing.")
    ] = False,
    model: options.Model = memory_options.DEFAULT_MODEL,
    backend: options.Backend = "auto",
    as_json: options.Json = False,
) -> None:
    """Find the memories that fit a question or what is being said."""
    from romaine.cli import memory_view, terminal
    from romaine.memory import Scope

    scope = Scope(user=user, character=character, chat=chat)
    asked: dict[str, Any] = {
        "min_score": memory_options.parse_min_score(min_score),
        "as_of": memory_options.parse_as_of(as_of),
    }
    with memory_options.open_memory(db, model, backend, dim=dim) as memory:
        found: Explanation = memory.recall(
            query if len(query) > 1 else query[0],
            scope,
            k=k,
            token_budget=token_budget,
            kinds=kind or None,
            speakers=speaker or None,
            as_character=as_character,
            include_superseded=include_superseded,
            neighbours=neighbours,
            order=order,
            diversity=diversity,
            explain=True,
            **asked,
        )
        if mark_used:
            memory.mark_used(scope, found.hits)
        is_empty = not found.hits and not memory.stats(scope).total
    if as_json and explain:
        terminal.print_json(memory_view.explanation_to_json(found))
    elif as_json:
        terminal.print_json({"hits": memory_view.hits_to_json(found.hits)})
    elif explain:
        memory_view.print_explanation(found)
    elif found.hits:
        memory_view.print_hits(found.hits, with_parts=False)
    if not found.hits:
        _say_nothing(scope, is_empty=is_empty)


@app.command("list")
def list_(
    db: memory_options.Database,
    user: memory_options.User,
    character: memory_options.Character = None,
    chat: memory_options.Chat = None,
    kind: memory_options.Kinds = None,
    current: Annotated[bool, typer.Option("--current", help="Leave out what was corrected.")] = False,
    offset: Annotated[int, typer.Option(help="How many to pass over.")] = 0,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", help="How many to show; all if not given.")
    ] = None,
    model: options.Model = memory_options.DEFAULT_MODEL,
    backend: options.Backend = "auto",
    as_json: options.Json = False,
) -> None:
    """List what a scope sees, in the order of the story."""
    from romaine.cli.memory_view import print_memories
    from romaine.cli.terminal import print_json
    from romaine.memory import Scope
    from romaine.memory.exchange import to_json

    scope = Scope(user=user, character=character, chat=chat)
    with memory_options.open_memory(db, model, backend) as memory:
        memories = memory.list(
            scope, kinds=kind or None, include_superseded=not current, offset=offset, limit=limit
        )
        is_empty = not memories and not memory.stats(scope).total
    if as_json:
        print_json([to_json(one) for one in memories])
    elif memories:
        print_memories(memories)
    if not memories:
        _say_nothing(scope, is_empty=is_empty)


@app.command("show")
def show(
    memory_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a memory.", show_default=False)],
    db: memory_options.Database,
    user: memory_options.User,
    character: memory_options.Character = None,
    chat: memory_options.Chat = None,
    model: options.Model = memory_options.DEFAULT_MODEL,
    backend: options.Backend = "auto",
    as_json: options.Json = False,
) -> None:
    """Show everything about one memory."""
    from romaine.cli.memory_view import print_memory
    from romaine.cli.terminal import print_json
    from romaine.memory import Scope
    from romaine.memory.exchange import to_json

    with memory_options.open_memory(db, model, backend) as memory:
        found = memory.get(Scope(user=user, character=character, chat=chat), memory_id)
    if as_json:
        print_json(to_json(found))
    else:
        print_memory(found)


memory_edit.register(app)


@app.command("stats")
def stats(
    db: memory_options.Database,
    user: memory_options.User,
    character: memory_options.Character = None,
    chat: memory_options.Chat = None,
    model: options.Model = memory_options.DEFAULT_MODEL,
    backend: options.Backend = "auto",
    as_json: options.Json = False,
) -> None:
    """Show how much a scope sees, and how large the file is."""
    from romaine.cli.memory_view import print_fields, stats_to_json
    from romaine.cli.terminal import print_json
    from romaine.memory import Scope

    with memory_options.open_memory(db, model, backend) as memory:
        figures = stats_to_json(memory.stats(Scope(user=user, character=character, chat=chat)))
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


memory_upkeep.register(app)


def _say_nothing(scope: Scope, *, is_empty: bool) -> None:
    """Tells on stderr that there is nothing, and whether the scope is to blame."""
    from romaine.cli.terminal import print_text

    if not is_empty:
        print_text("nothing fits", to_stderr=True)
        return
    whose = f"user {scope.user!r}, character {scope.character!r}, chat {scope.chat!r}"
    print_text(f"nothing is stored for {whose}; --character and --chat name a chat's memory", to_stderr=True)
