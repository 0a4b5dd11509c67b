"""`romaine demo`: a sample chat, remembered and asked about, offline."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from romaine.cli import options

_QUESTIONS = (
    "Where did you hide the silver key?",
    "What do I have to say to the man at the gate?",
    "What food is Cassian allergic to?",
    "How did Ana's brother die?",
    "Why is the tavern called the Heron and Lantern?",
)
_SAMPLE = "heron-and-lantern.jsonl"


def register(app: typer.Typer) -> None:
    """Adds the command to the app."""
    app.command("demo")(demo)


def demo(
    question: Annotated[
        list[str] | None, typer.Argument(help="Questions; a few prepared ones if none.")
    ] = None,
    chat: Annotated[Path | None, typer.Option(help="A chat to import instead of the sample.")] = None,
    model: options.Model = "little-gem",
    dim: options.Dim = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Turns to show for each question.")] = 3,
) -> None:
    """Import a roleplay chat and find the turns that answer questions, by cosine alone."""
    from time import perf_counter

    from rich.console import Console
    from rich.table import Table

    from romaine.arrays import top_k
    from romaine.embedder import Embedder
    from romaine.errors import InputFileError
    from romaine.formats import read

    turns = [turn for each in read(chat or _sample_chat()).chats for turn in each.turns]
    if not turns:
        raise InputFileError(f"{chat} holds no turns")
    embedder = Embedder(model, dim=dim).warm_up()
    start = perf_counter()
    vectors = embedder.embed_documents([f"{turn.speaker}: {turn.text}" for turn in turns])
    elapsed = perf_counter() - start
    console = Console()
    console.print(
        f"{len(turns)} turns embedded by {embedder.card.id} in {elapsed * 1e3:.0f} ms,"
        f" {embedder.dim} components each, offline.\n",
        highlight=False,
    )
    for asked in question or _QUESTIONS:
        scores = vectors @ embedder.embed_query(asked)
        table = Table("score", "speaker", "turn", title=asked, title_justify="left", expand=True)
        for index in top_k(scores, k):
            turn = turns[index]
            table.add_row(
                f"{scores[index]:.3f}", turn.speaker, turn.text.replace("[", r"\["), end_section=True
            )
        console.print(table)


def _sample_chat() -> tuple[str, bytes]:
    """The sample, from the wheel or, in a checkout, from `examples/data`."""
    packaged = resources.files("romaine.cli").joinpath(_SAMPLE)
    if packaged.is_file():
        return _SAMPLE, packaged.read_bytes()
    return _SAMPLE, (Path(__file__).parents[3] / "examples" / "data" / _SAMPLE).read_bytes()
