from __future__ import annotations

import numpy as np

from romaine.train.encoder.chat_files import ChatTurn, EvidenceChat, EvidenceQuestion
from romaine.train.encoder.mining import MinedQuestion, ask_memory, document, triplets

WORDS = (
    "lighthouse",
    "harbour",
    "storm",
    "captain",
    "silver",
    "cellar",
    "garden",
    "letter",
    "sister",
    "dragon",
)
CHAT = EvidenceChat(
    tuple(ChatTurn("Ann", f"I saw the {word} and the {WORDS[n - 1]}") for n, word in enumerate(WORDS)),
    (EvidenceQuestion("who saw the captain", (3,)), EvidenceQuestion("where is xyzzy", (9,))),
)


def test_a_document_is_the_turn_after_the_one_before_within_its_room() -> None:
    turns = [ChatTurn("Ann", "a" * 100), ChatTurn("Bob", "b" * 100)]
    assert document(turns, 0, 100) == "Ann: " + "a" * 100
    assert document(turns, 1, 100) == f"Ann: {'a' * 100}\nBob: {'b' * 100}"
    short = document(turns, 1, 20)
    before, text = short.split("\n")
    assert len(before) + len(text) == 80
    assert len(before) == 28
    assert text.startswith("Bob: ")


def test_the_memory_ranks_what_is_no_evidence_and_not_beside_it() -> None:
    asked = ask_memory([CHAT], seed=0)
    of_captain = [item for item in asked if "captain" in item.question]
    assert [item.positive for item in of_captain] == [3]
    assert not {1, 2, 3, 4, 5} & set(of_captain[0].candidates)
    assert of_captain[0].candidates


def test_negatives_are_the_hardest_for_the_model_where_it_is_asked() -> None:
    asked = [MinedQuestion(0, "q", 3, (0, 6, 7, 8, 9))]

    def score(questions: list[str], texts: list[list[str]]) -> list[np.ndarray]:
        assert questions == ["q"]
        return [np.array([1.0, *(("sister" in text) + ("dragon" in text) for text in texts[0][1:])])]

    rng = np.random.default_rng(0)
    [found] = triplets(asked, [CHAT], negatives=2, max_tokens=64, rng=rng, refresh=5, score=score)
    assert found.positive == document(CHAT.turns, 3, 64)
    # turn 9 names both, turn 0 the dragon
    assert found.negatives[0] == document(CHAT.turns, 9, 64)
    assert found.negatives[1] == document(CHAT.turns, 0, 64)


def test_few_candidates_repeat() -> None:
    rng = np.random.default_rng(0)
    [found] = triplets([MinedQuestion(0, "q", 3, (0,))], [CHAT], negatives=3, max_tokens=64, rng=rng)
    assert found.negatives == (document(CHAT.turns, 0, 64),) * 3
