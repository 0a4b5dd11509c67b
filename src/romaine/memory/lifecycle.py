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
from romaine.memory.checks import check_count, check_share
from romaine.memory.codec import encode_id
from romaine.memory.records import Hit, Kind, Memory, Scope, utc_now
from romaine.memory.store import Store
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
    with store.change() as change:
        view = view_of(change.connection, scope)
        rows = [row for row in view.all_rows(change.connection) if row[5] in settings.kinds]
        seen = view.memories(change.connection, rows)
        before = {no: memory for no, memory in seen.items() if memory.scope == scope}
        after = demoted([decayed(memory, settings) for memory in before.values()], settings)
        going = {memory.id for memory in trimmed(after, settings)}
        numbered = list(zip(before, after, strict=True))
        for no, memory in numbered:
            if memory != before[no]:
                change.update(no, memory, keep_for_forks=False)
        change.retire([no for no, memory in numbered if memory.id in going])
    return DecayResult(
        decayed=sum(memory.importance < before[no].importance for no, memory in numbered),
        cooled=sum(memory.cold and not before[no].cold for no, memory in numbered),
        trimmed=len(going),
    )


def mark_used(store: Store, hits: Iterable[Hit | Memory], settings: Lifecycle) -> int:
    """Notes that memories were shown to a model; those that are gone by now are left out."""
    memories = {memory.id: memory for memory in map(_memory_of, hits)}
    now = utc_now()
    count = 0
    if not memories:
        return 0
    with store.change() as change:
        for memory in memories.values():
            view = view_of(change.connection, memory.scope)
            row = view.row_of_id(change.connection, encode_id(memory.id), witnessed=False)
            if row is not None:
                current = view.memories(change.connection, [row])[row[0]]
                change.update(row[0], used(current, settings, now), keep_for_forks=False)
                count += 1
    return count


def _memory_of(hit: Hit | Memory) -> Memory:
    if isinstance(hit, Hit):
        return hit.memory
    if isinstance(hit, Memory):
        return hit
    raise OptionError(f"{type(hit).__name__} is not a Hit or a Memory; give what recall returned")
