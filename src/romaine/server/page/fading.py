"""How notes fade: where each stands now, and when it would turn cold if nobody needed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from romaine.memory import Lifecycle, Memory
from romaine.memory.lifecycle import decayed, last_touched

CYCLES = 24
"""Cycles that are looked ahead."""

_ROWS = 100
_WIDTH, _HEIGHT = 100.0, 24.0


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A note, and what becomes of it.

    Attributes:
        memory: The note.
        cold_in: Cycles until it is cold, 0 if it is, None if it stays warm as far as is looked ahead.
        line: Points of its importance to come, as SVG has them, in a box of 100 x 24.
    """

    memory: Memory
    cold_in: int | None
    line: str


@dataclass(frozen=True, kw_only=True)
class FadingChart:
    """What the view of fading shows.

    Attributes:
        rows: Notes that fade, the coldest first, at most 100.
        more: How many more there are.
        dots: x, y in a box of 100 x 40 and the memory, in the order of the story.
        cold_line: y under which a note is cold.
        warm_tokens: Tokens of warm notes.
    """

    rows: Sequence[Outlook]
    more: int
    dots: Sequence[tuple[float, float, Memory]]
    cold_line: float
    warm_tokens: int


def fading_chart(memories: Sequence[Memory], settings: Lifecycle) -> FadingChart:
    """Draws notes of the kinds that fade.

    Args:
        memories: Notes, in the order of the story.
        settings: How they fade.
    """
    fading = [memory for memory in memories if memory.kind in settings.kinds]
    by_need = sorted(fading, key=lambda m: (m.pinned, not m.cold, m.importance, last_touched(m)))
    return FadingChart(
        rows=[_outlook(memory, settings) for memory in by_need[:_ROWS]],
        more=max(0, len(by_need) - _ROWS),
        dots=[
            (100 * (index + 0.5) / len(fading), 40 * (1 - memory.importance), memory)
            for index, memory in enumerate(fading)
        ],
        cold_line=40 * (1 - settings.cold_below),
        warm_tokens=sum(memory.token_count for memory in fading if not memory.cold),
    )


def _outlook(memory: Memory, settings: Lifecycle) -> Outlook:
    points, cold_in, now = [], 0 if memory.cold else None, memory
    for cycle in range(CYCLES + 1):
        points.append(f"{_WIDTH * cycle / CYCLES:.1f},{_HEIGHT * (1 - now.importance):.1f}")
        if now.cold and cold_in is None:
            cold_in = cycle
        now = decayed(now, settings)
    return Outlook(memory=memory, cold_in=cold_in, line=" ".join(points))
