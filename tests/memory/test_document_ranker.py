"""Documents ranked as a memory ranks what it holds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine import DocumentRanker, Embedder, RoleplayMemory, Scope, Turn
from romaine.errors import OptionError, TextTypeError
from romaine.memory import Passage, WeightedRanker
from romaine.memory.document_ranker import score_texts

TEXTS = [
    "Mara keeps the silver key under the third step.",
    "The moon rose over the harbour.",
    "A key turned in a lock somewhere.",
    "Tomas repaired the old boat.",
    "The silver spoon was sold.",
]
QUERY = "Where is the silver key?"


def scores(texts, query=QUERY):
    embedder = Embedder()
    vectors = embedder.embed_documents(texts)
    return score_texts(query, texts, query_vector=embedder.embed_query(query), vectors=vectors)


def test_the_order_is_that_of_a_recall_of_the_same_texts():
    found = scores(TEXTS)
    scope = Scope(user="ana", character="Cassian")
    with RoleplayMemory(":memory:") as memory:
        for text in TEXTS:
            memory.add_fact(scope, text, importance=1.0)
        hits = memory.recall(QUERY, scope, k=len(TEXTS))
        parts = {hit.memory.text: hit.parts for hit in hits}
    assert [TEXTS[i] for i in np.argsort(-found)] == sorted(
        TEXTS, key=lambda text: -(sum(parts[text].values()) - parts[text].get("recency", 0.0))
    )


def test_no_texts_have_no_scores():
    assert scores([]).shape == (0,)


def test_many_texts_all_have_a_score():
    found = scores([f"note {i}" for i in range(3000)])
    assert found.shape == (3000,)
    assert np.isfinite(found).all()


NOW = datetime(2023, 8, 16, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def ranker() -> DocumentRanker:
    return DocumentRanker()


def test_passages_of_a_chat_are_ranked_as_a_recall_ranks_it(ranker: DocumentRanker) -> None:
    said = [
        ("Ana", "Where did you put the silver key?"),
        ("Cassian", "Under the third step."),
        ("Ana", "The soup is leek again."),
        ("Cassian", "Then I shall dine with Tomas."),
        ("Ana", "Did you sell the boat yesterday?"),
    ]
    times = [NOW + timedelta(days=n) for n in range(len(said))]
    before = [None, *(f"{speaker}: {text}" for speaker, text in said)]
    passages = [
        Passage(text, speaker, at, previous)
        for (speaker, text), at, previous in zip(said, times, before, strict=False)
    ]
    scope = Scope(user="ana", chat="tavern")
    # trees correct the order of turns of a chat, which documents are not
    with RoleplayMemory(":memory:", ranker=WeightedRanker()) as memory:
        memory.add_turns(
            scope,
            [
                Turn(text, speaker=speaker, role="character", at=at)
                for (speaker, text), at in zip(said, times, strict=True)
            ],
        )
        for query in ("Where is the key?", "What did Cassian say yesterday?", "When does Tomas dine?"):
            hits = memory.recall(query, scope, k=9)
            found = ranker.rank(query, passages)
            assert [said[each.index][1] for each in found] == [hit.memory.text for hit in hits]
            # a turn's importance is not that of a document
            expected = [hit.score - hit.parts.get("importance", 0.0) for hit in hits]
            assert [each.score for each in found] == pytest.approx(expected, abs=1e-5)


def test_what_stood_before_counts_though_it_is_not_among_the_documents(ranker: DocumentRanker) -> None:
    alone, answer = Passage("Yes, I do."), Passage("Yes, I do.", previous="Ana: Do you have the silver key?")
    found = ranker.rank("Who has the silver key?", [alone, answer, "The soup is leek again."])
    assert found[0].index == 1
    assert {"answer", "context"} <= found[0].parts.keys()
    assert len(found) == 3


def test_a_time_in_the_query_finds_documents_of_that_time(ranker: DocumentRanker) -> None:
    passages = [Passage("We walked to the lake.", at=NOW - timedelta(days=n)) for n in range(20)]
    found = ranker.rank("Where did we walk on August 9?", [*passages, "We walked to the lake."])
    assert found[0].index == 7
    assert found[0].parts["time"] > 0


def test_ties_keep_their_order_and_scores_descend(ranker: DocumentRanker) -> None:
    found = ranker.rank("key", ["The moon.", "A key.", "A key.", "The moon.", ""])
    assert [each.index for each in found] == [1, 2, 0, 3, 4]
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.builds(
            Passage,
            st.sampled_from(["key", "The key?", "", " ", "moon and key", "Ana: key"]),
            st.none() | st.just("Ana"),
            st.none() | st.just(NOW),
            st.sampled_from([None, "key", "Ana: key", "else?"]),
        ),
        max_size=8,
    ),
    st.none() | st.integers(0, 9),
)
def test_each_document_comes_once_and_its_parts_add_up(passages: list[Passage], k: int | None) -> None:
    found = _SHARED.rank("Where is the key of Ana, yesterday?", passages, k=k)
    assert len({each.index for each in found}) == len(found) == min(len(passages), 99 if k is None else k)
    for each in found:
        assert sum(each.parts.values()) == pytest.approx(each.score, abs=1e-9)
    blank = [not passages[each.index].text.strip() for each in found]
    assert blank == sorted(blank)


_SHARED = DocumentRanker()


def test_long_and_empty_documents_are_ranked(ranker: DocumentRanker) -> None:
    assert ranker.rank("key", []) == []
    assert ranker.rank("", ["", ""])[0].index == 0
    long = "The harbour is foggy again. " * 40_000
    assert ranker.rank("Where is the key?", [long, "The key is here."])[0].index == 1


def test_metadata_that_says_something_else_is_as_if_it_were_not_there() -> None:
    assert Passage.from_metadata("a", {"speaker": 3, "created_at": "soon", "previous": []}) == Passage("a")
    whole = {"who": "Ana", "created_at": "2023-08-16T00:00:00Z", "previous": "b"}
    assert Passage.from_metadata("a", whole, speaker="who") == Passage("a", "Ana", NOW, "b")
    assert Passage.from_metadata("a", whole, speaker=None, at=None, previous=None) == Passage("a")


def test_what_is_no_document_is_refused(ranker: DocumentRanker) -> None:
    with pytest.raises(TextTypeError, match="sequence of str or Passage, got str"):
        ranker.rank("key", "a text")
    with pytest.raises(TextTypeError, match=r"documents\[1\] is int"):
        ranker.rank("key", ["a", 3])  # type: ignore[list-item]
    with pytest.raises(OptionError, match="k=-1"):
        ranker.rank("key", ["a"], k=-1)
    with pytest.raises(OptionError, match="which has no"):
        DocumentRanker("little-gem")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="analyzer=3"):
        DocumentRanker(analyzer=3)  # type: ignore[arg-type]
