"""What of the stores under LlamaIndex is not as one would think: where this fails, mend the page."""

from __future__ import annotations

from contract import EDITED, ITEMS, MORE_THAN_THERE_ARE, QUESTIONS, Place
from llama_index_stores import KINDS


def test_faiss_loses_a_node_when_one_is_added_after_a_deletion(place: Place) -> None:
    store = KINDS["faiss"].open(place, "numbers", 64)
    store.add(ITEMS)
    store.delete([EDITED.id])
    store.add([EDITED])
    found = {hit.id for hit in store.find(QUESTIONS[0], MORE_THAN_THERE_ARE)}
    assert found == {item.id for item in ITEMS[:-1]}, "the last one's number was given again"
