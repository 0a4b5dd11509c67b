from __future__ import annotations

from functools import cache

import numpy as np

from romaine.train.chats import FIRST_NAMES, long_chat
from romaine.train.corpus import Dialogue
from romaine.train.questions import QuestionMaker

TURNS = [
    "I painted the old lighthouse in Cornwall because my sister loves storms.",
    "We adopted three kittens last Monday and named them after rivers.",
    "You told me about your violin lessons, I remember the blue case.",
    "Yesterday I sold my grandmother's silver candlestick to a collector.",
    "ok",
]


@cache
def maker():
    return QuestionMaker([*TURNS, *(f"so here is text {i} of many" for i in range(5000))])


def asked(seed, text=TURNS[0], before=None):
    return maker().ask(text, speaker="Mira", other="Tobin", before=before, rng=np.random.default_rng(seed))


def test_questions_keep_some_words_of_the_turn():
    questions = [question for seed in range(60) if (question := asked(seed))]
    rare = {"painted", "lighthouse", "cornwall", "sister", "storms", "loves"}
    assert len(questions) > 40
    assert len(set(questions)) > 30
    assert sum("Mira" in question for question in questions) > len(questions) / 2
    keeping = [question for question in questions if rare & set(question.lower().strip("?").split())]
    assert len(keeping) > 0.8 * len(questions)


def test_chance_is_that_of_the_generator():
    assert [asked(seed) for seed in range(20)] == [asked(seed) for seed in range(20)]


def test_what_is_asked_for_is_not_told():
    for seed in range(80):
        question = asked(seed, TURNS[1])
        if question and question.startswith(("When did", "How long ago", "What day")):
            assert not {"monday", "last"} & set(question.lower().split())


def test_pronouns_become_people():
    questions = [question for seed in range(300) if (question := asked(seed, TURNS[2]))]
    assert any("Tobin" in question for question in questions)


def test_there_is_nothing_to_ask_about_an_ok():
    assert all(asked(seed, "ok, sure, thanks a lot!") is None for seed in range(20))


def test_a_long_chat_has_two_names_and_answers_in_place():
    dialogues = [Dialogue((0, 1, 2), (False, True, False)), Dialogue((3, 4), (False, True))]
    rng = np.random.default_rng(3)
    chats = [long_chat(dialogues, TURNS, maker(), rng, most=50) for _ in range(20)]
    for chat in chats:
        names = {document.partition(": ")[0] for document in chat.documents}
        assert len(names) == 2
        assert names <= set(FIRST_NAMES)
        assert [document.partition(": ")[2] for document in chat.documents] == TURNS
        assert len(chat.questions) == len(chat.answers)
        assert 4 not in chat.answers
    assert max(len(chat.questions) for chat in chats) > 1
    assert all(len(long_chat(dialogues, TURNS, maker(), rng, most=1).questions) <= 1 for _ in range(9))
