from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from romaine import Embedder
from romaine.errors import OptionError
from romaine.evaluate.trials import gather, pieces_of
from romaine.formats.locomo import Conversation, Question, Session, read_conversation
from romaine.memory.abstention import FEATURES
from romaine.memory.records import Turn


def test_every_question_is_put_to_every_conversation(files: list[Path]) -> None:
    gathered = gather([read_conversation(file) for file in files], Embedder())
    assert len(gathered.recall) == 18
    assert gathered.answerable.sum() == 6
    assert not gathered.recall[~gathered.answerable].any()


def test_a_message_of_the_chat_is_not_put_to_it(files: list[Path]) -> None:
    chats = [read_conversation(file) for file in files]
    first = chats[0]
    said = first.turns[2]
    message = Question(text=said.text, evidence=(str(first.turns[0].source_id),), before=said.source_id)
    with_message = [replace(first, questions=(*first.questions, message)), *chats[1:]]
    assert len(gather(with_message, Embedder()).recall) == len(gather(chats, Embedder()).recall)


def test_a_question_is_not_put_to_another_chat_that_holds_its_answer(files: list[Path]) -> None:
    chats = [read_conversation(file) for file in files]
    asked = gather([*chats, replace(chats[0], name="the same again")], Embedder())
    assert not ((asked.asked_in == 0) & (asked.asked_about == len(chats))).any()
    assert ((asked.asked_in == 1) & (asked.asked_about == len(chats))).any()


def test_half_of_the_questions_of_other_chats_are_about_strangers() -> None:
    def chat(name: str) -> Conversation:
        turns = tuple(
            Turn(f"{name}, number {number}.", speaker="Bruno Vega", role="user", source_id=str(number))
            for number in range(3)
        )
        asked = tuple(
            Question(text=f"What has Bruno to do with {n} and the sea?", evidence=("1",)) for n in range(40)
        )
        session = Session(number=1, at=None, turns=turns)
        return Conversation(
            name=name, speakers=("Bruno Vega",), sessions=(session,), questions=asked, skipped=()
        )

    trials = gather([chat("Ship"), chat("Harbour")], Embedder())
    named = trials.evidence[:, FEATURES.index("named")]
    assert (named[trials.answerable] == 1).all()
    about_bruno = (named[~trials.answerable] == 1).mean()
    assert 0.3 < about_bruno < 0.7
    assert set(named[~trials.answerable]) == {1, -1}


def counted(turns: int, questions: tuple[Question, ...] = ()) -> Conversation:
    said = tuple(
        Turn(f"The lantern of night {number} is dark.", speaker=f"Guard {number}", role="character")
        for number in range(turns)
    )
    said = tuple(replace(turn, source_id=str(number)) for number, turn in enumerate(said))
    return Conversation(
        name="watch",
        speakers=tuple(turn.speaker for turn in said),
        sessions=(Session(number=1, at=None, turns=said),),
        questions=questions,
        skipped=(),
    )


@pytest.mark.parametrize(("turns", "recalled"), [(10, 1 / 2), (11, 1.0)])
def test_in_a_small_chat_only_the_first_tenth_counts_as_found(turns: int, recalled: float) -> None:
    asked = Question(text="Somebody painted the copper kettle red.", evidence=("4", "6"))
    said = counted(turns)
    found = [
        turn if turn.source_id not in asked.evidence else replace(turn, text=asked.text)
        for turn in said.turns
    ]
    chat = replace(said, sessions=(Session(number=1, at=None, turns=tuple(found)),), questions=(asked,))
    assert gather([chat], Embedder()).recall.tolist() == [recalled]


def test_pieces_have_the_questions_that_they_answer() -> None:
    asked = [Question(text="?", evidence=evidence) for evidence in (("0",), ("4", "5"), ("9", "10"), ("23",))]
    pieces = list(pieces_of(counted(24, tuple(asked)), 10))
    assert [len(piece.turns) for piece in pieces] == [12, 12]
    assert [piece.questions for piece in pieces] == [tuple(asked[:3]), (asked[3],)]
    assert pieces[1].speakers[0] == "Guard 12"


def test_a_piece_of_which_nothing_is_asked_is_none() -> None:
    pieces = list(pieces_of(counted(20, (Question(text="?", evidence=("3",)),)), 5))
    assert [piece.turns[0].source_id for piece in pieces] == ["0"]


def test_a_chat_that_is_short_enough_is_one_piece() -> None:
    chat = counted(4, (Question(text="?", evidence=("3",)),))
    assert [piece.turns for piece in pieces_of(chat, 40)] == [chat.turns]


def test_pieces_of_one_turn_are_refused() -> None:
    with pytest.raises(OptionError, match="1 turns are too small"):
        list(pieces_of(counted(4), 1))
