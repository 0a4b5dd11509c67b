from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine import Embedder
from romaine.errors import OptionError
from romaine.evaluate.separation import (
    Separation,
    separation_of_pairs,
    separation_of_questions,
    separation_of_turns,
)
from romaine.evaluate.sts import ScoredPairs
from romaine.formats.locomo import Question, read_conversations
from romaine.memory.abstention import calibration_for

scores = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=12)


def separation(matching: list[float], other: list[float], **more: object) -> Separation:
    return Separation(title="t", score="s", matching=np.array(matching), other=np.array(other), **more)


@given(scores, scores)
def test_auc_counts_pairs_in_the_right_order(matching: list[float], other: list[float]) -> None:
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in itertools.product(matching, other)]
    assert separation(matching, other).auc == pytest.approx(np.mean(wins))


def test_a_threshold_tells_what_lies_below() -> None:
    found = separation([0.2, 0.6, 0.9, 1.0], [0.1, 0.3], threshold=0.3)
    assert found.below == (0.25, 0.5)
    assert found.to_json()["other_below"] == 0.5
    assert separation([1.0], [0.0]).below is None
    assert separation([1.0], [0.0]).to_json()["threshold"] is None


@pytest.mark.parametrize("bad", [[], [float("nan")], [float("inf")]])
def test_scores_are_needed(bad: list[float]) -> None:
    with pytest.raises(OptionError, match="other needs"):
        separation([1.0], bad)


def test_cosines_of_questions_and_turns(files: list[Path]) -> None:
    conversations = [each for file in files for each in read_conversations(file)]
    embedder = Embedder(dim=64)
    found = separation_of_turns(conversations, embedder)
    questions = [(chat, question) for chat in conversations for question in chat.questions]
    assert len(found.matching) == sum(len(question.evidence) for _, question in questions)
    assert len(found.matching) + len(found.other) == sum(len(chat.turns) for chat, _ in questions)
    chat, question = questions[0]
    turn = next(turn for turn in chat.turns if turn.source_id == question.evidence[0])
    answer = embedder.embed_documents([f"{turn.speaker}: {turn.text}"])[0]
    cosine = answer @ embedder.embed_query(question.text)
    assert np.isclose(found.matching, cosine, atol=1e-6).any()
    assert found.threshold in found.matching
    assert found.below is not None
    assert found.below[0] <= 0.5 < found.below[1]


def test_a_message_of_the_chat_is_compared_with_what_was_said_before(files: list[Path]) -> None:
    chat = read_conversations(files[0])[0]
    first, second = chat.turns[:2]
    message = Question(text=second.text, evidence=(str(first.source_id),), before=second.source_id)
    others = [question for question in chat.questions if question.before is None]
    found = separation_of_turns([replace(chat, questions=(message, *others))], Embedder(dim=64))
    plain = separation_of_turns([replace(chat, questions=tuple(others))], Embedder(dim=64))
    assert len(found.matching) == len(plain.matching) + 1
    assert len(found.other) == len(plain.other)


def test_questions_are_put_to_their_own_and_to_other_chats(files: list[Path]) -> None:
    conversations = [each for file in files for each in read_conversations(file)]
    found = separation_of_questions(conversations, Embedder())
    assert (len(found.matching), len(found.other)) == (6, 12)
    assert found.auc > 0.8
    assert found.threshold == calibration_for("little-gem").threshold
    assert bool(((found.matching >= 0) & (found.matching <= 1)).all())
    with pytest.raises(OptionError):
        separation_of_questions(conversations[:1], Embedder())


def test_pairs_are_parted_by_what_people_said() -> None:
    pairs = ScoredPairs(
        left=("A boat is moored.", "A dog runs.", "He reads."),
        right=("The boat is moored.", "Prices fell.", "She reads a book."),
        scores=np.array([4.9, 0.1, 3.0]),
    )
    found = separation_of_pairs(pairs, Embedder())
    assert (len(found.matching), len(found.other)) == (1, 1)
    assert found.auc == 1
    assert found.threshold == Embedder().card.duplicate_threshold
