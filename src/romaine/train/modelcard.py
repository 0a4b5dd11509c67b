"""The README of a trained model (what it is and learned from, how good it is) and its curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from romaine.errors import MissingExtraError, OptionError
from romaine.train.objectives import TASKS
from romaine.train.recipe import Recipe
from romaine.train.watch import Reading

_PANELS = {
    "sts": "Spearman on {sts}",
    "recall": "recall@{k} of dev questions",
    "alignment": "alignment (lower is nearer)",
    "uniformity": "uniformity (lower is more even)",
}


def model_readme(recipe: Recipe, metrics: Mapping[str, Any], *, vocab: int, size: int) -> str:
    """Writes a model card in Markdown; `metrics` as in metrics.json, `size` in bytes of the weights."""
    after = ", then a separable dynamic tanh" if recipe.dyt else ""
    parts = [
        f"# {recipe.name}\n",
        f"A static embedding table: {vocab:,} tokens, {recipe.dim} components in {recipe.bits} bits,"
        f" {size:,} bytes of weights. A text's vector is the mean of its tokens' rows{after}, made unit"
        f" length. It is trained for {_listed(recipe.dims)} components.",
        recipe.note,
        "## How it was made\n",
        "    " + metrics["command"] + "\n",
        _teachers(recipe, metrics),
        _phases(recipe),
        f"The checkpoint after step {metrics['best']['step']:,} of {recipe.steps:,} was kept:"
        f" {_rule(recipe, metrics)}."
        + ("" if metrics["above_floor"] else " **None reached that floor; this one came nearest.**"),
        "![curves](curves.png)\n",
        "## Figures\n",
        "Measured on the table as packed. `metrics.json` has every reading and every packing.\n",
        _figures(recipe, metrics),
        "## Data and licences\n",
        _data(metrics["data"]),
        f"The table is under {recipe.licence}.",
        "## Limits\n",
        "The order of words is not seen: a sentence and its reverse have one vector.",
    ]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def draw_curves(path: Path, readings: Sequence[Reading], best: Reading, recipe: Recipe) -> None:
    """Draws loss, STS, recall, alignment and uniformity over the steps into a PNG, a line for each dimension.

    The best reading and the ends of phases are marked.

    Raises:
        MissingExtraError: If matplotlib is not installed.
        OptionError: If the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("the plot of the curves (matplotlib)", "train") from error
    names = [name for name in _PANELS if any(getattr(reading, name) for reading in readings)]
    figure = Figure(figsize=(5 * (len(names) + 1), 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(names) + 1, squeeze=False)[0]
    steps = [reading.step for reading in readings]
    axes[0].set_title("loss")
    losses = [(reading.step, reading.loss) for reading in readings if reading.loss is not None]
    axes[0].plot(*zip(*losses, strict=True), color="black")
    for name, axis in zip(names, axes[1:], strict=True):
        axis.set_title(_PANELS[name].format(sts=recipe.watch.sts_name, k=recipe.watch.cutoff))
        for dim in getattr(readings[0], name):
            axis.plot(steps, [getattr(reading, name)[dim] for reading in readings], label=dim)
        axis.legend(title="dims", fontsize="small")
    ends = list(accumulate(phase.steps for phase in recipe.phases))[:-1]
    for axis in axes:
        axis.set_xlabel("step")
        axis.axvline(best.step, color="grey", linestyle="--", linewidth=1)
        for end in ends:
            axis.axvline(end, color="lightgrey", linewidth=1)
    try:
        # no software version in the file: the same run gives the same bytes
        figure.savefig(path, dpi=100, metadata={"Software": None})
    except OSError as error:
        raise OptionError(f"{path} cannot be written: {error}; choose another --out") from error


def _rule(recipe: Recipe, metrics: Mapping[str, Any]) -> str:
    first = "the highest recall of dev questions" if metrics["best"]["recall"] else "the last"
    if not recipe.watch.sts:
        return first
    return f"{first} among those with Spearman of at least {recipe.watch.sts_floor:g}"


def _teachers(recipe: Recipe, metrics: Mapping[str, Any]) -> str:
    rows = [
        (spec.model or spec.kind.value, f"{spec.weight:g}", f"`{fingerprint[:16]}`")
        for spec, fingerprint in zip(recipe.teachers, metrics["teachers"], strict=True)
    ]
    return _table(("teacher", "weight", "fingerprint"), rows)


def _phases(recipe: Recipe) -> str:
    names = {kind: name for name, kind in TASKS.items()}
    rows = []
    for phase in recipe.phases:
        tasks = ", ".join(
            f"{task.weight:g} x {names[type(task)]} on {' + '.join(task.data)}" for task in phase.tasks
        )
        marks = f"{phase.learning_rate:g}" + (
            f", as packed from {phase.quantise_from:.0%}" * (phase.quantise_from < 1)
        )
        rows.append((phase.name, f"{phase.steps:,}", marks, tasks))
    return _table(("phase", "steps", "rate", "losses"), rows)


def _figures(recipe: Recipe, metrics: Mapping[str, Any]) -> str:
    dims = [str(dim) for dim in reversed(recipe.dims)]
    rows = []
    for bits, reading in metrics["packings"].items():
        for name, title in (
            ("sts", recipe.watch.sts_name),
            ("recall", f"recall@{recipe.watch.cutoff}, dev questions"),
        ):
            if reading[name]:
                rows.append((bits, title, *(f"{reading[name][dim]:.4f}" for dim in dims)))
    return _table(("bits", "measure", *dims), rows) if rows else "Nothing was measured."


def _data(data: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, entry in data.items():
        counts = ", ".join(f"{count:,} {what}" for what, count in entry.get("counts", {}).items())
        rows.append(
            (name, entry["file"], entry.get("licence") or "-", counts or "-", f"`{entry['sha256'][:16]}`")
        )
    return "No text is part of the model's files.\n\n" + _table(
        ("data", "file", "licence", "records and texts", "sha256"), rows
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _listed(dims: Sequence[int]) -> str:
    names = [str(dim) for dim in dims]
    return names[-1] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
