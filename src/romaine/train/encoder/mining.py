"""Triplets from chats: what answers a question, and what only looks as if it did, of the same chat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from romaine.memory.memory import RoleplayMemory
from romaine.memory.records import Role, Scope
from romaine.memory.records import Turn as StoredTurn
from romaine.train.encoder.chat_files import ChatTurn, EvidenceChat

_SCOPE = Scope(user="training", chat="chat")
_DEPTH = 60  # turns the memory is asked for
_NEAR = 2  # turns beside the evidence that are no negatives: they often hold part of the answer
_POSITIVES = 2  # turns of evidence that are learned for one question
_CHARS = 4  # characters of a token, roughly
_PREVIOUS = 0.35  # share of a text that the turn before may take

Score = Callable[[Sequence[str], Sequence[Sequence[str]]], list[np.ndarray]]
"""Scores of each question's documents, higher for better."""


@dataclass(frozen=True)
class MinedQuestion:
    """One question of a chat, one turn that answers it, and turns that the memory ranks high and do not."""

    chat: int
    question: str
    positive: int
    candidates: tuple[int, ...]


@dataclass(frozen=True)
class Triplet:
    """Texts to learn from: a question, the turn that answers it, others of the same chat that do not."""

    question: str
    positive: str
    negatives: tuple[str, ...]


def document(turns: Sequence[ChatTurn], place: int, max_tokens: int) -> str:
    """A turn after the one before it, each cut so that the second fits into `max_tokens`.

    The newline stands between them and nowhere else.
    """
    room = max_tokens * _CHARS
    text = turns[place].document
    if not place:
        return text[:room]
    before = turns[place - 1].document[: int(room * _PREVIOUS)]
    return f"{before}\n{text[: room - len(before)]}"


def ask_memory(chats: Sequence[EvidenceChat], seed: int) -> list[MinedQuestion]:
    """Ranks each chat's turns for each of its questions as `RoleplayMemory` does with the bundled model.

    Of a question's evidence those turns are learned that the memory ranks first; a question none of whose
    evidence it finds is left out, as most of these are labelled wrongly.
    """
    asked = []
    for number, chat in enumerate(chats):
        with RoleplayMemory(":memory:") as memory:
            memory.add_turns(
                _SCOPE,
                [
                    StoredTurn(text=turn.text, speaker=turn.speaker, role=Role.USER, source_id=str(place))
                    for place, turn in enumerate(chat.turns)
                    if turn.text
                ],
            )
            for question in chat.questions:
                hits = memory.recall(question.text, _SCOPE, k=_DEPTH)
                ranked = [int(hit.memory.source_id or 0) for hit in hits]
                evidence = set(question.evidence)
                near = {place + by for place in evidence for by in range(-_NEAR, _NEAR + 1)}
                candidates = tuple(place for place in ranked if place not in near)
                asked += [
                    MinedQuestion(number, question.text, place, candidates)
                    for place in [place for place in ranked if place in evidence][:_POSITIVES]
                    if candidates
                ]
    order = np.random.default_rng((seed, 12)).permutation(len(asked))
    return [asked[i] for i in order]


def triplets(
    asked: Sequence[MinedQuestion],
    chats: Sequence[EvidenceChat],
    *,
    negatives: int,
    max_tokens: int,
    rng: np.random.Generator,
    refresh: int = 0,
    score: Score | None = None,
) -> list[Triplet]:
    """Texts of questions with so many negatives each.

    Negatives are drawn from the first of the candidates, or are the hardest for the model itself among
    `refresh` of them.

    Args:
        asked: Questions.
        chats: Those they are about.
        negatives: Of each question; candidates repeat where there are fewer.
        max_tokens: Length of a document.
        rng: Draws candidates.
        refresh: How many candidates are scored; 0 for none.
        score: The model, for `refresh`.
    """
    pools: list[list[int]] = []
    for item in asked:
        most = 2 * max(refresh, 2 * negatives)
        pool = list(item.candidates[:most])
        count = max(min(refresh or negatives, len(pool)), 1)
        # of twice as many, so that rounds differ and one wrong label does not stay
        pools.append([pool[i] for i in np.sort(rng.permutation(len(pool))[:count])])
    texts = [
        [document(chats[item.chat].turns, place, max_tokens) for place in (item.positive, *pool)]
        for item, pool in zip(asked, pools, strict=True)
    ]
    if refresh and score is not None:
        scores = score([item.question for item in asked], texts)
        texts = [
            [found[0], *(found[1 + i] for i in np.argsort(-values[1:], kind="stable"))]
            for found, values in zip(texts, scores, strict=True)
        ]
    return [
        Triplet(item.question, found[0], tuple(found[1 + i % (len(found) - 1)] for i in range(negatives)))
        for item, found in zip(asked, texts, strict=True)
    ]
