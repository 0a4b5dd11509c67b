"""How memories fade, and come back when they are used: pure functions, and what applies them to a scope.

The defaults are those of the LettuceAI app. Only facts and summaries fade: a turn is what was said and lore
is how the world is. Nothing is deleted by fading; a cold memory is found with a lower score.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from romaine.errors import OptionError
from romaine.memory.change import Change
from romaine.memory.checks import check_count, check_share
from romaine.memory.records import Hit, Kind, Memory, Scope, utc_now
from romaine.memory.store import Store
from romaine.memory.stored import NOTES, Wanted
from romaine.memory.views import view_of


@dataclass(frozen=True, kw_only=True)
class Lifecycle:
    """How fast memories fade.

    Attributes:
        decay: Importance lost per cycle by a memory that was never used.
        cold_below: Importance under which a memory is cold.
        boost: Importance gained by being used.
        revived: Importance of a cold memory that is used.
        hot_tokens: Tokens of facts and summaries that stay warm; beyond it those used longest ago turn cold.
            None for no limit.
        max_entries: Facts and summaries of a scope that are kept; None for all.
        importance_weight: How much importance counts when `max_entries` decides what goes.
        recency_weight: How much being used lately counts then.
        kinds: What fades.
    """

    decay: float = 0.08
    cold_below: float = 0.3
    boost: float = 0.2
    revived: float = 0.7
    hot_tokens: int | None = 2000
    max_entries: int | None = None
    importance_weight: float = 0.7
    recency_weight: float = 0.3
    kinds: frozenset[Kind] = frozenset({Kind.FACT, Kind.SUMMARY})

    def __post_init__(self) -> None:
        for name in ("decay", "cold_below", "boost", "revived", "importance_weight", "recency_weight"):
            check_share(name, getattr(self, name))
        check_count("hot_tokens", self.hot_tokens, optional=True)
        check_count("max_entries", self.max_entries, optional=True)
        object.__setattr__(self, "kinds", frozenset(Kind(kind) for kind in self.kinds))


@dataclass(frozen=True, kw_only=True)
class DecayResult:
    """What one cycle did, in numbers of memories.

    Attributes:
        decayed: Lost importance.
        cooled: Turned cold.
        trimmed: Were retired because of `max_entries`.
    """

    decayed: int
    cooled: int
    trimmed: int


def decayed(memory: Memory, settings: Lifecycle) -> Memory:
    """Returns a memory after one cycle: what was used often fades slower, what is pinned stays warm."""
    if memory.pinned:
        return replace(memory, cold=False)
    lost = settings.decay / (1 + math.sqrt(memory.access_count))
    importance = max(0.0, memory.importance - lost)
    return replace(memory, importance=importance, cold=memory.cold or importance < settings.cold_below)


def used(memory: Memory, settings: Lifecycle, at: datetime) -> Memory:
    """Returns a memory after it was used."""
    importance = settings.revived if memory.cold else min(1.0, memory.importance + settings.boost)
    return replace(
        memory, importance=importance, cold=False, access_count=memory.access_count + 1, last_used_at=at
    )


def demoted(memories: Sequence[Memory], settings: Lifecycle) -> list[Memory]:
    """Returns memories with those beyond the budget of warm tokens turned cold, used longest ago first."""
    if settings.hot_tokens is None:
        return list(memories)
    excess = sum(m.token_count for m in memories if not m.cold) - settings.hot_tokens
    result = list(memories)
    for index in sorted(range(len(memories)), key=lambda i: last_touched(memories[i])):
        memory = memories[index]
        if excess <= 0:
            break
        if not memory.cold and not memory.pinned:
            result[index] = replace(memory, cold=True)
            excess -= memory.token_count
    return result


def trimmed(memories: Sequence[Memory], settings: Lifecycle) -> list[Memory]:
    """Returns what has to go so that `max_entries` are left, the least worth keeping first."""
    if settings.max_entries is None or len(memories) <= settings.max_entries:
        return []
    by_age = sorted(memories, key=last_touched)
    recency = {memory.id: rank / max(len(by_age) - 1, 1) for rank, memory in enumerate(by_age)}
    worth = {
        memory.id: settings.importance_weight * memory.importance
        + settings.recency_weight * recency[memory.id]
        for memory in memories
    }
    loose = sorted((m for m in memories if not m.pinned), key=lambda memory: worth[memory.id])
    return loose[: len(memories) - settings.max_entries]


def last_touched(memory: Memory) -> datetime:
    """Returns when a memory was last used, or else made."""
    return memory.last_used_at or memory.created_at


# --- applied to a scope ----------------------------------------------------------------------------------


def decay_scope(store: Store, scope: Scope, settings: Lifecycle) -> DecayResult:
    """Runs one cycle over what was stored for exactly this scope."""

    def apply(change: Change) -> DecayResult:
        view = view_of(change.transaction, scope)
        rows = view.rows(change.transaction, Wanted(kinds=settings.kinds & NOTES))
        mine = [row for row in rows if row.scope == scope]
        before = [row.memory for row in mine]
        after = demoted([decayed(memory, settings) for memory in before], settings)
        going = {memory.id for memory in trimmed(after, settings)}
        change.take_out(view, [row for row in mine if row.memory.id in going])
        for row, new in zip(mine, after, strict=True):
            if new != row.memory and new.id not in going:
                change.replace(view, row, new)
        pairs = list(zip(before, after, strict=True))
        return DecayResult(
            decayed=sum(new.importance < old.importance for old, new in pairs),
            cooled=sum(new.cold and not old.cold for old, new in pairs),
            trimmed=len(going),
        )

    return store.write(apply, scope.user)


def mark_used(store: Store, scope: Scope, hits: Iterable[Hit | Memory], settings: Lifecycle) -> int:
    """Notes that memories were shown to a model; those that the scope does not see are left out."""
    ids = dict.fromkeys(_memory_of(hit).id for hit in hits)
    now = utc_now()
    if not ids:
        return 0

    def apply(change: Change) -> int:
        view = view_of(change.transaction, scope)
        rows = [view.row_of_id(change.transaction, id_) for id_ in ids]
        seen = [row for row in rows if row is not None]
        for row in seen:
            change.replace(view, row, used(row.memory, settings, now))
        return len(seen)

    return store.write(apply, scope.user)


def _memory_of(hit: Hit | Memory) -> Memory:
    if isinstance(hit, Hit):
        return hit.memory
    if isinstance(hit, Memory):
        return hit
    raise OptionError(f"{type(hit).__name__} is not a Hit or a Memory; give what recall returned")
