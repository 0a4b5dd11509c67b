"""What a training run is asked for, and everything it leaves behind."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from romaine.errors import OptionError
from romaine.evaluate.sts import ScoredPairs
from romaine.models.card import ModelCard
from romaine.text.tokenizer import Tokenizer as TextTokenizer
from romaine.train.bundle import threshold_of, write_model_card, write_weights
from romaine.train.corpus import Corpus
from romaine.train.curves import draw_curves
from romaine.train.modelcard import model_readme
from romaine.train.packing import packed
from romaine.train.recipe import Recipe
from romaine.train.teacher import ModelTeacher, Teacher
from romaine.train.trainer import Trained
from romaine.train.watch import Observer, Reading, is_above

CHECKPOINTS = "checkpoints"
"""Folder below `TrainRun.out` that a stopped run goes on from."""

_METRICS = "metrics.json"
_OURS = (CHECKPOINTS, _METRICS)  # tell the folder of an earlier run
_WRITTEN = ("README.md", "romaine.json", "model.safetensors", "tokenizer.json", "curves.png")


@dataclass(frozen=True, kw_only=True)
class TrainRun:
    """What goes in and where the result goes.

    Attributes:
        recipe: How.
        recipe_name: What the recipe was called on the command line, without its folder.
        data: Folders in which the recipe's files are looked up, in order.
        measuring: Files that no training text may repeat.
        out: Folder for the model, its figures and its checkpoints.
        cache: Folder for the teachers' vectors; None for one below `out`.
        device: Torch device.
        threads: Threads of torch, or None for its default.
        bundled: Whether the result is part of the package.
    """

    recipe: Recipe
    recipe_name: str
    data: tuple[Path, ...]
    out: Path
    measuring: tuple[Path, ...] = ()
    cache: Path | None = None
    device: str = "cpu"
    threads: int | None = None
    bundled: bool = False

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise OptionError(f"threads={self.threads} is not possible; it is at least 1")

    def command(self) -> str:
        """The command line that repeats the run, with placeholders for folders."""
        words = ["romaine", "train", "static", self.recipe_name]
        for _ in self.data:
            words += ["--data", "DIR"]
        for path in self.measuring:
            words += ["--measuring", path.name]
        words += ["--threads", str(self.threads)] if self.threads else []
        words += ["--device", self.device] if self.device != "cpu" else []
        recipe = self.recipe
        words += ["--name", recipe.name, "--seed", str(recipe.seed), "--bits", str(recipe.bits)]
        return shlex.join([*words, "--out", "OUT"])

    def check_out(self) -> None:
        """Makes sure that `out` is new, empty or of an earlier run, before anything in it is replaced.

        Raises:
            OptionError: If it is not.
        """
        if self.out.exists() and not self.out.is_dir():
            raise OptionError(f"{self.out} is not a folder; choose another --out")
        if any((self.out / name).exists() for name in _OURS):
            return
        for name in _WRITTEN:
            if (self.out / name).exists():
                raise OptionError(f"{self.out} holds a {name} of something else; choose another --out")


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What came out.

    Attributes:
        card: As written beside the weights.
        metrics: As in metrics.json.
        folder: Where it all is.
    """

    card: ModelCard
    metrics: Mapping[str, Any]
    folder: Path

    @property
    def above_floor(self) -> bool:
        """Whether the model reached the recipe's STS floor."""
        return bool(self.metrics["above_floor"])


def write_results(
    run: TrainRun,
    corpus: Corpus,
    teachers: Sequence[Teacher],
    trained: Trained,
    observer: Observer,
    sts: ScoredPairs | None,
    first: ModelTeacher,
) -> TrainResult:
    """Writes the model in every packing, its card, README.md, metrics.json and curves.png.

    Args:
        run: What was asked for.
        corpus: What was learned from.
        teachers: Who taught.
        trained: The outcome.
        observer: Measures what was written.
        sts: Scored pairs for the duplicate threshold, or None.
        first: The teacher whose vocabulary the table has.

    Raises:
        OptionError: If the folder cannot be written.
        MissingExtraError: If matplotlib is not installed.
    """
    recipe = run.recipe
    tokenizer = first.vocabulary()
    text_tokenizer = TextTokenizer(first.vocabulary())
    note = recipe.note or f"Static table trained on {len(corpus.pool):,} short texts; runs on numpy alone."
    cards = {}
    for bits in dict.fromkeys((recipe.bits, *recipe.extra_bits)):
        folder = run.out if bits == recipe.bits else run.out / f"{bits}-bit"
        table = write_weights(folder, table=trained.table, dyt=trained.dyt, bits=bits, tokenizer=tokenizer)
        reading = observer.read(table.matrix, table.dyt, step=trained.best.step, loss=None)
        cards[bits] = write_model_card(
            folder,
            name=recipe.name,
            table=table,
            dims=recipe.dims,
            figures={
                f"{recipe.watch.sts_name} Spearman, {d} dims": value for d, value in reading.sts.items()
            },
            threshold=threshold_of(table, text_tokenizer, sts),
            licence=recipe.licence,
            command=run.command(),
            note=note,
            bundled=run.bundled,
        )
    metrics = _metrics(run, corpus, teachers, trained, _packings(trained, observer))
    try:
        (run.out / _METRICS).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        draw_curves(run.out / "curves.png", trained.readings, trained.best, recipe)
        card = cards[recipe.bits]
        readme = model_readme(recipe, metrics, vocab=len(trained.table), size=card.size)
        (run.out / "README.md").write_text(readme, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{run.out} cannot be written: {error}; choose another --out") from error
    return TrainResult(card=card, metrics=metrics, folder=run.out)


def _packings(trained: Trained, observer: Observer) -> dict[str, Reading]:
    """The best table measured in full and in 8 and 4 bits: what packing costs."""
    even = trained.table.shape[1] % 2 == 0
    return {
        str(bits): observer.read(packed(trained.table, bits), trained.dyt, step=trained.best.step, loss=None)
        for bits in ((32, 8, 4) if even else (32, 8))
    }


def _metrics(
    run: TrainRun,
    corpus: Corpus,
    teachers: Sequence[Teacher],
    trained: Trained,
    packings: Mapping[str, Reading],
) -> dict[str, Any]:
    counts = {name: {"counts": found.counts} for name, found in corpus.sets.items()}
    return {
        "model": run.recipe.name,
        "command": run.command(),
        "above_floor": is_above(trained.best, run.recipe.watch.sts_floor),
        "best": trained.best.to_json(),
        "packings": {bits: reading.to_json() for bits, reading in packings.items()},
        "data": {name: {**entry, **counts.get(name, {})} for name, entry in corpus.files.items()},
        "teachers": [teacher.fingerprint for teacher in teachers],
        "readings": [reading.to_json() for reading in trained.readings],
        "recipe": asdict(run.recipe),
    }
