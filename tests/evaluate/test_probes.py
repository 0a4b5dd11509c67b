from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from romaine.evaluate.probes import ENGLISH, Probes, load_probes, probe_languages
from romaine.memory.language import DEFAULT

PROBES = load_probes()
ROOT = Path(__file__).parents[2]
OTHERS = [language for language in probe_languages() if language != ENGLISH]
LONG = [language for language in OTHERS if language in ("ko", "ja", "zh")]
"""Whose users this is for first: they have a chat of 300 turns."""
KINDS = {
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
every_language = pytest.mark.parametrize("language", probe_languages())


def words(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def content(text: str) -> set[str]:
    return {word.forms[0] for word in DEFAULT.words(text) if not word.is_stop}


def shares(probes: Probes) -> list[float]:
    """How much of each question's content words stands in the turns that answer it."""
    found = []
    for chat in probes.chats:
        text = {turn.source_id: turn.text for turn in chat.turns}
        for question in chat.questions:
            asked = content(question.text)
            answer = {term for e in question.evidence for term in content(text[e])}
            found.append(len(asked & answer) / max(len(asked), 1))
    return found


def test_there_is_enough() -> None:
    assert len(PROBES.pairs) >= 300
    assert len(PROBES.questions) >= 200
    assert len(PROBES.chats) >= 6
    assert len(PROBES.turns) >= 400


@pytest.mark.parametrize("language", OTHERS)
def test_there_is_enough_in_other_languages(language: str) -> None:
    probes = load_probes(language)
    assert len(probes.pairs) >= (75 if language in LONG else 50)
    assert len(probes.turns) >= (300 if language in LONG else 55)
    assert len(probes.questions) >= (60 if language in LONG else 15)


@pytest.mark.parametrize("language", LONG)
def test_long_chats_are_long(language: str) -> None:
    (chat,) = load_probes(language).chats
    assert len(chat.turns) == 300
    assert len(chat.questions) == 60


@every_language
def test_grades_are_spread(language: str) -> None:
    pairs = load_probes(language).pairs
    grades = Counter(round(pair.grade) for pair in pairs)
    assert set(grades) == set(range(6))
    assert min(grades.values()) >= len(pairs) / 12
    assert max(grades.values()) <= len(pairs) / 3
    assert all(0 <= pair.grade <= 5 for pair in pairs)


@every_language
def test_every_kind_and_register_is_there(language: str) -> None:
    pairs = load_probes(language).pairs
    kinds = Counter(pair.kind for pair in pairs)
    assert set(kinds) == KINDS
    assert min(kinds.values()) >= (10 if language == ENGLISH else 3)
    registers = Counter(pair.id.partition("-")[0] for pair in pairs)
    assert set(registers) == {"roleplay", "everyday", "factual", "mixed"}
    assert min(registers.values()) >= (60 if language == ENGLISH else 6)


@every_language
def test_nothing_is_there_twice(language: str) -> None:
    probes = load_probes(language)
    assert len({pair.id for pair in probes.pairs}) == len(probes.pairs)
    sentences = [words(text) for pair in probes.pairs for text in (pair.first, pair.second)]
    assert not [text for text, count in Counter(sentences).items() if count > 1]
    questions = [words(question.text) for question in probes.questions]
    assert not [text for text, count in Counter(questions).items() if count > 1]
    turns = [words(turn.text) for turn in probes.turns]
    assert not [text for text, count in Counter(turns).items() if count > 1]


@every_language
def test_texts_are_sound(language: str) -> None:
    probes = load_probes(language)
    texts = [text for pair in probes.pairs for text in (pair.first, pair.second)]
    texts += [turn.text for turn in probes.turns] + [question.text for question in probes.questions]
    for text in texts:
        assert text == text.strip()
        assert 4 <= len(text) <= 400
        assert all(char.isprintable() or char == "\u3000" for char in text)
    assert all(question.text.endswith(("?", "？", "。")) for question in probes.questions)


@every_language
def test_evidence_is_in_the_chat_it_is_asked_of(language: str) -> None:
    for chat in load_probes(language).chats:
        ids = [turn.source_id for turn in chat.turns]
        assert ids == [f"{chat.name}:{number}" for number in range(1, len(ids) + 1)]
        for question in chat.questions:
            assert 1 <= len(question.evidence) <= 3
            assert set(question.evidence) <= set(ids)
        assert len(chat.questions) >= (20 if language == ENGLISH else 15)
        assert len(chat.speakers) >= 2
        assert len({e for q in chat.questions for e in q.evidence}) < 0.6 * len(ids), "too few distractors"


@every_language
def test_speakers_of_answers_say_other_things_too(language: str) -> None:
    """A question cannot be answered by who speaks alone."""
    for chat in load_probes(language).chats:
        counts = Counter(turn.speaker for turn in chat.turns)
        speaker = {turn.source_id: turn.speaker for turn in chat.turns}
        often = [counts[speaker[q.evidence[0]]] >= 5 for q in chat.questions]
        assert np.mean(often) >= 0.75


@every_language
def test_answers_share_few_words_with_their_questions(language: str) -> None:
    """Otherwise a search for words would do."""
    found = shares(load_probes(language))
    assert np.mean(found) < (0.25 if language == ENGLISH else 0.4)


@pytest.mark.parametrize("language", OTHERS)
def test_no_answer_has_all_words_of_its_question(language: str) -> None:
    assert max(shares(load_probes(language))) < 1


@every_language
def test_nothing_of_it_is_in_tests_or_examples(language: str) -> None:
    probes = load_probes(language)
    known = {words(text) for pair in probes.pairs for text in (pair.first, pair.second)}
    known |= {words(turn.text) for turn in probes.turns} | {words(q.text) for q in probes.questions}
    long = {text for text in known if len(text) >= 20}
    for folder in ("tests", "examples"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".json", ".jsonl", ".txt", ".md"} and path.is_file():
                content = words(path.read_text(encoding="utf-8", errors="ignore"))
                assert not [text for text in long if text in content], path


@every_language
def test_the_package_carries_little(language: str) -> None:
    marked = "" if language == ENGLISH else f".{language}"
    folder = ROOT / "src" / "romaine" / "evaluate" / "probes"
    files = [folder / f"pairs{marked}.jsonl", *folder.glob(f"chats{marked}/*.jsonl")]
    assert len(files) >= (7 if language == ENGLISH else 2)
    assert sum(path.stat().st_size for path in files) < (300_000 if language == ENGLISH else 120_000)
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert isinstance(json.loads(line), dict)
