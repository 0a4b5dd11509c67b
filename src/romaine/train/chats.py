"""Long chats between two people, glued together from dialogues, with questions about their turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from romaine.memory.terms import document_text
from romaine.train.corpus import DataSet, Dialogue, TextPool
from romaine.train.questions import QuestionMaker

_ASKED = 0.5
"""Share of the turns that are asked about."""

_NAMES = """
Aaron Abby Adam Adrian Agnes Alan Albert Alex Alice Alison Amanda Amber Amy Andrea Andrew Angela
Anita Ann Anna Anthony Arthur Ashley Audrey Barbara Beatrice Ben Bella Bernard Beth Betty Bill Bob
Brandon Brenda Brian Bruce Carl Carla Carlos Carol Cathy Charles Charlie Charlotte Cheryl Chloe
Chris Christine Claire Clara Colin Connor Craig Crystal Cynthia Daisy Dan Daniel David Dawn Dean
Deborah Dennis Derek Diana Diane Donald Donna Doris Dorothy Doug Dylan Edgar Edith Edward Eileen
Elaine Eleanor Elena Elizabeth Ellen Emily Emma Eric Erica Ethan Eva Evelyn Felix Fiona Frances
Frank Fred Gail Gary George Gerald Gina Gloria Gordon Grace Graham Greg Hannah Harold Harry Harvey
Hazel Heather Helen Henry Holly Howard Hugh Ian Irene Isaac Isabel Ivan Jack Jacob Jake James Jamie
Jane Janet Jason Jay Jean Jeff Jennifer Jeremy Jerry Jessica Jill Jim Jo Joan Joe John Jonathan
Jordan Joseph Joshua Joyce Juan Judy Julia Julie June Justin Karen Kate Katherine Kathleen Keith
Kelly Ken Kevin Kim Kyle Larry Laura Lauren Lee Leo Leon Leonard Lewis Lily Linda Lisa Liz Logan
Louis Louise Lucas Lucy Luke Lydia Lynn Maggie Marco Margaret Maria Marie Marilyn Mark Martha Martin
Mary Mason Matt Matthew Maureen Max Megan Melissa Michael Michelle Mike Miles Molly Monica Nancy
Naomi Natalie Nathan Neil Nicholas Nicole Nina Noah Nora Norman Oliver Olivia Oscar Owen Pam
Patricia Patrick Paul Paula Peggy Penny Peter Phil Philip Phoebe Rachel Ralph Ray Rebecca Rita
Robert Robin Roger Ron Rosa Rose Roy Russell Ruth Ryan Sally Sam Samantha Samuel Sandra Sara Sarah
Scott Sean Sharon Sheila Shirley Simon Sofia Sophie Stella Stephen Steve Stuart Sue Susan Sylvia
Tara Ted Teresa Terry Thomas Tim Tina Todd Tom Tony Tracy Tyler Valerie Vanessa Vera Veronica Victor
Vincent Virginia Walter Wayne Wendy William Zach Zoe
"""

FIRST_NAMES = tuple(_NAMES.split())
"""Common English first names."""


@dataclass(frozen=True, eq=False)
class LongChat:
    """``name: text`` of each turn, questions, and the index of the turn that answers each, int64 (n,)."""

    documents: list[str]
    questions: list[str]
    answers: NDArray[np.int64]


def long_chat(
    dialogues: Sequence[Dialogue],
    pool: Sequence[str],
    maker: QuestionMaker,
    rng: np.random.Generator,
    *,
    most: int,
) -> LongChat:
    """Glues dialogues together and asks `most` questions at most, about half of the turns.

    All get the same two names, so that who speaks does not tell a turn. `pool` has the texts by id.
    """
    first, second = (FIRST_NAMES[i] for i in rng.choice(len(FIRST_NAMES), 2, replace=False))
    documents: list[str] = []
    asked: list[tuple[str, int]] = []
    for dialogue in dialogues:
        swap = rng.random() < 0.5
        before: str | None = None
        for text_id, is_second in zip(dialogue.texts, dialogue.second, strict=True):
            text = pool[text_id]
            speaker, other = (second, first) if is_second != swap else (first, second)
            if rng.random() < _ASKED:
                question = maker.ask(text, speaker=speaker, other=other, before=before, rng=rng)
                if question is not None:
                    asked.append((question, len(documents)))
            documents.append(document_text(text, speaker))
            before = text
    if len(asked) > most:
        asked = [asked[i] for i in np.sort(rng.choice(len(asked), most, replace=False))]
    return LongChat(
        documents=documents,
        questions=[question for question, _ in asked],
        answers=np.asarray([answer for _, answer in asked], dtype=np.int64),
    )


def add_question_pairs(
    dialogues: DataSet, pool: TextPool, maker: QuestionMaker, rng: np.random.Generator
) -> None:
    """Gives a set of dialogues pairs for contrastive tasks: a fixed question and the turn that answers it."""
    pairs = []
    for dialogue in dialogues.dialogues:
        chat = long_chat([dialogue], pool.texts, maker, rng, most=len(dialogue.texts))
        for question, answer in zip(chat.questions, chat.answers, strict=True):
            pairs.append((pool.add(question), pool.add(chat.documents[answer]), -1))
    dialogues.pairs = np.asarray(pairs, dtype=np.int64).reshape(-1, 3)
