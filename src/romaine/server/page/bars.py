"""What is drawn of a recall: scores as stacked bars, tokens as a bar of the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PARTS = {
    "dense": ("meaning", "Means the same"),
    "context": ("meaning", "Means the same, with the turn before it"),
    "late": ("meaning", "Means the same word by word"),
    "lexical": ("words", "Same words"),
    "window": ("words", "Same words in the turns around it"),
    "speaker": ("people", "You named who said it"),
    "question": ("talk", "Is a question itself"),
    "answer": ("talk", "Follows a question"),
    "importance": ("standing", "Importance"),
    "recency": ("standing", "How recent"),
    "time": ("standing", "From the time you named"),
    "pinned": ("standing", "Pinned"),
    "cold": ("standing", "Faded"),
    "neighbours": ("words", "The turns around it fit as well"),
    "length": ("talk", "Says much or little"),
    "query": ("talk", "The kind of message"),
    "standing": ("other", "How it compares with the best"),
    "rerank": ("other", "Looked at again"),
}
"""Family, which has a colour, and words for each part of a score that is known; others are told by name."""

WIDTH = 100.0


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A piece of a bar, in hundredths of its width."""

    family: str
    title: str
    start: float
    width: float


@dataclass(frozen=True, kw_only=True)
class ScoreBar:
    """A score as pieces to both sides of a line.

    Attributes:
        zero: Where the line is.
        pieces: What speaks for it right of that, what speaks against it left.
        parts: Name, family, words and value of each, the weightiest first.
    """

    zero: float
    pieces: Sequence[Stretch]
    parts: Sequence[tuple[str, str, str, float]]


def score_bars(scores: Sequence[Mapping[str, float]]) -> list[ScoreBar]:
    """Draws the parts of scores, all in one scale, so that they compare.

    Args:
        scores: `parts` of hits or of what was left out.
    """
    most = max((_sum(parts, 1) for parts in scores), default=0.0)
    least = max((_sum(parts, -1) for parts in scores), default=0.0)
    scale = WIDTH / ((most + least) or 1.0)
    return [_bar(parts, zero=least * scale, scale=scale) for parts in scores]


def _sum(parts: Mapping[str, float], sign: int) -> float:
    return sum(sign * value for value in parts.values() if sign * value > 0)


def _bar(parts: Mapping[str, float], *, zero: float, scale: float) -> ScoreBar:
    told = [
        (name, *PARTS.get(name, ("other", name.replace("_", " ").capitalize())), value)
        for name, value in parts.items()
    ]
    order = [*(family for family, _ in PARTS.values()), "other"]
    right = left = zero
    pieces: list[Stretch] = []
    for _, family, words, value in sorted(told, key=lambda part: order.index(part[1])):
        width = abs(value) * scale
        if value < 0:
            left -= width
        pieces.append(
            Stretch(
                family=family,
                title=f"{words} {value:+.2f}",
                start=left if value < 0 else right,
                width=width,
            )
        )
        if value > 0:
            right += width
    return ScoreBar(zero=zero, pieces=pieces, parts=sorted(told, key=lambda part: -abs(part[3])))


@dataclass(frozen=True, kw_only=True)
class BudgetBar:
    """How a prompt's room is used.

    Attributes:
        budget: Tokens there are for memories.
        used: Of which so many are.
        pieces: One for each hit with its neighbours.
    """

    budget: int
    used: int
    pieces: Sequence[Stretch]


def budget_bar(tokens: Sequence[int], budget: int) -> BudgetBar:
    """Draws tokens of hits as pieces of a budget."""
    scale = WIDTH / max(budget, sum(tokens), 1)
    starts = [sum(tokens[:index]) for index in range(len(tokens))]
    pieces = [
        Stretch(family="tokens", title=f"{index}. {count:,} tokens", start=start * scale, width=count * scale)
        for index, (start, count) in enumerate(zip(starts, tokens, strict=True), 1)
    ]
    return BudgetBar(budget=budget, used=sum(tokens), pieces=pieces)
