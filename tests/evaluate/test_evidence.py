from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from romaine.errors import FormatError, OptionError
from romaine.evaluate.evidence import read_evidence
from romaine.evaluate.memory import evaluate_memory

TURNS = [
    ["Mira", "Where did you moor the boat?"],
    ["Tobin", "Behind the old lighthouse."],
    ["Mira", "I sold the nets for twelve coins."],
    ["Tobin", ""],
]


def chat(**changed: Any) -> dict[str, Any]:
    questions = [
        {"query": "Where is the boat moored?", "evidence": [1], "kind": "question"},
        {"query": "Tobin hid the boat.", "evidence": [0, 1], "kind": "summary", "score": 0.2, "offset": 0},
        {"query": "Mira sold nets.", "evidence": [2], "kind": "summary", "score": 0.9, "offset": 1},
        {"query": "Mira sold all nets.", "evidence": [2], "kind": "summary", "score": 1.0, "offset": 1},
        {"query": "Who sleeps?", "evidence": [17, "x", -1]},
        {"evidence": [1]},
    ]
    return {"id": "harbour", "source": "train", "turns": TURNS, "questions": questions} | changed


@pytest.fixture(params=["chats.jsonl", "chats.jsonl.gz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    lines = [json.dumps(chat()), "", json.dumps(chat(id="other", source="dev"))]
    data = "\n".join(lines).encode()
    path = tmp_path / request.param
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_reads_turns_and_sure_questions(path: Path) -> None:
    first, second = read_evidence(path)
    assert (first.name, second.name, first.speakers) == ("harbour", "other", ("Mira", "Tobin"))
    assert [(turn.speaker, turn.text) for turn in first.turns] == [tuple(turn) for turn in TURNS]
    assert [(q.text, q.evidence, q.category) for q in first.questions] == [
        ("Where is the boat moored?", ("D1:2",), "question"),
        ("Tobin hid the boat.", ("D1:1", "D1:2"), "summary"),
        ("Mira sold all nets.", ("D1:3",), "summary"),
    ]
    assert {skip.where: skip.why for skip in first.skipped} == {
        "question 3": "aligned with one turn, and not surely",
        "question 5": "no evidence in the conversation",
        "question 6": "no question text",
    }


def test_takes_the_chats_of_one_source(path: Path) -> None:
    assert [chat.name for chat in read_evidence(path, sources=["dev"])] == ["other"]
    with pytest.raises(OptionError, match="choose from 'dev', 'train'"):
        read_evidence(path, sources=["test"])


def test_is_measured_like_any_chat(path: Path) -> None:
    report = evaluate_memory([path])
    assert (report.conversations, report.questions) == (2, 6)
    assert {name: figures.questions for name, figures in report.categories.items()} == {
        "question": 2,
        "summary": 4,
    }
    assert report.hit_at_10 == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"[]", "is no chat"),
        (b"{}", "is no chat"),
        (b'{"turns": [["Ana"]]}', r"turn 0 in line 1 .* no \[speaker, text\]"),
        (b'{"turns": [["", "Hello."]]}', "with a speaker"),
        (b"{", "not valid JSON"),
        (b"", "holds no chats"),
    ],
)
def test_damage_is_told(tmp_path: Path, line: bytes, told: str) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_bytes(line)
    with pytest.raises(FormatError, match=told):
        read_evidence(path)


def test_gzip_that_is_cut_off_is_told(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(chat()).encode())[:-12])
    with pytest.raises(FormatError, match="not whole gzip"):
        read_evidence(path)
    path.write_bytes(b"no gzip")
    with pytest.raises(FormatError, match="gzip"):
        read_evidence(path)
