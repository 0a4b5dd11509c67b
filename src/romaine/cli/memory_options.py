"""What the `romaine memory` commands share: which file, whose memory, which model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli.terminal import print_text

if TYPE_CHECKING:
    from romaine.embedder import Embedder
    from romaine.memory import RoleplayMemory

DEFAULT_MODEL = "little-gem"
_INTERRUPTED = 130  # what a shell reports for a process ended by Ctrl-C
_FUNNEL_DIM = 64  # first stage of search, where the model is trained for it

Database = Annotated[Path, typer.Option("--db", help="The memory's file.", show_default=False)]
User = Annotated[str, typer.Option("--user", "-u", help="Whose memory.", show_default=False)]
Character = Annotated[
    str | None, typer.Option("--character", "-c", help="The character; what all share if not given.")
]
Chat = Annotated[str | None, typer.Option("--chat", help="The chat; what holds in every chat if not given.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of memories.", show_default=False)]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="turn, fact, lore or summary; may be given again.")
]


def open_memory(
    db: Path,
    model: str,
    backend: str,
    *,
    dim: int | None = None,
    create: bool = False,
    vector_format: str | None = None,
) -> RoleplayMemory:
    """Opens a memory's file.

    Args:
        db: The file.
        model: The model whose vectors it holds.
        backend: What runs the model.
        dim: Components of the first stage of search; None for the usual ones.
        create: Whether a file that is not there is made; reading a mistyped name must not make one.
        vector_format: How a new file keeps vectors; None for float32.

    Raises:
        StorageError: If the file is not there and `create` is False.
    """
    from romaine.memory import RoleplayMemory

    if not create:
        check_exists(db)
    return RoleplayMemory(db, embedder=open_embedder(model, backend, dim=dim), vector_format=vector_format)


def open_embedder(model: str, backend: str, *, dim: int | None = None) -> Embedder:
    """Loads a model; its `dim` is that of the first stage of search."""
    from romaine.embedder import Embedder

    embedder = Embedder(model, backend=backend, dim=dim).warm_up()
    if dim is None and _FUNNEL_DIM in embedder.dims:
        return embedder.with_dim(_FUNNEL_DIM)
    return embedder


@contextmanager
def repeatable() -> Iterator[None]:
    """Around long work that may be interrupted: Ctrl-C says how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        print_text("interrupted; the same command goes on where it stopped", to_stderr=True)
        raise typer.Exit(_INTERRUPTED) from None


def still_readable(db: Path) -> str:
    """What to say of forgotten text that a file's log may still hold."""
    return (
        f"another process reads an older state of {db}, so its log may still hold forgotten text; end that"
        f" process and run `romaine memory erase --db {db}`"
    )


def check_exists(db: Path) -> None:
    """Checks that a memory's file is there.

    Raises:
        StorageError: If it is not.
    """
    from romaine.errors import StorageError

    if not db.exists():
        raise StorageError(f"{db} is not there; check the name, or make it with `romaine memory import`")


def parse_min_score(value: str | None) -> float | str | None:
    """Reads `--min-score`: a number or "auto".

    Raises:
        OptionError: If it is neither.
    """
    from romaine.errors import OptionError

    if value is None or value == "auto":
        return value
    try:
        return float(value)
    except ValueError:
        raise OptionError(f"--min-score {value!r} must be a number or 'auto'") from None


def parse_as_of(value: str | None) -> int | datetime | None:
    """Reads `--as-of`: a story position or an ISO 8601 time.

    Raises:
        OptionError: If it is neither.
    """
    from romaine.errors import OptionError

    if value is None:
        return None
    try:
        return int(value) if value.isdecimal() else datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        raise OptionError(
            f"--as-of {value!r} must be a story position like 120 or a time like 2026-05-01T20:15"
        ) from None
