"""One progress bar for the library and the command line; rich is only loaded when one is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(what: str, total: int | None, *, show: bool = True) -> Iterator[Callable[[int], None]]:
    """Shows a bar on stderr while the block runs.

    Args:
        what: The word before the bar.
        total: Steps until it is full, or None if nobody knows.
        show: Whether to show anything.

    Yields:
        A function that is told how many more steps are done.
    """
    if not show:
        yield lambda _steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)
