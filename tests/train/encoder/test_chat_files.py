from __future__ import annotations

import json
from pathlib import Path

import pytest

from romaine.errors import InputFileError
from romaine.train.cleaning import Contamination
from romaine.train.encoder.chat_files import read_chats
from romaine.train.encoder.recipe import ChatData, ChatKind

NOTHING = Contamination()


def write(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def question(query: str, *evidence: int, **others: object) -> dict[str, object]:
    return {"query": query, "evidence": list(evidence), "kind": "question", **others}


TURNS = [["Ann", f"I found the {word} in the cellar"] for word in ("key", "bridge", "violin", "candle")]


def test_poor_and_doubled_questions_are_left_out(tmp_path: Path) -> None:
    asked = [
        question("two turns", 0, 1, score=0.1, offset=0),
        question("good score", 2, score=1.2, offset=0),
        question("poor", 3, score=0.2, offset=0),
        question("other offset", 0, 1, score=2.0, offset=1),
    ]
    path = write(tmp_path / "chats.jsonl", {"source": "a", "turns": TURNS, "questions": asked})
    data = ChatData(kind=ChatKind.EVIDENCE, file=path.name, least_evidence=2, least_score=1.0)
    kept, held, counts = read_chats(path, data, barred=NOTHING, seed=0)
    assert [q.text for q in kept[0].questions] == ["two turns", "good score"]
    assert held == []
    assert counts == {"chats": 1, "questions": 2, "in measuring set": 0, "held out": 0, "kept": 2}


def test_the_last_chats_are_held_out_and_cut(tmp_path: Path) -> None:
    chats = [
        {"source": name, "turns": TURNS, "questions": [question("early", 0), question("late", 3)]}
        for name in ("a", "b", "c")
    ]
    path = write(tmp_path / "chats.jsonl", *chats)
    data = ChatData(
        kind=ChatKind.EVIDENCE, file=path.name, sources=("a", "c"), held_out=1, held_turns=2, limit=1
    )
    kept, held, _ = read_chats(path, data, barred=NOTHING, seed=0)
    assert [len(chat.questions) for chat in kept] == [1]
    assert [q.text for q in held[0].questions] == ["early"]
    assert len(held[0].turns) == 2


def test_what_measuring_sets_say_is_not_asked(tmp_path: Path) -> None:
    chat = {"source": "a", "turns": TURNS, "questions": [question("who found it", 0), question("where", 1)]}
    path = write(tmp_path / "chats.jsonl", chat)
    data = ChatData(kind=ChatKind.EVIDENCE, file=path.name)
    kept, _, counts = read_chats(path, data, barred=Contamination([TURNS[0][1]]), seed=0)
    assert [q.text for q in kept[0].questions] == ["where"]
    assert counts["in measuring set"] == 1


@pytest.mark.parametrize("kind", [ChatKind.QUESTIONS, ChatKind.MESSAGES])
def test_dialogues_are_glued_to_long_chats_of_two_people(chat_folder: Path, kind: ChatKind) -> None:
    path = chat_folder / "dialogues.jsonl"
    data = ChatData(kind=kind, file=path.name, dialogues=10, limit=40)
    kept, _, _ = read_chats(path, data, barred=NOTHING, seed=0)
    assert 0 < sum(len(chat.questions) for chat in kept) <= 41
    for chat in kept:
        assert len({turn.speaker for turn in chat.turns}) == 2
        assert len(chat.turns) == (60 if kind is ChatKind.QUESTIONS else 50)
        for asked in chat.questions:
            assert max(asked.evidence) < len(chat.turns)
            assert asked.text not in {turn.text for turn in chat.turns}


@pytest.mark.parametrize("record", [{"source": "a"}, {"source": "a", "turns": [["x"]], "questions": []}, 3])
def test_another_file_is_refused(tmp_path: Path, record: object) -> None:
    path = write(tmp_path / "chats.jsonl", record)
    data = ChatData(kind=ChatKind.EVIDENCE, file=path.name)
    with pytest.raises(InputFileError, match=r"chats\.jsonl"):
        read_chats(path, data, barred=NOTHING, seed=0)
