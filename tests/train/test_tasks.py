from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from romaine.errors import OptionError
from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer
from romaine.train.batches import Rounds
from romaine.train.corpus import Corpus, DataSet, Dialogue, TextPool
from romaine.train.losses import Matryoshka
from romaine.train.objectives import Chat, Contrastive, Relational, Scored, ScoreForm
from romaine.train.panel import assemble
from romaine.train.questions import QuestionMaker
from romaine.train.surroundings import Surroundings, alike
from romaine.train.tasks import worker
from romaine.train.teacher import ModelTeacher, Side
from tests.train.conftest import THINGS
from tests.train.test_panel import silent

KEY = (0, 0, 0)


@pytest.fixture(scope="module")
def around(small_teacher_folder):
    teacher = ModelTeacher(small_teacher_folder, threads=1)
    pool = TextPool()
    numbers = np.array([pool.add(f"{a} and {b} {i}") for i, (a, b) in enumerate(itertools.pairwise(THINGS))])
    chat = [Dialogue(tuple(numbers[i : i + 4].tolist()), (False, True, False, True)) for i in (0, 4, 8)]
    pairs = np.array([(0, 1, 9), (2, 1, -1), (3, 4, -1), (5, 6, -1)])
    found = DataSet(
        texts=numbers,
        pairs=pairs,
        scored=np.array([(0, 1), (2, 3), (4, 5)]),
        scores=np.array([5, 2.5, 0], dtype=np.float32),
        dialogues=chat,
    )
    tokenizer = Tokenizer(teacher.vocabulary())
    panel = assemble(
        [(teacher, 1.0)],
        pool.texts,
        {Side.QUERY: numbers, Side.DOCUMENT: numbers},
        cache=None,
        device="cpu",
        progress=silent,
        seed=0,
    )
    return Surroundings(
        corpus=Corpus(pool=pool, sets={"x": found}, files={}),
        tokens=tokenizer.encode(pool.texts, add_special_tokens=False),
        tokenizer=tokenizer,
        panel=panel,
        maker=QuestionMaker([*pool.texts, *(f"so here is text {i} of many" for i in range(5000))]),
        slices=Matryoshka((4, 8), (1.0, 1.0)),
        max_tokens=32,
        device="cpu",
    )


def texts_of(draw, around):
    by_tokens = {tuple(ids): number for number, ids in enumerate(around.tokens.to_lists())}
    return [by_tokens.get(tuple(ids)) for ids in draw.tokens.to_lists()]


def vectors_for(tokens: Ragged, dim=8):
    table = torch.from_numpy(np.random.default_rng(0).standard_normal((200, dim)).astype(np.float32))
    rows = [table[torch.from_numpy(np.asarray(ids, dtype=np.int64))].mean(0) for ids in tokens.to_lists()]
    return torch.stack(rows).requires_grad_(True)


@pytest.mark.parametrize(
    "task",
    [
        Relational(data=("x",), batch=6, clustered=0.5),
        Contrastive(data=("x",), batch=4, negatives=1, distil=0.5, both_ways=True),
        Contrastive(data=("x",), batch=4, margin=3.0, share={"x": 1.0}),
        Chat(data=("x",), chats=1, dialogues=3),
        Chat(data=("x",), chats=3, dialogues=1, across=True, same=0.9),
        *(Scored(data=("x",), batch=3, form=form) for form in ScoreForm),
    ],
    ids=repr,
)
def test_a_step_is_a_function_of_the_step_and_its_loss_has_a_gradient(around, task):
    one, again = worker(task, around, KEY), worker(task, around, KEY)
    for step in (5, 0):
        first, second = one.draw(step), again.draw(step)
        assert first.tokens.to_lists() == second.tokens.to_lists()
        vectors = vectors_for(first.tokens)
        loss = first.loss(vectors)
        loss.backward()
        assert torch.isfinite(loss.detach())
        assert torch.isfinite(vectors.grad).all()
        assert second.loss(vectors_for(second.tokens)).item() == loss.item()


def test_a_triplets_own_negative_is_among_the_documents(around):
    draw = worker(Contrastive(data=("x",), batch=4, margin=3.0), around, KEY).draw(0)
    queries, documents = texts_of(draw, around)[:4], texts_of(draw, around)[4:]
    assert sorted(queries) == [0, 2, 3, 5]
    assert sorted(documents) == [1, 4, 6, 9]  # one document answers two queries, and stands there once


def test_mined_negatives_join_them(around):
    draw = worker(Contrastive(data=("x",), batch=4, negatives=1, margin=-2.0), around, KEY).draw(0)
    assert set(texts_of(draw, around)[4:]) >= {1, 4, 6, 9}


def test_above_two_the_margin_leaves_nothing_out(around):
    def drawn(batch, **options):
        task = Contrastive(data=("x",), batch=batch, margin=3.0, alike=2.0, **options)
        draw = worker(task, around, KEY).draw(0)
        return len(draw.tokens), draw.loss(vectors_for(draw.tokens)).item()

    # the teachers are asked for other reasons than to filter, and all documents are in the batch anyway
    assert drawn(4, negatives=3) == drawn(4)
    (count, loss), (more, harder) = drawn(2), drawn(2, negatives=3)
    assert more > count
    assert harder > loss > 0


def test_one_text_has_nothing_to_be_compared_with(around):
    alone = replace(around.corpus.sets["x"], texts=around.corpus.sets["x"].texts[:1])
    corpus = replace(around.corpus, sets={"x": alone})
    with pytest.raises(OptionError, match="has one text"):
        worker(Relational(data=("x",)), replace(around, corpus=corpus), KEY)


def test_documents_that_are_the_same_are_no_negatives():
    queries = torch.tensor([[1.0, 0], [1, 0.001], [0, 1]])
    documents = torch.tensor([[1.0, 0], [0, 1], [1, 0.01]])
    where = torch.tensor([0, 1, 2])
    assert alike(queries, documents, where, 0.95, queries_too=False).tolist() == [
        [True, False, True],
        [False, True, False],
        [True, False, True],
    ]
    # the first two queries are the same, so what answers one is no negative of the other
    assert alike(queries, documents, where, 0.95).tolist()[0] == [True, True, True]


def test_turns_of_other_chats_are_left_out_unless_wanted(around):
    def loss(across):
        draw = worker(Chat(data=("x",), chats=3, dialogues=1, across=across, alike=2.0), around, KEY).draw(1)
        return draw.loss(vectors_for(draw.tokens)).item()

    assert loss(False) < loss(True)


def test_every_item_once_a_round():
    rounds = Rounds(10, 4, (0,))
    seen = np.concatenate([rounds.at(step) for step in range(5)])
    assert sorted(seen.tolist()) == sorted([*range(10), *range(10)])
    again = Rounds(10, 4, (0,))
    np.testing.assert_array_equal(again.at(3), rounds.at(3))
    np.testing.assert_array_equal(again.at(0), seen[:4])
    assert len(Rounds(3, 8, (0,)).at(1)) == 3
    with pytest.raises(OptionError, match="no data left"):
        Rounds(0, 4, (0,))
