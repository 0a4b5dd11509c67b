from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from romaine.errors import OptionError
from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer
from romaine.train import tasks
from romaine.train.context import Context, Epochs
from romaine.train.corpus import Corpus, DataSet, Dialogue, TextPool
from romaine.train.losses import Matryoshka
from romaine.train.objectives import ChatTask, ContrastiveTask, RelationalTask, ScoredTask, ScoreForm
from romaine.train.panel import assemble
from romaine.train.questions import QuestionMaker
from romaine.train.tasks import alike, sampler_for
from romaine.train.teacher import ModelTeacher, Side
from tests.train.conftest import THINGS
from tests.train.test_panel import silent

KEY = (0, 0, 0)


@pytest.fixture(scope="module")
def context(small_teacher_folder, tmp_path_factory):
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
        cache=tmp_path_factory.mktemp("cache"),
        device="cpu",
        progress=silent,
        seed=0,
    )
    return Context(
        corpus=Corpus(pool=pool, sets={"x": found}, files={}),
        tokens=tokenizer.encode(pool.texts, add_special_tokens=False),
        tokenizer=tokenizer,
        panel=panel,
        maker=QuestionMaker([*pool.texts, *(f"so here is text {i} of many" for i in range(5000))]),
        slices=Matryoshka((4, 8), (1.0, 1.0)),
        max_tokens=32,
        device="cpu",
    )


def texts_of(batch, context):
    by_tokens = {tuple(ids): number for number, ids in enumerate(context.tokens.to_lists())}
    return [by_tokens.get(tuple(ids)) for ids in batch.tokens.to_lists()]


def vectors_for(tokens: Ragged, dim=8):
    table = torch.from_numpy(np.random.default_rng(0).standard_normal((200, dim)).astype(np.float32))
    rows = [table[torch.from_numpy(np.asarray(ids, dtype=np.int64))].mean(0) for ids in tokens.to_lists()]
    return torch.stack(rows).requires_grad_(True)


@pytest.mark.parametrize(
    "task",
    [
        RelationalTask(data=("x",), batch=6),
        ContrastiveTask(data=("x",), batch=4, negatives=1, both_ways=True),
        ContrastiveTask(data=("x",), batch=4, margin=3.0),
        ChatTask(data=("x",), dialogues=3),
        *(ScoredTask(data=("x",), batch=3, form=form) for form in ScoreForm),
    ],
    ids=repr,
)
def test_a_step_is_a_function_of_the_step_and_its_loss_has_a_gradient(context, task):
    one, again = sampler_for(task, context, KEY), sampler_for(task, context, KEY)
    for step in (5, 0):
        first, second = one.batch(step), again.batch(step)
        assert first.tokens.to_lists() == second.tokens.to_lists()
        vectors = vectors_for(first.tokens)
        loss = first.loss(vectors)
        loss.backward()
        assert torch.isfinite(loss.detach())
        assert torch.isfinite(vectors.grad).all()
        assert second.loss(vectors_for(second.tokens)).item() == loss.item()


def test_a_triplets_own_negative_is_among_the_documents(context):
    batch = sampler_for(ContrastiveTask(data=("x",), batch=4, margin=3.0), context, KEY).batch(0)
    queries, documents = texts_of(batch, context)[:4], texts_of(batch, context)[4:]
    assert sorted(queries) == [0, 2, 3, 5]
    assert sorted(documents) == [1, 4, 6, 9]  # one document answers two queries, and stands there once


def test_mined_negatives_join_them(context):
    task = ContrastiveTask(data=("x",), batch=4, negatives=1, margin=-2.0)
    batch = sampler_for(task, context, KEY).batch(0)
    assert set(texts_of(batch, context)[4:]) >= {1, 4, 6, 9}


def test_above_two_the_margin_leaves_nothing_out(context, monkeypatch):
    monkeypatch.setattr(tasks, "_ALIKE", 2.0)

    def drawn(size, **options):
        task = ContrastiveTask(data=("x",), batch=size, margin=3.0, **options)
        batch = sampler_for(task, context, KEY).batch(0)
        return len(batch.tokens), batch.loss(vectors_for(batch.tokens)).item()

    # the teachers are asked for other reasons than to filter, and all documents are in the batch anyway
    assert drawn(4, negatives=3) == drawn(4)
    (count, loss), (more, harder) = drawn(2), drawn(2, negatives=3)
    assert more > count
    assert harder > loss > 0


def test_one_text_has_nothing_to_be_compared_with(context):
    alone = replace(context.corpus.sets["x"], texts=context.corpus.sets["x"].texts[:1])
    corpus = replace(context.corpus, sets={"x": alone})
    with pytest.raises(OptionError, match="has one text"):
        sampler_for(RelationalTask(data=("x",)), replace(context, corpus=corpus), KEY)


def test_documents_that_are_the_same_are_no_negatives():
    queries = torch.tensor([[1.0, 0], [1, 0.001], [0, 1]])
    documents = torch.tensor([[1.0, 0], [0, 1], [1, 0.01]])
    where = torch.tensor([0, 1, 2])
    assert alike(documents, where).tolist() == [
        [True, False, True],
        [False, True, False],
        [True, False, True],
    ]
    # the first two queries are the same, so what answers one is no negative of the other
    assert alike(documents, where, queries=queries).tolist()[0] == [True, True, True]


def test_every_item_once_an_epoch():
    epochs = Epochs(10, 4, (0,))
    seen = np.concatenate([epochs.at(step) for step in range(5)])
    assert sorted(seen.tolist()) == sorted([*range(10), *range(10)])
    again = Epochs(10, 4, (0,))
    np.testing.assert_array_equal(again.at(3), epochs.at(3))
    np.testing.assert_array_equal(again.at(0), seen[:4])
    assert len(Epochs(3, 8, (0,)).at(1)) == 3
    with pytest.raises(OptionError, match="no data left"):
        Epochs(0, 4, (0,))
