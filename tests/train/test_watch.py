from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from romaine.arrays import l2_normalize
from romaine.errors import VectorError
from romaine.evaluate.sts import ScoredPairs
from romaine.text.ragged import Ragged
from romaine.train.watch import Observer, Reading, SearchSet, embed, is_better, uniformity


class Words:
    """A tokenizer of numbers."""

    def encode(self, texts, *, add_special_tokens):
        return Ragged.from_lists([[int(word) for word in text.split()] for text in texts])


PAIRS = ScoredPairs(left=("0", "1", "2"), right=("0", "1 0", "3"), scores=np.array([5.0, 3.0, 0.0]))
SEARCH = SearchSet(
    "chat",
    True,
    Ragged.from_lists([[0], [1], [2], [3]]),
    Ragged.from_lists([[0], [1, 1, 0], [3]]),
    np.array([0, 1, 2]),
)


def observer(*, sts=PAIRS, sets=(SEARCH,), cutoff=1):
    return Observer(sets, sts, tokenizer=Words(), dims=(2, 4), cutoff=cutoff)


def table():
    return np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32)


def test_every_figure_at_every_dimension():
    reading = observer().read(np.eye(4, dtype=np.float32), None, step=3, loss=0.5)
    assert reading.step == 3
    figures = (reading.sts, reading.recall, reading.alignment, reading.uniformity)
    assert all(list(by_dim) == ["4", "2"] for by_dim in figures)
    assert reading.sts["4"] == 1
    assert reading.recall["4"] == pytest.approx(2 / 3)  # the third answer is a wrong one
    assert reading.recall_by_set == {"chat": reading.recall}
    assert reading.alignment["4"] == pytest.approx((0 + 2 - 2 * 2 / np.sqrt(5) + 2) / 3, abs=1e-5)
    assert reading.uniformity["4"] == pytest.approx(-4)  # orthogonal vectors: squared distance 2
    assert Reading(**json.loads(json.dumps(asdict(reading)))) == reading


def test_chats_decide_where_there_are_any():
    others = SearchSet("pairs", False, SEARCH.documents, SEARCH.questions, np.array([0, 1, 3]))
    table = np.eye(4, dtype=np.float32)
    both = observer(sets=(SEARCH, others)).read(table, None, step=0, loss=None)
    assert both.recall == both.recall_by_set["chat"]
    assert both.recall_by_set["pairs"]["4"] == 1
    assert observer(sets=(others,)).read(table, None, step=0, loss=None).recall["4"] == 1


def test_without_anything_to_measure_nothing_is():
    reading = observer(sts=None, sets=()).read(table(), None, step=0, loss=None)
    assert (reading.sts, reading.recall) == ({}, {})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_table_that_is_not_finite_stops_the_run(value):
    broken = table()
    broken[2, 1] = value
    with pytest.raises(VectorError, match="diverged at step 7"):
        observer().read(broken, None, step=7, loss=0.1)
    with pytest.raises(VectorError, match="diverged"):
        observer().read(table(), None, step=7, loss=float(value))


def test_a_figure_that_is_not_a_number_stops_the_run():
    collapsed = np.ones((4, 4), dtype=np.float32)
    with pytest.raises(VectorError, match="sts at 4 dims is nan"):
        observer().read(collapsed, None, step=7, loss=0.1)


def reading(step, sts, recall):
    return Reading(step=step, loss=None, sts={"4": sts}, recall={"4": recall})


def test_the_best_has_the_highest_recall_above_the_floor():
    below, above = reading(1, 0.5, 0.9), reading(2, 0.7, 0.3)
    assert is_better(below, None, floor=0.6)
    assert is_better(above, below, floor=0.6)
    assert not is_better(below, above, floor=0.6)
    assert is_better(reading(3, 0.6, 0.4), above, floor=0.6)
    assert not is_better(reading(3, 0.9, 0.2), above, floor=0.6)
    assert is_better(reading(3, 0.6, 0.3), above, floor=0.6)  # of equals the latest
    assert is_better(reading(3, 0.55, 0.1), below, floor=0.6)  # nearer to the floor
    assert is_better(replace(above, recall={}), replace(above, recall={}), floor=0.6)


def test_uniformity_is_the_formula():
    vectors = l2_normalize(table())
    distances = [((vectors[i] - vectors[j]) ** 2).sum() for i in range(4) for j in range(i + 1, 4)]
    assert uniformity(vectors) == pytest.approx(np.log(np.mean(np.exp(-2 * np.array(distances)))), rel=1e-5)
    assert uniformity(vectors[:1]) == 0


def test_a_text_without_tokens_is_zero():
    vectors = embed(table(), None, Ragged.from_lists([[], [1, 2]]))
    np.testing.assert_array_equal(vectors[0], 0)
    np.testing.assert_allclose(vectors[1], table()[[1, 2]].mean(axis=0), rtol=1e-5)
