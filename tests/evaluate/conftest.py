"""Small conversations with questions, written for these tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TOPICS = {
    "harbour": [
        ("Mira", "Where did you moor the boat last night?"),
        ("Tobin", "Behind the old lighthouse, where the reef keeps the waves out."),
        ("Mira", "Good. I sold the nets to the fishmonger for twelve coins."),
        ("Tobin", "Twelve? My grandmother wove those nets from island flax."),
        ("Mira", "What shall we buy then?"),
        ("Tobin", "A copper kettle and new ropes before the storm."),
    ],
    "library": [
        ("Edda", "Which book did the abbot lock away?"),
        ("Quill", "The herbal with the poisonous mushrooms painted in gold."),
        ("Edda", "I copied three pages before vespers."),
        ("Quill", "Hide them under the beehives in the orchard."),
        ("Edda", "Do you trust the novice?"),
        ("Quill", "He betrayed the cellarer over a wheel of cheese."),
    ],
    "desert": [
        ("Sela", "How far is the next well?"),
        ("Oren", "Two days by camel, beyond the salt flats."),
        ("Sela", "The sandstorm tore our tent and scattered the dates."),
        ("Oren", "We still have the brass compass of my uncle."),
        ("Sela", "Who follows us?"),
        ("Oren", "Raiders with green banners, perhaps a dozen riders."),
    ],
}
QUESTIONS = {
    "harbour": [
        ("Where did Tobin moor the boat?", "D1:2"),
        ("What did Mira sell to the fishmonger?", "D1:3"),
    ],
    "library": [
        ("Which book did the abbot lock away?", "D1:2"),
        ("Where should Edda hide the pages?", "D1:4"),
    ],
    "desert": [("How far is the well, Oren said?", "D1:2"), ("What did the sandstorm tear?", "D1:3")],
}


def locomo(name: str) -> dict[str, Any]:
    turns = [
        {"speaker": speaker, "dia_id": f"D1:{number}", "text": text}
        for number, (speaker, text) in enumerate(TOPICS[name], 1)
    ]
    questions = [
        {"question": question, "evidence": [evidence], "category": 1}
        for question, evidence in QUESTIONS[name]
    ]
    return {"sample_id": name, "conversation": {"session_1": turns}, "qa": questions}


def realtalk(name: str) -> dict[str, Any]:
    record = locomo(name)
    turns = record["conversation"]["session_1"]
    renamed = [{"speaker": t["speaker"], "dia_id": t["dia_id"], "clean_text": t["text"]} for t in turns]
    return {"session_1": renamed, "qa": record["qa"]}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """One file of each of three conversations, the last in the REALTALK layout."""
    records = [locomo("harbour"), locomo("library"), realtalk("desert")]
    paths = [tmp_path / f"{number}.json" for number in range(len(records))]
    for path, record in zip(paths, records, strict=True):
        path.write_text(json.dumps(record), encoding="utf-8")
    return paths
