"""Long chats between two people, glued together from dialogues, with questions about their turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from romaine.memory.terms import document_text
from romaine.train.corpus import DataSet, Dialogue, TextPool
from romaine.train.names import FIRST_NAMES
from romaine.train.questions import QuestionMaker

_ASKED = 0.5
"""Share of the turns that are asked about."""


@dataclass(frozen=True, eq=False)
class LongChat:
    """A chat and what is asked about it.

    Attributes:
        documents: ``name: text`` of each turn.
        texts: The pool's numbers of the texts of the turns, int64 (n,).
        questions: What is asked.
        answers: Index of the turn that answers each question, int64 (questions,).
    """

    documents: list[str]
    texts: NDArray[np.int64]
    questions: list[str]
    answers: NDArray[np.int64]


def long_chat(
    dialogues: Sequence[Dialogue],
    pool: Sequence[str],
    maker: QuestionMaker,
    dice: np.random.Generator,
    *,
    most: int,
) -> LongChat:
    """Gives dialogues the same two names, so that who speaks does not tell a turn, and asks about half of it.

    Args:
        dialogues: In the order they are glued together.
        pool: Texts by number.
        maker: Makes the questions.
        dice: Where chance comes from.
        most: The most questions.
    """
    first, second = (FIRST_NAMES[i] for i in dice.choice(len(FIRST_NAMES), 2, replace=False))
    documents: list[str] = []
    texts: list[int] = []
    asked: list[tuple[str, int]] = []
    for dialogue in dialogues:
        swap = dice.random() < 0.5
        before: str | None = None
        for number, is_second in zip(dialogue.texts, dialogue.second, strict=True):
            text = pool[number]
            speaker, other = (second, first) if is_second != swap else (first, second)
            if dice.random() < _ASKED:
                question = maker.ask(text, speaker=speaker, other=other, before=before, dice=dice)
                if question is not None:
                    asked.append((question, len(documents)))
            documents.append(document_text(text, speaker))
            texts.append(number)
            before = text
    if len(asked) > most:
        asked = [asked[i] for i in np.sort(dice.choice(len(asked), most, replace=False))]
    return LongChat(
        documents=documents,
        texts=np.asarray(texts, dtype=np.int64),
        questions=[question for question, _ in asked],
        answers=np.asarray([answer for _, answer in asked], dtype=np.int64),
    )


def question_pairs(found: DataSet, pool: TextPool, maker: QuestionMaker, dice: np.random.Generator) -> None:
    """Gives a set of dialogues pairs for contrastive tasks: a fixed question and the turn that answers it."""
    pairs = []
    for dialogue in found.dialogues:
        chat = long_chat([dialogue], pool.texts, maker, dice, most=len(dialogue.texts))
        for question, answer in zip(chat.questions, chat.answers, strict=True):
            pairs.append((pool.add(question), pool.add(chat.documents[answer]), -1))
    found.pairs = np.asarray(pairs, dtype=np.int64).reshape(-1, 3)
