# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""Documents as memories and back, and the writing of many.

A document becomes a piece of lore: its content is the text, its meta the metadata, and its id, behind
`haystack:`, the `source_id`. Whatever else a Document has stands in the metadata under `_haystack`, as JSON
can hold it: an embedding as base64 of little-endian float64, a blob's data as base64.

A store gives the Document back as it was written. A retriever, and the filters of both, see the same
Document with what the memory knows beside its own meta.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from haystack import Document
from haystack.dataclasses import ByteStream, SparseEmbedding
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils.filters import document_matches_filter
from romaine import Memory, RoleplayMemory, Scope
from romaine.errors import OptionError
from romaine.memory import Kind
from romaine.memory.plain import memory_metadata

SOURCE = "haystack:"
"""Begins the `source_id` of what was written as a document, so that no other entry is taken for one."""

EXTRAS = "_haystack"
"""Key in a memory's metadata for what a Document has besides content and meta."""

ADDED = "_romaine"
"""Key in the meta of a Document that a retriever gave: names of what the memory added to its own meta."""

_FLOATS = np.dtype("<f8")  # what Python's floats are, so that they come back the same


def to_memory(document: Document, scope: Scope, *, known_by: Collection[str] = ()) -> Memory:
    """Returns a document as a memory of a scope.

    :param document: The document.
    :param scope: Whose memory it becomes.
    :param known_by: Characters who know it; empty for all in scope.
    :returns: A piece of lore.
    :raises OptionError: If the document's meta is not what JSON can hold, or uses a key of the store's own.
    """
    document = _as_written(document)
    extras = _extras(document)
    return Memory(
        scope=scope,
        kind=Kind.LORE,
        text=document.content or "",
        source_id=SOURCE + document.id,
        known_by=frozenset(known_by),
        metadata={**document.meta, **({EXTRAS: extras} if extras else {})},
    )


def to_document(memory: Memory) -> Document:
    """Returns the document that a memory was made of.

    :param memory: What `to_memory` gave, as it was stored.
    :returns: The document, equal to the one written but that JSON has no tuples: they are lists now.
    """
    meta = dict(memory.metadata)
    extras = meta.pop(EXTRAS, {})
    return Document(
        id=(memory.source_id or "").removeprefix(SOURCE),
        content=None if extras.get("no_content") else memory.text,
        meta=meta,
        blob=_to_blob(extras["blob"]) if "blob" in extras else None,
        score=extras.get("score"),
        embedding=_to_floats(extras["embedding"]) if "embedding" in extras else None,
        sparse_embedding=(
            SparseEmbedding.from_dict(extras["sparse_embedding"]) if "sparse_embedding" in extras else None
        ),
    )


def is_document(memory: Memory) -> bool:
    """Returns whether a memory was written as a Document."""
    return memory.kind is Kind.LORE and (memory.source_id or "").startswith(SOURCE)


def found_document(memory: Memory, known: Mapping[str, Any], *, score: float | None = None) -> Document:
    """Returns what a retriever shows of a memory.

    :param memory: Any memory.
    :param known: What is known of it, as `memory_metadata` or `hit_metadata` gives it.
    :param score: How well it fits, 0 to 1; None for what was stored.
    :returns: For a written Document that one: its id, its content, its own meta before what is known of the
        memory, whose names stand under `_romaine`. For any other memory a Document with its id and text,
        and in its meta what is known of it before what was kept with it.
    """
    facts = {name: value for name, value in known.items() if name != "metadata"}
    if not is_document(memory):
        meta = {**memory.metadata, **facts}
        return Document(id=memory.id, content=memory.text, meta=meta, score=score)
    document = to_document(memory)
    del facts["source_id"]  # the Document's id says it
    facts["memory_id"] = memory.id
    meta = {**facts, **document.meta, ADDED: sorted(facts.keys() - document.meta.keys())}
    return replace(document, meta=meta, score=document.score if score is None else score)


def matching(filters: Mapping[str, Any] | None) -> Callable[[Memory], bool] | None:
    """Returns what filters say of a memory, as the Document that a retriever would show.

    :param filters: In Haystack's grammar.
    :returns: Whether they match; None where there are no filters.
    """
    if not filters:
        return None
    grammar = dict(filters)
    return lambda memory: document_matches_filter(grammar, found_document(memory, memory_metadata(memory)))


def stored_documents(
    memory: RoleplayMemory, scope: Scope, *, ids: Collection[str] | None = None
) -> dict[str, Memory]:
    """Returns what was written as documents to exactly one scope.

    :param memory: Where to look.
    :param scope: Whose documents; those of wider scopes are not among them, though recall sees them.
    :param ids: Ids of the documents to look for; None for all.
    :returns: The memories by the documents' ids, in the order they were written.
    """
    sources = None if ids is None else {SOURCE + id_ for id_ in ids}
    listed = memory.list(scope, kinds=[Kind.LORE], source_ids=sources)
    return {
        found.source_id.removeprefix(SOURCE): found
        for found in listed
        if found.scope == scope and is_document(found) and found.source_id is not None
    }


def write_documents(
    memory: RoleplayMemory,
    scope: Scope,
    documents: Sequence[Document],
    *,
    policy: DuplicatePolicy,
    known_by: Collection[str] = (),
) -> list[Memory]:
    """Writes documents to a scope, all of them or none.

    :param memory: Where to.
    :param scope: Whose memory they become.
    :param documents: The documents; of two with one id the later counts, if the policy is to overwrite.
    :param policy: What to do with ids that are there already; `NONE` means `FAIL`.
    :param known_by: Characters who know them; empty for all in scope.
    :returns: What was written, in order.
    :raises ValueError: If `documents` is not a list of Documents.
    :raises DuplicateDocumentError: If the policy is to fail and an id is there already.
    """
    _check_documents(documents)
    taken = set(stored_documents(memory, scope, ids=[document.id for document in documents]))
    chosen: dict[str, Document] = {}
    for document in documents:
        if policy is not DuplicatePolicy.OVERWRITE and document.id in taken:
            if policy is DuplicatePolicy.SKIP:
                continue
            raise DuplicateDocumentError(f"ID '{document.id}' already exists; nothing was written")
        taken.add(document.id)
        chosen[document.id] = document
    notes = [to_memory(document, scope, known_by=known_by) for document in chosen.values()]
    return [added.memory for added in memory.add_notes(notes, keep_twins=True)]


def _check_documents(documents: object) -> None:
    if isinstance(documents, list) and all(isinstance(document, Document) for document in documents):
        return
    raise ValueError("a list of Documents is needed, got something else")


def _as_written(document: Document) -> Document:
    """A Document without what a retriever added to it: found, changed and written again it stays itself."""
    if EXTRAS in document.meta:
        raise OptionError(f"meta[{EXTRAS!r}] is taken by the store itself; choose another name")
    added = document.meta.get(ADDED)
    if added is None:
        return document
    if not isinstance(added, list):
        raise OptionError(f"meta[{ADDED!r}] is taken by the retriever; choose another name")
    own = {name: value for name, value in document.meta.items() if name not in (*added, ADDED)}
    return replace(document, meta=own, score=None)


def _extras(document: Document) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if document.content is None:
        extras["no_content"] = True
    if document.blob is not None:
        extras["blob"] = _from_blob(document.blob)
    if document.score is not None:
        extras["score"] = document.score
    if document.embedding is not None:
        extras["embedding"] = _from_bytes(np.asarray(document.embedding, dtype=_FLOATS).tobytes())
    if document.sparse_embedding is not None:
        extras["sparse_embedding"] = document.sparse_embedding.to_dict()
    return extras


def _from_blob(blob: ByteStream) -> dict[str, Any]:
    return {"data": _from_bytes(blob.data), "meta": blob.meta, "mime_type": blob.mime_type}


def _to_blob(record: dict[str, Any]) -> ByteStream:
    return ByteStream(
        data=base64.b64decode(record["data"]), meta=record["meta"], mime_type=record["mime_type"]
    )


def _from_bytes(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _to_floats(text: str) -> list[float]:
    floats: list[float] = np.frombuffer(base64.b64decode(text), dtype=_FLOATS).tolist()
    return floats
