"""`romaine demo`: a sample chat, remembered and asked about, offline."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from romaine.cli import options, terminal
from romaine.embedder import DEFAULT_MODEL, Embedder
from romaine.errors import InputFileError

_QUESTIONS = (
    "Where did you hide the silver key?",
    "What do I have to say to the man at the gate?",
    "What happened to the mule's eye?",
    "Why is the tavern called the Heron and Lantern?",
    "How many crowns does Cassian owe?",
)
_SAMPLE = "heron-and-lantern.jsonl"


def demo(
    question: Annotated[
        list[str] | None, typer.Argument(help="Questions; a few prepared ones if none.")
    ] = None,
    chat: Annotated[Path | None, typer.Option(help="A chat to import instead of the sample.")] = None,
    model: options.Model = DEFAULT_MODEL,
    dim: options.Dim = 64,
    k: Annotated[int, typer.Option("-k", min=1, help="Turns to show for each question.")] = 2,
) -> None:
    """Import a roleplay chat into a memory and recall the turns that answer questions."""
    from time import perf_counter

    from rich.markup import escape
    from rich.table import Table

    from romaine.formats import read
    from romaine.memory import RoleplayMemory, Scope

    turns = read(chat or _sample_chat()).turns
    if not turns:
        raise InputFileError(f"{chat} holds no turns")
    console = terminal.console()
    scope = Scope(user="demo")
    with RoleplayMemory(":memory:", embedder=Embedder(model, dim=dim).warm_up()) as memory:
        start = perf_counter()
        memory.add_turns(scope, turns)
        console.print(f"{len(turns)} turns remembered in {(perf_counter() - start) * 1e3:.0f} ms, offline.\n")
        for asked in question or _QUESTIONS:
            start = perf_counter()
            hits = memory.recall(asked, scope, k=k)
            elapsed = (perf_counter() - start) * 1e3
            title = f"{escape(asked)} [dim]{elapsed:.1f} ms[/dim]"
            table = Table("score", "speaker", "turn", title=title, title_justify="left", expand=True)
            for hit in hits:
                speaker = escape(hit.memory.speaker or "")
                table.add_row(f"{hit.score:.1f}", speaker, escape(hit.memory.text), end_section=True)
            console.print(table)


def _sample_chat() -> tuple[str, bytes]:
    """The sample, from the wheel or, in a checkout, from `examples/data`."""
    packaged = resources.files("romaine.cli").joinpath(_SAMPLE)
    if packaged.is_file():
        return _SAMPLE, packaged.read_bytes()
    return _SAMPLE, (Path(__file__).parents[3] / "examples" / "data" / _SAMPLE).read_bytes()
