from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from romaine.text.ragged import Ragged
from romaine.train.objectives import RelationalTask
from romaine.train.packing import Packer
from romaine.train.recipe import Phase
from romaine.train.student import Student

PHASE = Phase(name="p", steps=10, tasks=(RelationalTask(data=("x",)),))
TOKENS = Ragged.from_lists([[1, 2, 2], [], [3]])


def table():
    return np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)


def started(phase=PHASE, *, dyt=False, packs=False):
    student = Student(table(), dyt=dyt, device="cpu")
    student.begin(phase)
    if packs:
        student.packer = Packer(4, "cpu")
        student.packer.fit(torch.from_numpy(table()))
    return student


def moved(student, steps=3):
    for _ in range(steps):
        student.step(student.forward(TOKENS).square().sum(), 0.1)
    return student


def test_a_text_is_the_mean_of_its_rows():
    rows = table()
    vectors = started().forward(TOKENS).detach().numpy()
    np.testing.assert_allclose(vectors[0], (rows[1] + 2 * rows[2]) / 3, rtol=1e-5)
    np.testing.assert_array_equal(vectors[1], 0)
    np.testing.assert_allclose(vectors[2], rows[3])


def test_only_rows_in_the_step_move():
    after = moved(started()).matrix()
    still = [0, 4, 5]
    np.testing.assert_array_equal(after[still], table()[still])
    assert (after[[1, 2, 3]] != table()[[1, 2, 3]]).all()


def test_the_tanh_starts_nearly_as_a_line_and_learns():
    student = started(dyt=True)
    plain, through = started().forward(TOKENS), student.forward(TOKENS)
    assert torch.nn.functional.cosine_similarity(plain[[0, 2]], through[[0, 2]]).min() > 0.97
    before = student.dyt()
    after = moved(student).dyt()
    assert (before.gain != after.gain).all()


@pytest.mark.parametrize("dyt", [False, True])
@pytest.mark.parametrize("packs", [False, True])
@pytest.mark.parametrize("changes", [{}, {"average": 0.5, "anchor": 0.1}])
def test_a_restored_student_goes_on_bit_for_bit(dyt, packs, changes):
    phase = replace(PHASE, **changes)

    def fresh():
        return started(phase, dyt=dyt, packs=packs)

    whole = moved(fresh(), 6)
    half = moved(fresh(), 3)
    state = {name: tensor.clone() for name, tensor in half.state().items()}
    resumed = fresh()
    resumed.restore(state)
    moved(resumed, 3)
    np.testing.assert_array_equal(resumed.matrix(), whole.matrix())
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, resumed.state()[name]), name


def test_an_average_takes_the_tables_place():
    student = moved(started(replace(PHASE, average=0.9)))
    averaged = student.matrix()
    assert not np.array_equal(averaged, student.table.numpy())
    student.end()
    np.testing.assert_array_equal(student.matrix(), averaged)


def test_an_anchor_holds():
    free, held = moved(started(), 5), moved(started(replace(PHASE, anchor=100.0)), 5)
    assert np.abs(held.matrix() - table()).max() < np.abs(free.matrix() - table()).max()


def test_dropped_tokens_are_those_of_the_generator():
    student = started(replace(PHASE, drop=0.5))
    one, two = (student.forward(TOKENS, rng=torch.Generator().manual_seed(s)) for s in (1, 1))
    assert torch.equal(one, two)
    others = [student.forward(TOKENS, rng=torch.Generator().manual_seed(s)) for s in range(9)]
    assert any(not torch.equal(one, other) for other in others)
