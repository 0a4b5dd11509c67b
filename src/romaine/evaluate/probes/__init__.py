"""The built-in probe set: sentence pairs with a similarity, and questions over invented roleplay chats.

Written for this project; nothing in it was taken from anywhere. It is small enough to be measured in seconds
and hard enough that all-MiniLM-L6-v2 is far from perfect, so that it tells a sound model from a broken one.
It is no benchmark: models are compared on public ones.

Grades of pairs: 5 says the same in other words, 4 nearly the same, 3 the same matter with something important
missing or changed (3.5: the same words with the roles swapped), 2 details in common (2.5: the opposite),
1 a topic or a word in common, 0 nothing. Half of the unrelated pairs share their sentence frame, so that
matching function words earns nothing.

Questions avoid the words of the turns that answer them. They are put to all chats at once: a memory of one
chat would be found by its names alone.

Each other language (`pairs.ko.jsonl`, `chats.ko/`) has texts of its own, none translated; Korean, Japanese
and Chinese have one chat of 300 turns with 60 questions. Questions there share a word with their answers now
and then, as a user's do, never all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any

import numpy as np

from romaine.evaluate.sts import ScoredPairs
from romaine.formats.locomo import Conversation, Question, Session
from romaine.memory.records import Role, Turn

ENGLISH = "en"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two sentences.

    Attributes:
        id: Its register and a number, e.g. "roleplay-017".
        kind: What makes it easy or hard: "paraphrase", "near-duplicate", "detail", "swap", "negation",
            "topical", "homonym", "frame" (the same frame, other content) or "unrelated".
        grade: How alike their meanings are, 0 to 5.
        first: One sentence.
        second: The other.
    """

    id: str
    kind: str
    grade: float
    first: str
    second: str


@dataclass(frozen=True)
class Probes:
    """Pairs and chats.

    Attributes:
        pairs: Sentence pairs.
        chats: Roleplay chats with questions; `source_id` of a turn is e.g. "inn:12".
    """

    pairs: tuple[Pair, ...]
    chats: tuple[Conversation, ...]

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns of all chats."""
        return tuple(turn for chat in self.chats for turn in chat.turns)

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions of all chats."""
        return tuple(question for chat in self.chats for question in chat.questions)

    @cached_property
    def scored_pairs(self) -> ScoredPairs:
        """The pairs in the form in which similarity is measured."""
        return ScoredPairs(
            left=tuple(pair.first for pair in self.pairs),
            right=tuple(pair.second for pair in self.pairs),
            scores=np.array([pair.grade for pair in self.pairs]),
        )


@lru_cache
def load_probes(language: str = ENGLISH) -> Probes:
    """The probe set of this installation in one language, read once.

    Args:
        language: One of `probe_languages`.
    """
    marked = "" if language == ENGLISH else f".{language}"
    folder = resources.files(__package__)
    pairs = tuple(Pair(**values) for values in _lines(folder.joinpath(f"pairs{marked}.jsonl")))
    chats = sorted(folder.joinpath(f"chats{marked}").iterdir(), key=lambda file: file.name)
    return Probes(pairs, tuple(_chat(file) for file in chats if file.name.endswith(".jsonl")))


def probe_languages() -> tuple[str, ...]:
    """The codes of the languages that there are probes in, English first."""
    names = (file.name.split(".") for file in resources.files(__package__).iterdir())
    return (ENGLISH, *sorted(parts[1] for parts in names if parts[0] == "pairs" and len(parts) == 3))


def _chat(file: Any) -> Conversation:
    """A file of lines that are turns (id, speaker, text) or questions (question, evidence)."""
    lines = list(_lines(file))
    turns = tuple(
        Turn(line["text"], speaker=line["speaker"], role=Role.CHARACTER, source_id=line["id"])
        for line in lines
        if "id" in line
    )
    questions = tuple(
        Question(text=line["question"], evidence=tuple(line["evidence"]))
        for line in lines
        if "question" in line
    )
    return Conversation(
        name=file.name.removesuffix(".jsonl"),
        speakers=tuple(dict.fromkeys(turn.speaker for turn in turns)),
        sessions=(Session(number=1, at=None, turns=turns),),
        questions=questions,
        skipped=(),
    )


def _lines(file: Any) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
