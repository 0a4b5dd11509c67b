"""What a message would bring to mind, and why: the page's view of one recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from fastapi import APIRouter
from starlette.responses import Response

from romaine.arrays import FloatArray
from romaine.memory import Explanation, Hit, Memory, RoleplayMemory, Scope
from romaine.memory.hits import story_time
from romaine.server.memory.access import OpenFile
from romaine.server.page.asked import AskedOf, Fields, Form, number
from romaine.server.page.bars import ScoreBar, budget_bar, score_bars
from romaine.server.page.rendering import render

router = APIRouter()

LEAST_DIM = 32
BUDGET = 600
LARGEST_BUDGET = 4_000

REASONS = {
    "rank": "Others fit better",
    "threshold": "Not sure enough to say anything",
    "witness": "Was not there",
    "superseded": "Replaced by something newer",
    "time": "Did not hold then",
    "budget": "No room left in the budget",
    "duplicate": "Says the same as a better one",
    "diversity": "Others of its kind come first",
}


@dataclass(frozen=True, kw_only=True)
class RecallWish:
    """What somebody typed and set beside it."""

    message: str
    k: int
    budget: int
    neighbours: int
    dim: int
    as_character: str | None
    silent: bool
    superseded: bool

    @classmethod
    def of(cls, fields: Fields, full_dim: int) -> RecallWish:
        """Reads a form; what is out of bounds is brought within them."""
        return cls(
            message=fields.get("message", "").strip(),
            k=number(fields, "k", 5, least=1, most=20),
            budget=number(fields, "budget", BUDGET, least=0, most=LARGEST_BUDGET),
            neighbours=number(fields, "neighbours", 0, least=0, most=3),
            dim=number(fields, "dim", full_dim, least=min(LEAST_DIM, full_dim), most=full_dim),
            as_character=fields.get("as_character", "").strip() or None,
            silent="silent" in fields,
            superseded="superseded" in fields,
        )


@dataclass(frozen=True, kw_only=True)
class ShownHit:
    """A hit with what is drawn of it, and how far it moved up when vectors were cut; None if it is new."""

    hit: Hit
    bar: ScoreBar
    tokens: int
    moved: int | None


@router.post("/page/recall")
def recall(memory: OpenFile, scope: AskedOf, fields: Form) -> Response:
    """Shows what a message would bring to mind."""
    full_dim = memory.embedder.full_dim
    wish = RecallWish.of(fields, full_dim)
    if not wish.message:
        return render("recalled_nothing.html")
    started = perf_counter()
    whole = _asked(memory, scope, wish, None)
    cut = whole if wish.dim == full_dim else _asked(memory, scope, wish, _cut(memory, wish))
    milliseconds = 1000 * (perf_counter() - started)
    ranks = {hit.memory.id: rank for rank, hit in enumerate(whole.hits)}
    bars = score_bars([*(hit.parts for hit in cut.hits), *(left.parts for left in cut.rejected)])
    shown = [
        ShownHit(
            hit=hit,
            bar=bar,
            tokens=_tokens(hit),
            moved=ranks[hit.memory.id] - rank if hit.memory.id in ranks else None,
        )
        for rank, (hit, bar) in enumerate(zip(cut.hits, bars, strict=False))
    ]
    found = {hit.memory.id for hit in cut.hits}
    return render(
        "recalled.html",
        {
            "scope": scope,
            "wish": wish,
            "full_dim": full_dim,
            "hits": shown,
            "lost": [hit for hit in whole.hits if hit.memory.id not in found],
            "rejected": list(zip(cut.rejected, bars[len(shown) :], strict=True)),
            "reasons": REASONS,
            "confidence": whole.confidence,
            "threshold": whole.threshold,
            "budget": budget_bar([each.tokens for each in shown], wish.budget),
            "prompt": _prompt(cut.hits),
            "milliseconds": milliseconds,
        },
    )


def _asked(memory: RoleplayMemory, scope: Scope, wish: RecallWish, vector: FloatArray | None) -> Explanation:
    return memory.recall(
        wish.message,
        scope,
        k=wish.k,
        token_budget=wish.budget or None,
        min_score="auto" if wish.silent else None,
        as_character=wish.as_character,
        include_superseded=wish.superseded,
        neighbours=wish.neighbours,
        vector=vector,
        explain=True,
    )


def _cut(memory: RoleplayMemory, wish: RecallWish) -> FloatArray:
    """The message's vector with its first components only, as a memory of so short ones compares it."""
    (vector,) = memory.embedder.with_dim(None).embed_queries([wish.message])
    short: FloatArray = vector.copy()
    short[wish.dim :] = 0
    return short


def _tokens(hit: Hit) -> int:
    return sum(each.token_count for each in (hit.memory, *hit.neighbours))


def _prompt(hits: Sequence[Hit]) -> list[Memory]:
    """All that would stand in the prompt, in the order of the story."""
    return sorted((each for hit in hits for each in (hit.memory, *hit.neighbours)), key=story_time)
