from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from romaine.evaluate.probes import load_probes
from romaine.memory.language import DEFAULT

PROBES = load_probes()
ROOT = Path(__file__).parents[2]


def words(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def content(text: str) -> set[str]:
    return {word.forms[0] for word in DEFAULT.words(text) if not word.is_stop}


def test_there_is_enough() -> None:
    assert len(PROBES.pairs) >= 300
    assert len(PROBES.questions) >= 200
    assert len(PROBES.chats) >= 6
    assert len(PROBES.turns) >= 400


def test_grades_are_spread() -> None:
    grades = Counter(round(pair.grade) for pair in PROBES.pairs)
    assert set(grades) == set(range(6))
    assert min(grades.values()) >= len(PROBES.pairs) / 12
    assert max(grades.values()) <= len(PROBES.pairs) / 3
    assert all(0 <= pair.grade <= 5 for pair in PROBES.pairs)


def test_every_kind_and_register_is_there() -> None:
    kinds = Counter(pair.kind for pair in PROBES.pairs)
    assert set(kinds) == {
        "paraphrase",
        "near-duplicate",
        "detail",
        "swap",
        "negation",
        "topical",
        "homonym",
        "frame",
        "unrelated",
    }
    assert min(kinds.values()) >= 10
    registers = Counter(pair.id.partition("-")[0] for pair in PROBES.pairs)
    assert set(registers) == {"roleplay", "everyday", "factual", "mixed"}
    assert min(registers.values()) >= 60


def test_nothing_is_there_twice() -> None:
    assert len({pair.id for pair in PROBES.pairs}) == len(PROBES.pairs)
    sentences = [words(text) for pair in PROBES.pairs for text in (pair.first, pair.second)]
    assert not [text for text, count in Counter(sentences).items() if count > 1]
    questions = [words(question.text) for question in PROBES.questions]
    assert not [text for text, count in Counter(questions).items() if count > 1]
    turns = [words(turn.text) for turn in PROBES.turns]
    assert not [text for text, count in Counter(turns).items() if count > 1]


def test_texts_are_sound() -> None:
    texts = [text for pair in PROBES.pairs for text in (pair.first, pair.second)]
    texts += [turn.text for turn in PROBES.turns] + [question.text for question in PROBES.questions]
    for text in texts:
        assert text == text.strip()
        assert 4 <= len(text) <= 400
        assert text.isprintable()
    assert all(question.text.endswith("?") for question in PROBES.questions)


def test_evidence_is_in_the_chat_it_is_asked_of() -> None:
    for chat in PROBES.chats:
        ids = [turn.source_id for turn in chat.turns]
        assert len(set(ids)) == len(ids)
        assert all(str(source_id).startswith(f"{chat.name}:") for source_id in ids)
        for question in chat.questions:
            assert question.evidence
            assert set(question.evidence) <= set(ids)
        assert len(chat.questions) >= 20
        assert len(chat.speakers) >= 2
        assert len({e for q in chat.questions for e in q.evidence}) < 0.6 * len(ids), "too few distractors"


def test_speakers_of_answers_say_other_things_too() -> None:
    """A question cannot be answered by who speaks alone."""
    for chat in PROBES.chats:
        counts = Counter(turn.speaker for turn in chat.turns)
        speaker = {turn.source_id: turn.speaker for turn in chat.turns}
        often = [counts[speaker[q.evidence[0]]] >= 5 for q in chat.questions]
        assert np.mean(often) >= 0.75


def test_answers_share_few_words_with_their_questions() -> None:
    """Otherwise a search for words would do."""
    shared = []
    for chat in PROBES.chats:
        text = {turn.source_id: turn.text for turn in chat.turns}
        for question in chat.questions:
            asked = content(question.text)
            answer = {term for e in question.evidence for term in content(text[e])}
            shared.append(len(asked & answer) / max(len(asked), 1))
    assert np.mean(shared) < 0.25


def test_nothing_of_it_is_in_tests_or_examples() -> None:
    known = {words(text) for pair in PROBES.pairs for text in (pair.first, pair.second)}
    known |= {words(turn.text) for turn in PROBES.turns} | {words(q.text) for q in PROBES.questions}
    long = {text for text in known if len(text) >= 20}
    for folder in ("tests", "examples"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".json", ".jsonl", ".txt", ".md"} and path.is_file():
                content = words(path.read_text(encoding="utf-8", errors="ignore"))
                assert not [text for text in long if text in content], path


def test_the_package_carries_little() -> None:
    folder = ROOT / "src" / "romaine" / "evaluate" / "probes"
    files = [*folder.glob("*.jsonl"), *folder.glob("chats/*.jsonl")]
    assert len(files) >= 7
    assert sum(path.stat().st_size for path in files) < 300_000
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert isinstance(json.loads(line), dict)
