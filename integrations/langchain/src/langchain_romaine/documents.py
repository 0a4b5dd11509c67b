"""LangChain documents as memories and back, and notes that are found by ids of their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from langchain_core.documents import Document

from langchain_romaine.scopes import is_own
from romaine import Hit, Memory, RoleplayMemory, Scope
from romaine.errors import MemoryNotFoundError
from romaine.memory import Explanation
from romaine.memory.notes import normalised
from romaine.memory.plain import hit_metadata
from romaine.memory.records import Kind

_LOOKS = (64, 512)  # hits in which to look for what a filter leaves; `where` reads all there is

SOURCE = "langchain:"
"""Begins the `source_id` of what a vector store keeps, so that no other entry is taken for a document."""


def to_note(document: Document, document_id: str, scope: Scope) -> Memory:
    """A document as a memory: a piece of lore, since documents do not fade.

    Raises:
        romaine.errors.OptionError: If its metadata are not what JSON can hold.
    """
    return Memory(
        scope=scope,
        kind=Kind.LORE,
        text=document.page_content,
        source_id=SOURCE + document_id,
        metadata=document.metadata,
    )


def is_document(memory: Memory) -> bool:
    """Whether a vector store keeps it."""
    return memory.source_id is not None and memory.source_id.startswith(SOURCE)


def to_document(memory: Memory) -> Document:
    """The document that `to_note` made the memory of."""
    return Document(
        id=(memory.source_id or "").removeprefix(SOURCE),
        page_content=memory.text,
        metadata=dict(memory.metadata),
    )


def hit_document(hit: Hit) -> Document:
    """What was recalled, as a document with all that is known of it.

    What a vector store keeps has the id and the metadata it has there, with those of the memory beside them.
    """
    memory, shown = hit.memory, hit_metadata(hit)
    if not is_document(memory):
        return Document(id=memory.id, page_content=memory.text, metadata=shown)
    kept = to_document(memory)
    return Document(id=kept.id, page_content=kept.page_content, metadata={**kept.metadata, **shown})


def stored_notes(memory: RoleplayMemory, scope: Scope, sources: Collection[str]) -> dict[str, Memory]:
    """Notes of exactly one scope by their source ids; wider scopes, which recall sees too, have their own."""
    found = memory.list(scope, kinds=[Kind.LORE], source_ids=set(sources))
    return {note.source_id: note for note in found if is_own(note, scope) and note.source_id is not None}


def find_notes(
    memory: RoleplayMemory,
    scope: Scope,
    query: str,
    *,
    k: int,
    wanted: Callable[[Memory], bool],
    vector: Sequence[float] | None = None,
) -> list[tuple[Memory, float]]:
    """Notes of exactly one scope that fit a query, the best first, each with its confidence.

    A recall shows one of what says the same; here each id counts, so the one brings the others along.

    Args:
        memory: Where to look.
        scope: Whose notes.
        query: What to look for.
        k: How many at most.
        wanted: Which may be found.
        vector: Embedding of the query, where there is one.
    """

    def own(note: Memory) -> bool:
        return is_own(note, scope) and wanted(note)

    def recall(count: int, where: Callable[[Memory], bool] | None = None) -> Explanation:
        return memory.recall(
            query, scope, k=count, kinds=[Kind.LORE], vector=vector, where=where, explain=True
        )

    for count in (k, *(count for count in _LOOKS if count > k)):
        told = recall(count)
        notes = [(note, confidence) for note, confidence in _each(told) if own(note)]
        if len(notes) >= k or len(told.hits) < count:
            return notes[:k]
    return _each(recall(k, own))[:k]


def _each(told: Explanation) -> list[tuple[Memory, float]]:
    """The hits, each followed by what says the same."""
    doubles: dict[str, list[Memory]] = {}
    for left in told.rejected:
        if left.reason == "duplicate":
            doubles.setdefault(normalised(left.memory.text), []).append(left.memory)
    return [
        (note, hit.confidence)
        for hit in told.hits
        for note in (hit.memory, *doubles.get(normalised(hit.memory.text), ()))
    ]


def erase_notes(memory: RoleplayMemory, scope: Scope, sources: Collection[str]) -> None:
    """Deletes notes of exactly one scope for good; those that are not there are ignored."""
    while doomed := stored_notes(memory, scope, sources):
        try:
            memory.forget(scope, [note.id for note in doomed.values()], derived=False)
        except MemoryNotFoundError:  # somebody else was faster; look again
            continue
