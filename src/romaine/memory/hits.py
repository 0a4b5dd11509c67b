"""What a recall finds and leaves out, and the small decisions between."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from romaine.memory.abstention import Evidence
from romaine.memory.records import Hit, Memory


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A memory that was considered and left out.

    Attributes:
        memory: Which.
        score: What it would have scored.
        parts: The terms of that score.
        reason: "threshold", "witness", "superseded", "time", "budget", "duplicate", "diversity" or "rank".
    """

    memory: Memory
    score: float
    parts: dict[str, float] = field(default_factory=dict, hash=False)
    reason: str


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Hits, and the best of what was left out.

    Attributes:
        hits: What `recall` returns.
        rejected: What was left out, the best first.
        confidence: How likely the answer is among the hits, 0 to 1, by the model's calibration.
        threshold: Confidence under which `min_score="auto"` returns nothing.
        evidence: What the confidence was judged by, or None if nothing came into question.
        damaged: How many memories could not be searched because their vectors are damaged.
    """

    hits: tuple[Hit, ...]
    rejected: tuple[Rejected, ...]
    confidence: float
    threshold: float
    evidence: Evidence | None
    damaged: int


@dataclass
class Found:
    """A candidate with its memory and its row in the index."""

    memory: Memory
    score: float
    parts: dict[str, float]
    row: int
    confidence: float


def diversified(found: list[Found], limit: int) -> list[Found]:
    """At most `limit` of a category first, in order; then what is left over."""
    counts: Counter[Any] = Counter()
    first: list[Found] = []
    overflow: list[Found] = []
    for item in found:
        counts[item.memory.category] += 1
        (first if counts[item.memory.category] <= limit else overflow).append(item)
    return first + overflow


def within_budget(memories: tuple[Memory, ...], budget: int) -> tuple[Memory, ...]:
    """Memories from the first on, as far as the budget goes."""
    kept: list[Memory] = []
    for memory in memories:
        budget -= memory.token_count
        if budget < 0:
            break
        kept.append(memory)
    return tuple(kept)


def without_neighbour(hit: Hit, memory_id: str) -> Hit:
    """Returns a hit without one of its neighbours."""
    return replace(hit, neighbours=tuple(near for near in hit.neighbours if near.id != memory_id))


def story_time(memory: Memory) -> tuple[bool, int, datetime]:
    """Sorts memories as the story goes; what has no place in it comes last."""
    return memory.position is None, memory.position or 0, memory.created_at
