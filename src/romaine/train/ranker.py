"""`romaine train ranker`: trees that correct the usual ranking, and the gate that they must pass.

Each domain is left out in turn: trees grown on the others must find more of its evidence than the weights set
by hand do, at 5 and at 10. Only then is the ranker written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from romaine.evaluate.evidence import read_evidence
from romaine.memory.features import FEATURES, LATE_FEATURES
from romaine.memory.learned import LEAVES, NODES, Trees
from romaine.train.corpus import find_file
from romaine.train.ranker_questions import RankedQuestions, ask_all
from romaine.train.ranker_recipe import Growing, RankerRecipe

if TYPE_CHECKING:
    from romaine.embedder import Embedder

_BETTER = {
    "dense": 1,
    "context": 1,
    "lexical": 1,
    "window": 1,
    "speaker": 1,
    "asks": -1,
    "answers": 1,
    "gap": 1,
    "near": 1,
    "around": 1,
    "late_own": 1,
    "late_around": 1,
}
"""Features of which more must never count less, or, at -1, more."""

CUTOFFS = (5, 10)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What trees that were grown on the other domains find in one.

    Attributes:
        questions: How many were asked.
        usual: Recall at each of `CUTOFFS` by the usual ranking.
        learned: The same with the trees; the mean, where they were grown from several seeds.
    """

    questions: int
    usual: dict[int, float]
    learned: dict[int, float]

    @property
    def wins(self) -> bool:
        """Whether they find more at each cutoff."""
        return all(self.learned[k] > self.usual[k] for k in CUTOFFS)

    def to_json(self) -> dict[str, Any]:
        """The figures."""
        return {"questions": self.questions, "wins": self.wins} | {
            f"recall@{k}": {"usual": self.usual[k], "learned": self.learned[k]} for k in CUTOFFS
        }


@dataclass(frozen=True, kw_only=True)
class RankerResult:
    """A trained ranker.

    Attributes:
        trees: Grown on all domains.
        gate: What trees grown without it do to each domain.
    """

    trees: Trees
    gate: dict[str, LeftOut]

    @property
    def passes(self) -> bool:
        """Whether every domain is won."""
        return all(left_out.wins for left_out in self.gate.values())


def train_ranker(
    recipe: RankerRecipe, folders: Sequence[Path], *, embedder: Embedder, out: Path
) -> RankerResult:
    """Grows trees, judges them, and writes ``ranker.json`` and, if they pass, ``ranker.npz``.

    With an embedder that has token vectors they are trees for late interaction.

    Args:
        recipe: What to train on, and how.
        folders: Where its files are looked up.
        embedder: What embeds turns and questions; see `ask_all`.
        out: Where to write.

    Raises:
        InputFileError: If a file of the recipe is in none of the folders.
        FormatError: If one is damaged.
    """
    asked: dict[str, RankedQuestions] = {}
    for name, domain in recipe.domains.items():
        chats = read_evidence(find_file(domain.file, folders), sources=domain.sources)
        asked[name] = ask_all(chats[:: domain.every], embedder)
    weights = {name: domain.weight for name, domain in recipe.domains.items()}
    gate = {}
    for name, questions in asked.items():
        others = {other: asked[other] for other in asked if other != name}
        found = [
            judge(grow(others, weights, recipe.growing, seed=seed), questions)
            for seed in range(recipe.seed, recipe.seed + recipe.judged)
        ]
        learned = {k: fmean(each.learned[k] for each in found) for k in CUTOFFS}
        gate[name] = replace(found[0], learned=learned)
    result = RankerResult(trees=grow(asked, weights, recipe.growing, seed=recipe.seed), gate=gate)
    out.mkdir(parents=True, exist_ok=True)
    report = {
        "model": embedder.card.id,
        "questions": {name: len(questions.counts) for name, questions in asked.items()},
        "gate": {name: left_out.to_json() for name, left_out in gate.items()},
        "passes": result.passes,
        "seen": {name: judge(result.trees, questions).to_json() for name, questions in asked.items()},
    }
    (out / "ranker.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if result.passes:
        (out / "ranker.npz").write_bytes(result.trees.to_bytes())
    return result


def judge(trees: Trees, asked: RankedQuestions) -> LeftOut:
    """What trees do to the recall of some questions."""
    added = trees.added(trees.leaves(asked.features))
    return LeftOut(
        questions=len(asked.counts),
        usual={k: asked.recall(k) for k in CUTOFFS},
        learned={k: asked.recall(k, added) for k in CUTOFFS},
    )


def grow(
    domains: Mapping[str, RankedQuestions], weights: Mapping[str, float], growing: Growing, *, seed: int
) -> Trees:
    """Grows trees on domains, each of which counts by its weight whatever number of questions it has."""
    parts = {name: asked.first(growing.looked_at) for name, asked in domains.items()}
    shares = [
        np.full(len(part.scores), weights[name] / max(len(part.counts), 1)) for name, part in parts.items()
    ]
    share = np.concatenate(shares)
    features = np.concatenate([part.features for part in parts.values()])
    late = features.shape[1] == len(LATE_FEATURES)
    names = LATE_FEATURES if late else FEATURES
    data = lightgbm.Dataset(
        features,
        label=np.concatenate([part.right for part in parts.values()]).astype(np.int32),
        weight=share / share.mean(),
        group=np.concatenate([part.counts for part in parts.values()]),
        init_score=growing.usual * np.concatenate([part.scores for part in parts.values()]),
        feature_name=list(names),
    )
    options = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": growing.truncation,
        "learning_rate": growing.learning_rate,
        "num_leaves": LEAVES,
        "max_depth": LEAVES.bit_length() - 1,
        "min_data_in_leaf": growing.least,
        "lambda_l2": growing.ridge,
        "feature_fraction": growing.features,
        "bagging_fraction": growing.rows,
        "bagging_freq": 1,
        "max_bin": 63,
        "monotone_constraints": [_BETTER.get(name, 0) for name in names],
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    grown = lightgbm.train(options, data, num_boost_round=growing.count)
    return _as_trees(grown.dump_model()["tree_info"], scale=1 / growing.usual, late=late)


def _as_trees(grown: Sequence[Mapping[str, Any]], *, scale: float, late: bool) -> Trees:
    """LightGBM's trees made complete: where one ends early, its leaf stands for all that would follow."""
    features = np.zeros((len(grown), NODES), dtype=np.intp)
    thresholds = np.full((len(grown), NODES), np.inf, dtype=np.float32)
    values = np.zeros((len(grown), NODES + LEAVES))
    for number, tree in enumerate(grown):
        _fill(tree["tree_structure"], 0, features[number], thresholds[number], values[number])
    return Trees(features, thresholds, values * scale, late)


def _fill(
    node: Mapping[str, Any],
    at: int,
    features: NDArray[np.intp],
    thresholds: NDArray[np.float32],
    values: NDArray[np.float64],
) -> tuple[float, float]:
    """Writes a node and what is below it; returns its mean and how many candidates it saw."""
    if "leaf_value" in node:
        mean, count = float(node["leaf_value"]), float(node.get("leaf_count", 1))
        below = [at]
        while below:
            values[below] = mean
            below = [
                child for parent in below if parent < NODES for child in (2 * parent + 1, 2 * parent + 2)
            ]
        return mean, count
    features[at], thresholds[at] = node["split_feature"], node["threshold"]
    left = _fill(node["left_child"], 2 * at + 1, features, thresholds, values)
    right = _fill(node["right_child"], 2 * at + 2, features, thresholds, values)
    count = left[1] + right[1]
    values[at] = (left[0] * left[1] + right[0] * right[1]) / count
    return float(values[at]), count
