"""A sample of what a scope sees, with vectors: for pictures of it, never for finding anything."""

from __future__ import annotations

import numpy as np

from romaine.arrays import FloatArray
from romaine.memory.checks import check_count
from romaine.memory.options import RecallOptions
from romaine.memory.records import Kind, Memory, Scope
from romaine.memory.store import Store
from romaine.memory.stored import EVERYTHING, NOTES, Wanted
from romaine.memory.views import view_of


def sampled_vectors(
    store: Store, scope: Scope, options: RecallOptions, *, limit: int
) -> tuple[list[Memory], FloatArray]:
    """Returns memories evenly over the story with their vectors; reads little more than those."""
    check_count("limit", limit)
    kinds = EVERYTHING if options.kinds is None else frozenset(map(Kind, options.kinds))
    dim = store.embedder.full_dim
    with store.storage.read(scope.user) as snapshot:
        view = view_of(snapshot, scope)
        places: list[tuple[int, int]] = []
        if Kind.TURN in kinds:
            places = sorted(place for segment in view.segments for place in snapshot.turns(segment))
        row_ids = [row_id for _, row_id in places]
        notes = view.rows(snapshot, Wanted(kinds=kinds & NOTES)) if kinds & NOTES else iter(())
        row_ids += [row.row_id for row in notes]
        if len(row_ids) > limit:
            row_ids = [row_ids[i] for i in np.linspace(0, len(row_ids) - 1, limit).astype(int)]
        vectors = snapshot.vectors(row_ids, dim)
        rows = view.rows(snapshot, Wanted(row_ids=[row_id for row_id in row_ids if row_id in vectors]))
        memories = view.memories(snapshot, rows)
    chosen = [row_id for row_id in row_ids if row_id in memories]
    stacked = [vectors[row_id] for row_id in chosen]
    made = np.stack(stacked) if stacked else np.empty((0, dim), dtype=np.float32)
    return [memories[row_id] for row_id in chosen], made.astype(np.float32, copy=False)
