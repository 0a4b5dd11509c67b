"""`romaine eval memory` and `abstention`: does a memory find the answer, or say nothing?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli import options
from romaine.cli.report import Answer, Measured
from romaine.embedder import Embedder
from romaine.errors import OptionError

if TYPE_CHECKING:
    from romaine.evaluate.memory import MemoryReport
    from romaine.evaluate.report import Cell, Table
    from romaine.evaluate.separation import Separation
    from romaine.formats.locomo import Conversation

_NOTE = (
    "Answers from: the cosine that best parts the turns that answer a question, of which it keeps that share,"
    " from the others of the chat, of which it drops that share."
)
_FILES = "LoCoMo or REALTALK files, or .jsonl(.gz) lines of chats with evidence."
NoFiles = Annotated[list[Path] | None, typer.Argument(help=_FILES, show_default=False)]
Files = Annotated[list[Path], typer.Argument(help=_FILES, show_default=False)]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", help="Of lines of chats only those of this source. Repeatable."),
]


def memory(
    measured: Measured,
    answer: Answer,
    files: NoFiles = None,
    probes: Annotated[
        str | None, typer.Option("--probes", help="In place of files the built-in chats: en, ko, ja, ...")
    ] = None,
    sources: Sources = None,
    dim: options.Dim = None,
    mode: Annotated[
        str,
        typer.Option(
            "--mode", help="hybrid: as recall ranks by default; dense: cosine alone; words: BM25 alone."
        ),
    ] = "hybrid",
    late_interaction: Annotated[
        str | None,
        typer.Option(
            help="Vectors of tokens of hybrid: stored, computed or off; stored if the model gives any."
        ),
    ] = None,
) -> None:
    """Ask every question of long conversations and count how often the turns that answer it are found."""
    answer.prepare()
    from romaine.evaluate.memory import Mode, conversations_of, evaluate_memory
    from romaine.evaluate.report import Report, Table

    chosen = Mode.parse(mode)
    if bool(files) == (probes is not None):
        raise OptionError("give either files or --probes LANGUAGE")
    chats = conversations_of(files or _probe_chats(probes or ""), sources=sources or ())
    embedder = measured.embedder()
    found = evaluate_memory(chats, embedder=embedder, dim=dim, mode=chosen, late_interaction=late_interaction)
    figures: tuple[tuple[Cell, ...], ...] = (
        ("questions", found.questions),
        ("hit@1", found.hit_at_1),
        *((f"recall@{k}", value) for k, value in found.recall.items()),
        ("mrr@10", found.mrr_at_10),
        ("hit@10", found.hit_at_10),
        ("recall_all@10", found.all_at_10),
        ("queries/s", f"{found.queries_per_second:,.0f}"),
        ("index MB", f"{found.index_bytes / 1e6:.1f}"),
    )
    turns = None
    if chosen is Mode.DENSE:
        turns = _turns(chats, embedder if dim is None else embedder.with_dim(dim))
    if turns and turns.threshold is not None and turns.below:
        kept, dropped = 1 - turns.below[0], turns.below[1]
        figures += (("answers from", turns.threshold), ("keeps", kept), ("drops", dropped))
    title = f"{found.mode.value}, {found.model}, dim {found.dim}"
    answer.give(
        Report(
            title="Recall of a memory",
            model=found.model,
            facts={
                "Ranking": found.mode.value,
                "Components": str(found.dim),
                "Conversations": str(found.conversations),
                "Questions": f"{found.questions:,}",
            },
            tables=(
                Table(title=title, columns=("", "value"), rows=figures, note=_NOTE if turns else ""),
                *_by_category(found),
            ),
            separations=(
                *((turns,) if turns else ()),
                *(_separations(chats, embedder) if answer.out and found.conversations > 1 else ()),
            ),
        ),
        found.to_json() | ({"turns": turns.to_json()} if turns else {}),
    )


def _by_category(found: MemoryReport) -> tuple[Table, ...]:
    from romaine.evaluate.report import Table

    rows = tuple(
        (name, f.questions, f.recall[5], f.recall[10], f.hit_at_10, f.all_at_10)
        for name, f in found.categories.items()
    )
    columns = ("category", "questions", "recall@5", "recall@10", "hit@10", "recall_all@10")
    return (Table(title="by category", columns=columns, rows=rows),) if rows else ()


def _probe_chats(language: str) -> tuple[Conversation, ...]:
    from romaine.evaluate.probes import load_probes

    return load_probes(language).chats


def _turns(chats: list[Conversation], embedder: Embedder) -> Separation | None:
    from romaine.evaluate.separation import separation_of_turns

    try:
        return separation_of_turns(chats, embedder)
    except OptionError:  # every turn is an answer
        return None


def _separations(chats: list[Conversation], embedder: Embedder) -> tuple[Separation, ...]:
    """Every question asked of every conversation; a chart needs questions of at least two of them."""
    from romaine.evaluate.separation import separation_of_questions

    try:
        return (separation_of_questions(chats, embedder.warm_up()),)
    except OptionError:
        return ()


def abstention(
    files: Files,
    measured: Measured,
    answer: Answer,
    sources: Sources = None,
    loss: Annotated[
        float, typer.Option(help="How much recall@5 of answerable questions silence may cost.")
    ] = 0.02,
    pieces: Annotated[
        int | None,
        typer.Option(help="Cut the chats into pieces of about so many turns.", show_default=False),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help="What the calibration must not look at, cosine say. Repeatable."),
    ] = None,
) -> None:
    """Calibrate a model: min_score="auto", when the answer is not in the chat, and the confidence of hits.

    Asks the questions of each conversation of others; where these share people, half name strangers instead.
    Figures are leave-one-conversation-out, but for those of the calibration that the model is shipped with.
    """
    answer.prepare()
    from romaine.evaluate.calibration import calibrate
    from romaine.evaluate.memory import conversations_of
    from romaine.evaluate.report import Report, Table
    from romaine.evaluate.trials import pieces_of
    from romaine.memory.abstention import FEATURES

    if unknown := set(without or ()).difference(FEATURES):
        raise OptionError(f"--without {min(unknown)} is not possible: choose from {', '.join(FEATURES)}")
    embedder = measured.embedder().warm_up()
    chats = conversations_of(files, sources=sources or ())
    if pieces is not None:
        chats = [piece for chat in chats for piece in pieces_of(chat, pieces)]
    features = [name for name in FEATURES if name not in (without or ())]
    found = calibrate(chats, embedder=embedder, loss=loss, features=features)
    rows = (
        ("silent on", f"{found.silent:.1%}", f"of {found.unanswerable:,} questions without an answer here"),
        ("recall@5", f"{found.recall:.3f}", f"of {found.answerable:,} others, never silent"),
        ("lost by silence", f"{found.lost:.3f}", "of that"),
        (
            "as shipped: silent on",
            f"{found.shipped_silent:.1%}",
            "with the model's present calibration",
        ),
        ("as shipped: lost", f"{found.shipped_lost:.3f}", "of recall@5"),
        ("confidence of hits", f"{found.hit_error:.3f}", "away from the share that is right, on average"),
    )
    answer.give(
        Report(
            title="When to say nothing",
            model=embedder.card.id,
            tables=(Table(title="leave-one-conversation-out", columns=("", "value", "about"), rows=rows),),
        ),
        found.to_json(),
    )
