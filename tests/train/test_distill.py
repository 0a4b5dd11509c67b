from __future__ import annotations

import numpy as np
import pytest

from romaine.errors import OptionError, VectorError
from romaine.train.distill import Recipe, distill
from romaine.train.teacher import TransformerTeacher, teach

RECIPE = Recipe(dim=48, steps=120, batch=64, learning_rate=0.01)


@pytest.fixture(scope="module")
def teacher(small_teacher_folder):
    return TransformerTeacher(small_teacher_folder)


@pytest.fixture(scope="module")
def trained(teacher, made_up_texts):
    return distill(teacher, made_up_texts, recipe=RECIPE)


def test_the_loss_falls(trained):
    assert trained.losses[-1] < 0.8 * trained.losses[0]


def test_dims_are_nested_and_every_row_is_finite(trained, teacher):
    assert trained.dims == (32, 48)
    assert trained.table.shape == (teacher.tokenizer.get_vocab_size(), 48)
    assert np.isfinite(trained.table).all()


def test_the_same_seed_gives_the_same_table(trained, teacher, made_up_texts):
    again = distill(teacher, made_up_texts, recipe=RECIPE)
    np.testing.assert_array_equal(again.table, trained.table)


def test_another_seed_gives_another_table(trained, teacher, made_up_texts):
    other = distill(teacher, made_up_texts, recipe=Recipe(dim=48, steps=5, batch=64, seed=1))
    first = distill(teacher, made_up_texts, recipe=Recipe(dim=48, steps=5, batch=64, seed=0))
    assert not np.array_equal(other.table, first.table)


def test_a_table_may_have_more_components_than_its_teacher(teacher, made_up_texts):
    wide = distill(teacher, made_up_texts, recipe=Recipe(dim=64, steps=3, batch=32))
    assert wide.table.shape[1] == 64
    assert wide.dims == (32, 64)
    assert (np.abs(wide.table[:, 48:]).max(axis=0) > 0).all()


def test_a_run_that_diverges_is_stopped(teacher, made_up_texts):
    with pytest.raises(VectorError, match="learning_rate"):
        distill(teacher, made_up_texts, recipe=Recipe(dim=48, steps=20, batch=32, learning_rate=1e38))


def test_texts_without_tokens_are_too_few(teacher):
    with pytest.raises(OptionError, match="too few"):
        distill(teacher, ["", " ", "one"], recipe=RECIPE)


@pytest.mark.parametrize(
    "options",
    [
        {"dim": 0},
        {"steps": 0},
        {"batch": 1},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"sif": -1},
        {"listwise": -1},
    ],
)
def test_impossible_options_are_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        Recipe(**options)


def test_a_stopped_run_goes_on_where_it_was(teacher, made_up_texts, tmp_path, monkeypatch):
    monkeypatch.setattr("romaine.train.teacher._CHUNK", 50)
    rows = [
        encoding.ids for encoding in teacher.tokenizer.encode_batch(made_up_texts, add_special_tokens=False)
    ]
    whole = teach(teacher, rows)

    def stop_after_two(count: int, seen: list[int] = []) -> None:  # noqa: B006
        seen.append(count)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teach(teacher, rows, cache=tmp_path, advance=stop_after_two)
    asked: list[int] = []
    resumed = teach(teacher, rows, cache=tmp_path, advance=asked.append)
    assert asked[0] == 100
    assert sum(asked) == len(rows)
    np.testing.assert_array_equal(resumed, whole)
    np.testing.assert_array_equal(teach(teacher, rows, cache=tmp_path), whole)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]
