"""What goes wrong with vectors of another dimension and with empty texts."""

from __future__ import annotations

import importlib
import math

import pytest
from contract import ITEMS, QUESTIONS, Item, Place

EMPTY = Item(id="0000ffff-0000-4000-8000-000000000000", text="", speaker="Ana")
EUCLIDEAN = {("haystack", "faiss")}


@pytest.mark.parametrize("store", ["chroma", "faiss", "qdrant", "milvus", "pgvector"])
def test_another_dimension_is_refused_and_an_empty_text_is_no_answer(
    framework: str, store: str, place: Place
) -> None:
    kind = importlib.import_module(f"{framework}_stores").KINDS[store]
    opened = kind.open(place, f"mistakes_{store}", 64)
    opened.add([*ITEMS, EMPTY])
    ranks = [hit.id for hit in opened.find(QUESTIONS[0], len(ITEMS) + 1)]
    assert (ranks[0] == EMPTY.id) is ((framework, store) in EUCLIDEAN)
    if store == "pgvector":
        (empty,) = (hit for hit in opened.find(QUESTIONS[0], len(ITEMS) + 1) if hit.id == EMPTY.id)
        assert math.isnan(empty.score)
        assert ranks[-1] == EMPTY.id
    opened.close()
    with pytest.raises(Exception):  # noqa: B017, PT011 - each store has its own
        kind.open(place, f"mistakes_{store}", 256).find(QUESTIONS[0], 1)
