"""`romaine memory export, reembed, copy, index, check, erase`: the file as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from romaine.cli.memory_options import Database, File, Whose, repeatable
from romaine.cli.options import Json
from romaine.cli.terminal import print_json, print_text
from romaine.embedder import DEFAULT_MODEL
from romaine.errors import OptionError
from romaine.memory import copy as copy_memory
from romaine.memory import index_large
from romaine.memory import reembed as bring_over
from romaine.memory.exchange import to_json
from romaine.memory.large_indexing import LEAST_ROWS
from romaine.memory.storage import Progress
from romaine.progress import progress_bar


def export(
    whose: Whose,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .jsonl file; to stdout if not given.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write what a scope sees as JSONL, without vectors; `import` reads it again."""
    with whose.open() as memory:
        if out is None:
            for one in memory.list(whose.scope):
                print_json(to_json(one), compact=True)
            return
        _check_free(out, overwrite=overwrite)
        count = memory.export_jsonl(out, whose.scope)
    if as_json:
        print_json({"memories": count, "file": str(out)})
    else:
        print_text(f"{count} memories in {out}", to_stderr=True)


def reembed(
    file: File,
    batch_size: Annotated[int, typer.Option(min=1, help="Memories embedded and kept at a time.")] = 256,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes, on a server; others may help from elsewhere.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Embed the whole file with another model; goes on where it was interrupted.

    The old vectors serve until all new ones are there.
    """
    file.check_exists()
    file = replace(file, model=file.model or DEFAULT_MODEL)
    embedder = file.embedder()
    with repeatable(), _bar("embedding") as progress:
        count = bring_over(file.db, embedder, batch_size=batch_size, workers=workers, progress=progress)
    if as_json:
        print_json({"embedded": count, "model": file.model, "embedder": embedder.fingerprint})
    else:
        print_text(f"{count} memories embedded with {file.model}")


def copy(
    source: Annotated[str, typer.Argument(help="A memory's file or URL.", show_default=False)],
    target: Annotated[str, typer.Argument(help="The same, empty or not there.", show_default=False)],
    users: Annotated[
        list[str] | None, typer.Option("--user", "-u", help="Only this user; may be given again.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows put at a time.")] = 1000,
    as_json: Json = False,
) -> None:
    """Copy a memory, row for row, and compare both sides; goes on where it was interrupted.

    The target cannot be opened as a memory before it is complete.
    """
    with repeatable(), _bar("copying and comparing") as progress:
        copied = copy_memory(source, target, users=users, batch_size=batch_size, progress=progress)
    if as_json:
        print_json(asdict(copied))
    else:
        rows = sum(user.rows for user in copied.users)
        print_text(
            f"{copied.rows:,} rows copied; {target} holds the same as {source}: {len(copied.users):,} users,"
            f" {rows:,} rows"
        )


def index(
    db: Database,
    rows: Annotated[int, typer.Option(min=1, help="Memories that a scope has at least.")] = LEAST_ROWS,
    dim: Annotated[int, typer.Option(min=1, help="Components of a vector that are searched first.")] = 64,
    as_json: Json = False,
) -> None:
    """Let a server search scopes that are too large for a worker's memory; goes on where it was."""
    with repeatable(), _bar("indexing") as progress:
        count = index_large(db, rows=rows, dim=dim, progress=progress)
    if as_json:
        print_json({"indexed": count})
    else:
        print_text(f"{count:,} memories indexed; scopes of {rows:,} and more are searched by the server")


def check(
    file: File,
    repair: Annotated[bool, typer.Option("--repair", help="Embed again what is damaged.")] = False,
    as_json: Json = False,
) -> None:
    """Check every page of the file and every row; exit code 1 if damage is left."""
    with file.open() as memory:
        repaired = memory.repair() if repair else 0
        health = memory.verify()
    if as_json:
        print_json(asdict(health) | {"repaired": repaired})
    else:
        print_text(f"{health.memories} memories, {len(health.damaged)} damaged, {repaired} repaired")
        for id_ in health.damaged:
            print_text(f"damaged: {id_}")
        for problem in health.problems:
            print_text(problem)
    if not health.is_sound:
        raise typer.Exit(1)


def erase(
    file: File,
    as_json: Json = False,
) -> None:
    """Empty the log of what was forgotten while another process read; exit code 1 if one still does."""
    with file.open() as memory:
        is_erased = memory.erase()
    if as_json:
        print_json({"erased": is_erased})
    elif is_erased:
        print_text("nothing of what was forgotten is left in any file")
    if not is_erased:
        print_text(file.still_readable, to_stderr=True)
        raise typer.Exit(1)


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    """Shows a bar of which only the one who moves it knows how long it is."""
    with ExitStack() as bar:
        shown = 0
        advance: Callable[[int], None] | None = None

        def progress(done: int, total: int) -> None:
            nonlocal shown, advance
            if advance is None:
                advance = bar.enter_context(progress_bar(what, total))
            advance(done - shown)
            shown = done

        yield progress


def _check_free(out: Path, *, overwrite: bool) -> None:
    """Checks that an export may be put there; what is the memory's own is checked where it is written.

    Raises:
        OptionError: If something is there that is not to be replaced.
    """
    if not out.exists():
        return
    if out.is_dir():
        raise OptionError(f"--out {out} is a folder; name a file")
    if not overwrite:
        raise OptionError(f"--out {out} is there already; replace it with --overwrite")
