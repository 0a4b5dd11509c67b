"""The curves of a run as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from romaine.errors import MissingExtraError, OptionError
from romaine.train.recipe import Recipe
from romaine.train.watch import Reading

_PANELS = {
    "sts": "Spearman on {sts}",
    "recall": "recall@{k} of dev questions",
    "alignment": "alignment (lower is nearer)",
    "uniformity": "uniformity (lower is more even)",
}


def draw_curves(path: Path, readings: Sequence[Reading], best: Reading, recipe: Recipe) -> None:
    """Draws loss, STS, recall, alignment and uniformity over the steps, a line for each dimension.

    Args:
        path: PNG file to write.
        readings: In order.
        best: Marked by a vertical line.
        recipe: Its phases are marked too.

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
        for dim in sorted(getattr(readings[0], name), reverse=True):
            axis.plot(steps, [getattr(reading, name)[dim] for reading in readings], label=str(dim))
        axis.legend(title="dims", fontsize="small")
    ends = [sum(phase.steps for phase in recipe.phases[: i + 1]) for i in range(len(recipe.phases) - 1)]
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
