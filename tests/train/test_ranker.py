from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from romaine import Embedder
from romaine.cli.train import app
from romaine.errors import InputFileError, OptionError
from romaine.evaluate.evidence import read_evidence
from romaine.memory.features import FEATURES, LATE_FEATURES
from romaine.memory.learned import NODES, Trees
from romaine.train.ranker import grow, judge, train_ranker
from romaine.train.ranker_questions import RankedQuestions, ask_all
from romaine.train.ranker_recipe import Domain, Growing, RankerRecipe

THINGS = ("kettle", "lantern", "ladder", "saddle", "mirror", "barrel", "anchor", "candle", "hammer", "basket")


def write(path: Path, chats: int = 2) -> None:
    """Chats in which a long turn holds what is asked for, and a short one before only its words."""
    lines = []
    for number in range(chats):
        turns, questions = [], []
        for thing in THINGS:
            turns += [
                ["Mira", f"The {thing}? What of that {thing}?"],
                [
                    "Tobin",
                    f"I left the {thing} in the yard of house {number}, behind the old wall by the road.",
                ],
                ["Mira", "Good."],
            ]
            questions.append({"query": f"Where is the {thing}?", "evidence": [len(turns) - 2]})
        lines.append(json.dumps({"source": "made", "turns": turns, "questions": questions}))
    path.write_text("\n".join(lines))


@pytest.fixture(scope="module")
def gem() -> Embedder:
    return Embedder().warm_up()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abc":
        write(tmp_path / f"{name}.jsonl")
    return tmp_path


def recipe(**growing: float) -> RankerRecipe:
    options = {"count": 8, "learning_rate": 0.3, "least": 5, "features": 1.0, "rows": 1.0} | growing
    domains = {name: Domain(file=f"{name}.jsonl", licence="none") for name in "abc"}
    return RankerRecipe(domains=domains, growing=Growing(**options))  # type: ignore[arg-type]


def answered_by(names: Sequence[str], telling: str) -> RankedQuestions:
    """Questions whose answers stand out by one feature, and nothing else."""
    features = np.random.default_rng(0).normal(size=(400, len(names))).astype(np.float32)
    return RankedQuestions(
        features=features,
        scores=np.tile(np.linspace(0, -3, 20), 20),
        right=features[:, names.index(telling)] > 1,
        counts=np.full(20, 20),
        evidence=np.full(20, 3),
    )


def test_trees_say_what_lightgbm_says() -> None:
    asked = answered_by(list(FEATURES), "length")
    trees = grow({"only": asked}, {"only": 1.0}, recipe().growing, seed=1)
    assert trees.features.shape == (8, NODES)
    added = trees.added(trees.leaves(asked.features))
    assert added[asked.right].min() > added[~asked.right].mean()
    found = judge(trees, asked)
    assert found.wins
    assert found.questions == 20
    assert found.learned[10] > found.usual[10]


def test_late_interaction_may_decide() -> None:
    asked = answered_by(list(LATE_FEATURES), "late_own")
    trees = grow({"a": asked}, {"a": 1.0}, recipe().growing, seed=1)
    assert trees.late
    assert judge(trees, asked).wins


def test_recall_counts_as_the_measure_does() -> None:
    asked = RankedQuestions(
        features=np.zeros((7, len(FEATURES)), np.float32),
        scores=np.array([3.0, 2, 1, 5, 4, 3, 2]),
        right=np.array([False, True, False, False, False, True, True]),
        counts=np.array([3, 4]),
        evidence=np.array([2, 2]),
    )
    assert [asked.recall(k) for k in (1, 2, 3)] == [0, 0.25, 0.5]
    assert asked.recall(1, np.array([0.0, 2, 0, 0, 0, 0, 4])) == 0.5
    assert asked.first(2).counts.tolist() == [2, 2]
    assert asked.first(2).scores.tolist() == [3, 2, 5, 4]


def test_questions_are_seen_as_a_recall_sees_them(folder: Path, gem: Embedder) -> None:
    (chat, _) = read_evidence(folder / "a.jsonl")
    asked = ask_all([chat], gem)
    assert asked.features.shape == (300, len(FEATURES))
    assert asked.counts.tolist() == [30] * 10
    assert asked.right.sum() == 10
    assert (np.diff(asked.scores.reshape(10, 30)) <= 0).all()


def test_a_ranker_that_wins_everywhere_is_written(folder: Path, gem: Embedder) -> None:
    result = train_ranker(recipe(), [folder], embedder=gem, out=folder / "out")
    report = json.loads((folder / "out" / "ranker.json").read_text())
    assert report["passes"] == result.passes == (folder / "out" / "ranker.npz").is_file()
    assert set(report["gate"]) == {"a", "b", "c"}
    assert report["questions"] == {"a": 20, "b": 20, "c": 20}
    if result.passes:
        again = Trees.from_bytes((folder / "out" / "ranker.npz").read_bytes())
        rows = np.random.default_rng(0).normal(size=(5, len(FEATURES))).astype(np.float32)
        np.testing.assert_allclose(
            again.added(again.leaves(rows)), result.trees.added(result.trees.leaves(rows)), atol=1e-5
        )


def test_the_gate_is_a_mean_over_seeds(folder: Path, gem: Embedder) -> None:
    chosen = replace(recipe(features=0.3, rows=0.5), seed=4)
    apart = [
        train_ranker(replace(chosen, seed=seed), [folder], embedder=gem, out=folder / "out").gate["a"].learned
        for seed in (4, 5)
    ]
    found = train_ranker(replace(chosen, judged=2), [folder], embedder=gem, out=folder / "out").gate["a"]
    assert found.learned[5] == pytest.approx(sum(each[5] for each in apart) / 2)


def test_one_that_does_not_is_not(folder: Path) -> None:
    toml = folder / "recipe.toml"
    tables = [f'[domains.{name}]\nfile = "{name}.jsonl"\nlicence = "none"\n' for name in "abc"]
    toml.write_text("\n".join(tables) + "[growing]\ncount = 1\nlearning_rate = 1e-9\n")
    options = ["--data", str(folder), "--out", str(folder / "out"), "--model", "little-gem"]
    told = CliRunner().invoke(app, ["ranker", str(toml), *options])
    assert told.exit_code == 1
    assert "set by hand stay" in told.output
    assert "a, left out: recall@5" in told.output
    assert not (folder / "out" / "ranker.npz").exists()


def test_wrong_recipes_are_refused(folder: Path, gem: Embedder) -> None:
    with pytest.raises(OptionError, match="has not seen"):
        RankerRecipe(domains={"a": Domain(file="a", licence="none")})
    with pytest.raises(OptionError, match="judged=0"):
        replace(recipe(), judged=0)
    with pytest.raises(OptionError, match="every=0"):
        Domain(file="a", licence="none", every=0)
    missing = RankerRecipe(domains={n: Domain(file=f"{n}.jsonl", licence="none") for n in "abd"})
    with pytest.raises(InputFileError, match=r"d\.jsonl"):
        train_ranker(missing, [folder], embedder=gem, out=folder / "out")
