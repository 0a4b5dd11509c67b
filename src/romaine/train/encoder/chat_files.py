"""Chats with questions and the turns that answer them, from files of evidence or from dialogues."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from romaine.errors import InputFileError
from romaine.memory.terms import document_text
from romaine.train.chats import FIRST_NAMES
from romaine.train.cleaning import UNREADABLE, Contamination, open_text
from romaine.train.encoder.recipe import ChatData, ChatKind
from romaine.train.questions import QuestionMaker

_ASKED = 0.3  # share of the turns of dialogues that are asked about
_APART = 3  # turns between a message and what it may need
_MESSAGE = 8  # words of a message that is asked, at least
_LEARNED = 20_000  # dialogues that rule-made questions learn words from


@dataclass(frozen=True)
class ChatTurn:
    """Who said what."""

    speaker: str
    text: str

    @property
    def document(self) -> str:
        """What a memory searches, `document_text`."""
        return document_text(self.text, self.speaker)


@dataclass(frozen=True)
class EvidenceQuestion:
    """What is asked, and the turns that answer it, by their places in the chat."""

    text: str
    evidence: tuple[int, ...]


@dataclass(frozen=True)
class EvidenceChat:
    """A long chat and questions about it."""

    turns: tuple[ChatTurn, ...]
    questions: tuple[EvidenceQuestion, ...]

    def first(self, turns: int) -> EvidenceChat:
        """Its beginning, with the questions that are answered there."""
        kept = tuple(q for q in self.questions if max(q.evidence) < turns)
        return EvidenceChat(self.turns[:turns], kept)


def read_chats(
    path: Path, data: ChatData, *, barred: Contamination, seed: int
) -> tuple[list[EvidenceChat], list[EvidenceChat], dict[str, int]]:
    """Chats to train on, chats held out for dev questions, and counts.

    What stands in a measuring set is not asked, and the turns of the held-out chats are nowhere else.

    Raises:
        InputFileError: If the file is not what `data` says.
    """
    rng = np.random.default_rng((seed, 11))
    is_asked = data.kind is ChatKind.EVIDENCE
    chats = list(_evidence(path, data) if is_asked else _glued(path, data, rng))
    counts = {"chats": len(chats), "questions": sum(len(chat.questions) for chat in chats)}
    split = len(chats) - data.held_out
    held = [chat.first(data.held_turns) for chat in chats[split:]]
    kept = [_clean(chat, barred) for chat in chats[:split]]
    counts["in measuring set"] = sum(len(c.questions) for c in chats[:split]) - _asked(kept)
    kept = _limited(kept, data.limit, rng)
    return kept, held, {**counts, "held out": _asked(held), "kept": _asked(kept)}


def _asked(chats: Iterable[EvidenceChat]) -> int:
    return sum(len(chat.questions) for chat in chats)


def _clean(chat: EvidenceChat, barred: Contamination) -> EvidenceChat:
    """Without questions whose words, or whose evidence, stand in a measuring set."""
    questions = tuple(
        question
        for question in chat.questions
        if not barred.holds(question.text)
        and not any(barred.holds(chat.turns[place].text) for place in question.evidence)
    )
    return replace(chat, questions=questions)


def _limited(chats: list[EvidenceChat], limit: int, rng: np.random.Generator) -> list[EvidenceChat]:
    """At most `limit` questions, evenly from all chats."""
    share = min(1.0, limit / max(_asked(chats), 1))
    limited = []
    for chat in chats:
        count = round(share * len(chat.questions))
        places = np.sort(rng.permutation(len(chat.questions))[:count])
        limited.append(replace(chat, questions=tuple(chat.questions[i] for i in places)))
    return [chat for chat in limited if chat.questions]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with open_text(path) as file:
            for line in file:
                if line.strip():
                    yield json.loads(line)
    except (*UNREADABLE, ValueError, RecursionError) as error:
        raise InputFileError(f"{path} is not JSON lines ({error}); give one chat a line") from None


def _evidence(path: Path, data: ChatData) -> Iterator[EvidenceChat]:
    for record in _lines(path):
        try:
            if data.sources and record["source"] not in data.sources:
                continue
            turns = tuple(ChatTurn(str(who), " ".join(str(text).split())) for who, text in record["turns"])
            questions = []
            for asked in record["questions"]:
                evidence = tuple(int(place) for place in asked["evidence"] if 0 <= place < len(turns))
                poor = len(evidence) < data.least_evidence and asked.get("score", -1.0) < data.least_score
                # sentences 2-3 share one with 1-2: one of the two sets is enough
                if poor or asked.get("offset", 0) != 0:
                    continue
                evidence = tuple(i for i in evidence if len(turns[i].text.split()) >= data.least_words)
                if evidence:
                    questions.append(EvidenceQuestion(" ".join(str(asked["query"]).split()), evidence))
            yield EvidenceChat(turns, tuple(questions))
        except (KeyError, TypeError, ValueError) as error:
            raise InputFileError(f"{path}: a line is no chat with questions ({error!r})") from None


def _dialogues(path: Path, data: ChatData) -> Iterator[list[tuple[str, str]]]:
    for record in _lines(path):
        try:
            if data.sources and record["source"] not in data.sources:
                continue
            yield [(str(who), " ".join(str(text).split())) for who, text in record["turns"]]
        except (KeyError, TypeError, ValueError) as error:
            raise InputFileError(f"{path}: a line is no dialogue ({error!r})") from None


def _glued(path: Path, data: ChatData, rng: np.random.Generator) -> Iterator[EvidenceChat]:
    found = [dialogue for dialogue in _dialogues(path, data) if len({who for who, _ in dialogue}) == 2]
    order = rng.permutation(len(found))
    maker = QuestionMaker(text for i in order[:_LEARNED] for _, text in found[i])
    wanted = data.limit + data.limit // 10
    for begin in range(0, len(order) - data.dialogues + 1, data.dialogues):
        group = [found[i] for i in order[begin : begin + data.dialogues]]
        chat = _chat(group, data.kind, maker, rng)
        yield chat
        wanted -= len(chat.questions)
        if wanted < 0:
            return


def _chat(
    group: Sequence[Sequence[tuple[str, str]]], kind: ChatKind, maker: QuestionMaker, rng: np.random.Generator
) -> EvidenceChat:
    """Dialogues of two people, all with the same two names, so that who speaks tells no turn."""
    names = [FIRST_NAMES[i] for i in rng.choice(len(FIRST_NAMES), 2, replace=False)]
    turns: list[ChatTurn] = []
    questions: list[EvidenceQuestion] = []
    for dialogue in group:
        first = dialogue[0][0]
        swap = int(rng.random() < 0.5)
        if kind is ChatKind.MESSAGES:
            dialogue = _until_message(dialogue)
        begin = len(turns)
        for number, (who, text) in enumerate(dialogue):
            speaker, other = (names[i] for i in ((who != first) ^ swap, (who == first) ^ swap))
            if kind is ChatKind.QUESTIONS and rng.random() < _ASKED:
                before = dialogue[number - 1][1] if number else None
                asked = maker.ask(text, speaker=speaker, other=other, before=before, rng=rng)
                if asked is not None:
                    questions.append(EvidenceQuestion(asked, (len(turns),)))
            turns.append(ChatTurn(speaker, text))
        if kind is ChatKind.MESSAGES:
            questions += _messages(turns, begin)
            del turns[len(turns) - 1 :]  # the message itself is asked, not searched
    return EvidenceChat(tuple(turns), tuple(questions))


def _until_message(dialogue: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Without the good-byes after the last long turn."""
    long = [place for place, (_, text) in enumerate(dialogue) if len(text.split()) >= _MESSAGE]
    return dialogue[: long[-1] + 1] if long else dialogue


def _messages(turns: Sequence[ChatTurn], begin: int) -> list[EvidenceQuestion]:
    """The last words of a dialogue, and all turns well before them; mining finds which are alike."""
    last = len(turns) - 1
    evidence = tuple(i for i in range(begin, last - _APART) if len(turns[i].text.split()) >= _MESSAGE)
    is_long = len(turns[last].text.split()) >= _MESSAGE
    return [EvidenceQuestion(turns[last].text, evidence)] if evidence and is_long else []
