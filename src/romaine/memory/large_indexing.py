"""Getting a server ready to search scopes that are too large to be loaded."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from romaine.errors import OptionError
from romaine.memory.checks import check_count
from romaine.memory.storage import Progress, Storage
from romaine.memory.store import check_complete, open_storage

LEAST_ROWS = 200_000
"""Memories of a scope that take about 700 MB in a worker at 384 dimensions."""


def index_large(
    path: str | Path | Storage,
    *,
    rows: int = LEAST_ROWS,
    dim: int = 64,
    progress: Progress | None = None,
    lock_timeout: float = 60.0,
) -> int:
    """Lets a server search scopes by itself that are too large for a worker's memory.

    Users with so many memories get an index on the server, which writes keep from then on; recalls of their
    scopes that have as many load nothing but candidates. May be interrupted and called again, and is to be
    called again when other users have grown as large, and after `reembed`. Others go on meanwhile.

    Args:
        path: The URL of a server, or an open storage, which stays open.
        rows: How many memories a scope has at least.
        dim: Components of a vector that are searched first; the first call decides.
        progress: Told how many memories have been taken in, of how many.
        lock_timeout: Seconds to wait for others.

    Returns:
        How many memories were taken in.

    Raises:
        OptionError: If a value is not allowed, or it is a file.
        StorageError: If the server lacks pgvector; and as its subclasses say.
    """
    check_count("rows", rows)
    if isinstance(path, Storage):
        with path.read() as snapshot:
            check_complete(snapshot, path.name)
            full_dim = int(snapshot.setting("full_dim") or 0)
        if not 1 <= dim <= full_dim:
            raise OptionError(f"dim={dim!r} is not possible: these vectors have {full_dim} components")
        return path.index_large(rows, dim, progress)
    with closing(open_storage(path, lock_timeout=lock_timeout)) as storage:
        return index_large(storage, rows=rows, dim=dim, progress=progress)
