"""Hits as plain data: what an adapter shows of a memory in a framework's document."""

from __future__ import annotations

from typing import Any

from romaine.memory.exchange import to_json
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
