"""A small collection in BEIR's layout, written for these tests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

DOCUMENTS = {
    "d1": ("Harbour", "The boat is moored behind the old lighthouse."),
    "d2": ("", "Copper kettles are sold at the market on Fridays."),
    "d3": ("Monastery", "The abbot locked the herbal with the poisonous mushrooms away."),
    "d4": ("Desert", "The next well is two days by camel beyond the salt flats."),
    "d5": ("Weather", "A storm will reach the island before the evening."),
}
QUERIES = {
    "q1": "Where is the boat moored?",
    "q2": "Which book about mushrooms did the abbot lock away?",
    "q3": "How far is the next well by camel?",
    "q4": "Who baked the bread?",
}
QRELS = [("q1", "d1", 2), ("q1", "d5", 1), ("q2", "d3", 1), ("q3", "d4", 1), ("q4", "d2", 0)]


def write_beir(
    folder: Path,
    *,
    documents: Mapping[str, tuple[str, str]] = DOCUMENTS,
    queries: Mapping[str, str] = QUERIES,
    qrels: Mapping[str, Sequence[tuple[str, str, int]]] | None = None,
) -> Path:
    """Writes a collection; `qrels` by split, the small one's as "test" if not given."""
    (folder / "qrels").mkdir(parents=True)
    corpus = [{"_id": id_, "title": title, "text": text} for id_, (title, text) in documents.items()]
    asked = [{"_id": id_, "text": text} for id_, text in queries.items()]
    for name, rows in (("corpus", corpus), ("queries", asked)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split, rows in (qrels or {"test": QRELS}).items():
        lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in rows)]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    """The small collection, with one split."""
    return write_beir(tmp_path / "small")
