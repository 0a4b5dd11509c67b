"""What was found as plain data: for documents of frameworks, and as JSON holds it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from romaine.memory.exchange import to_json
from romaine.memory.hits import Explanation, Rejected
from romaine.memory.listing import Stats
from romaine.memory.records import Hit, Memory


def clean_text(text: str) -> str:
    """Returns a text that UTF-8 can hold: halves of surrogate pairs, which a memory keeps, become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def memory_metadata(memory: Memory) -> dict[str, Any]:
    """Returns all about a memory but its id and text, as what JSON can hold.

    Args:
        memory: What to show.

    Returns:
        `user`, `character` and `chat` of its scope, `speaker`, `role`, `position`, `created_at` (ISO 8601)
        and the other attributes of `Memory` under their names; what is None or empty is left out.
    """
    record = to_json(memory)
    del record["id"], record["text"]
    return record


def hit_metadata(hit: Hit) -> dict[str, Any]:
    """Returns all about a hit but its id and text, as what JSON can hold.

    Args:
        hit: What `recall` found.

    Returns:
        `memory_metadata` of it with `score`, `parts`, `confidence` and, if there are any, `neighbours`, each
        with its `text`.
    """
    neighbours = [{"text": memory.text, **memory_metadata(memory)} for memory in hit.neighbours]
    shown = {"score": hit.score, "parts": dict(hit.parts), "confidence": hit.confidence} | (
        {"neighbours": neighbours} if neighbours else {}
    )
    return memory_metadata(hit.memory) | shown


def stats_to_json(stats: Stats) -> dict[str, Any]:
    """Returns how much there is as JSON holds it."""
    memories = {kind.value: count for kind, count in sorted(stats.memories.items())}
    return {"total": stats.total, **vars(stats), "memories": memories}


def hits_to_json(hits: Iterable[Hit]) -> list[dict[str, Any]]:
    """Returns hits as JSON holds them."""
    return [
        _scored(hit)
        | {"confidence": hit.confidence, "neighbours": [to_json(each) for each in hit.neighbours]}
        for hit in hits
    ]


def explanation_to_json(explanation: Explanation) -> dict[str, Any]:
    """Returns hits, and what was left out and why, as JSON holds them."""
    evidence = explanation.evidence
    return {
        "hits": hits_to_json(explanation.hits),
        "rejected": [{"reason": each.reason} | _scored(each) for each in explanation.rejected],
        "confidence": explanation.confidence,
        "threshold": explanation.threshold,
        "evidence": None if evidence is None else dict(vars(evidence)),
        "damaged": explanation.damaged,
    }


def _scored(found: Hit | Rejected) -> dict[str, Any]:
    return {"score": found.score, "parts": dict(found.parts), "memory": to_json(found.memory)}
