"""Whole plays: run to the end, and made as short as still fails."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from romaine.embedder import Embedder

from .play import Play
from .vectors import stale_vectors, stored_texts


def play(
    seed: int, steps: Sequence[int], embedder: Embedder, kind: type[Play] = Play
) -> tuple[str | None, Play]:
    """Plays steps; returns what went wrong, or None."""
    with tempfile.TemporaryDirectory() as folder:
        game = kind(Path(folder), seed, embedder)
        try:
            for number in steps:
                game.step(number)
            game.check_everything()
            game.memory.close()
            stale = stale_vectors(game.path, embedder, Path(folder))
            kept = stored_texts(game.path) - game.model.texts()
            stale += [f"{text!r} is in the file, and no scope can see it" for text in kept]
        except Exception as error:  # whatever is raised is what a play is to find
            return f"{type(error).__name__}: {error}", game
        finally:
            game.memory.close()
            game.clear()
        return ("; ".join(stale[:3]) or None), game


def shortest(
    seed: int, steps: Sequence[int], embedder: Embedder, kind: type[Play] = Play
) -> tuple[str, list[str]]:
    """Leaves out steps as long as something goes wrong; returns what, and what was done."""
    kept = list(steps)
    problem, game = play(seed, kept, embedder, kind)
    assert problem is not None
    size = len(kept) // 2
    while size:
        start = 0
        while start < len(kept):
            fewer = kept[:start] + kept[start + size :]
            still, shorter = play(seed, fewer, embedder, kind)
            if still is None:
                start += size
            else:
                kept, problem, game = fewer, still, shorter
        size //= 2
    return problem, game.log
