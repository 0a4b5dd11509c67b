"""What a training run is asked for, and everything it leaves behind."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from romaine.errors import OptionError
from romaine.models.card import Measure, ModelCard
from romaine.models.card_json import write_card
from romaine.models.tables import read_table, write_table
from romaine.train.corpus import Corpus
from romaine.train.modelcard import draw_curves, model_readme
from romaine.train.recipe import Recipe
from romaine.train.teacher import Teacher
from romaine.train.trainer import Trained
from romaine.train.watch import Observer, is_above

CHECKPOINTS = "checkpoints"
"""Folder below `TrainRun.out` that a stopped run goes on from."""

_METRICS = "metrics.json"
_TOKENIZER = "tokenizer.json"
_WEIGHTS = "model.safetensors"
_OURS = (CHECKPOINTS, _METRICS)  # tell the folder of an earlier run
_WRITTEN = ("README.md", "romaine.json", _WEIGHTS, _TOKENIZER, "curves.png")


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
    """What came out: the card beside the weights, what metrics.json holds, and where it all is."""

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
    tokenizer: Tokenizer,
) -> TrainResult:
    """Writes the model in every packing, its card, README.md, metrics.json and curves.png.

    The ids of `tokenizer` are the rows of the table, and `observer` measures it as it was written.

    Raises:
        OptionError: If the folder cannot be written.
        MissingExtraError: If matplotlib is not installed.
    """
    recipe = run.recipe
    note = (
        recipe.note or f"Static table trained on {len(corpus.pool.texts):,} short texts; runs on numpy alone."
    )
    try:
        card = _write_model(run, recipe.bits, run.out, trained, observer, tokenizer, note)
        for bits in {*recipe.extra_bits} - {recipe.bits}:
            _write_model(run, bits, run.out / f"{bits}-bit", trained, observer, tokenizer, note)
        metrics = _metrics(run, corpus, teachers, trained, observer)
        (run.out / _METRICS).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        draw_curves(run.out / "curves.png", trained.readings, trained.best, recipe)
        readme = model_readme(recipe, metrics, vocab=len(trained.table), size=card.size)
        (run.out / "README.md").write_text(readme, encoding="utf-8")
    except OSError as error:
        raise OptionError(f"{run.out} cannot be written: {error}; choose another --out") from error
    return TrainResult(card=card, metrics=metrics, folder=run.out)


def _write_model(
    run: TrainRun,
    bits: int,
    folder: Path,
    trained: Trained,
    observer: Observer,
    tokenizer: Tokenizer,
    note: str,
) -> ModelCard:
    """Writes weights, tokenizer and card of one packing; what the card says is measured on the file."""
    recipe = run.recipe
    folder.mkdir(parents=True, exist_ok=True)
    # safetensors makes the file for its owner alone; a model folder is for everyone
    write_table(folder, matrix=trained.table, bits=bits, dyt=trained.dyt).chmod(0o644)
    (folder / _TOKENIZER).write_text(_minified(tokenizer), encoding="utf-8")
    table = read_table(folder / _WEIGHTS)
    reading = observer.read(table.matrix, table.dyt, step=trained.best.step, loss=None)
    threshold = observer.duplicate_threshold(table.matrix, table.dyt)
    card = ModelCard(
        id=recipe.name,
        kind="static",
        full_dim=table.matrix.shape[1],
        dims=recipe.dims,
        files={"weights": _WEIGHTS, "tokenizer": _TOKENIZER},
        backends=("static",),
        size=(folder / _WEIGHTS).stat().st_size,
        license=recipe.licence,
        measured=tuple(
            Measure(
                name=f"{recipe.watch.sts_name} Spearman, {dim} dims",
                value=round(value, 4),
                command=run.command(),
            )
            for dim, value in reading.sts.items()
        ),
        sha256={file: sha256((folder / file).read_bytes()).hexdigest() for file in (_WEIGHTS, _TOKENIZER)},
        duplicate_threshold=ModelCard.duplicate_threshold if threshold is None else threshold,
        note=note,
        bundled=run.bundled,
    )
    write_card(card, folder)
    return card


def _minified(tokenizer: Tokenizer) -> str:
    """The tokenizer as JSON without what a static model never uses: padding, truncation, special frames.

    The ids of a text encoded without special tokens stay the same.
    """
    values: dict[str, Any] = json.loads(tokenizer.to_str())
    values |= {"padding": None, "truncation": None, "post_processor": None}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def _metrics(
    run: TrainRun, corpus: Corpus, teachers: Sequence[Teacher], trained: Trained, observer: Observer
) -> dict[str, Any]:
    """What metrics.json holds; the best table is measured in full, 8 and 4 bits: what packing costs."""
    counts = {name: {"counts": found.counts} for name, found in corpus.sets.items()}
    packings = (32, 8, 4) if trained.table.shape[1] % 2 == 0 else (32, 8)
    return {
        "model": run.recipe.name,
        "command": run.command(),
        "above_floor": is_above(trained.best, run.recipe.watch.sts_floor),
        "best": asdict(trained.best),
        "packings": {
            str(bits): asdict(
                observer.read(trained.table, trained.dyt, step=trained.best.step, loss=None, bits=bits)
            )
            for bits in packings
        },
        "data": {name: {**entry, **counts.get(name, {})} for name, entry in corpus.files.items()},
        "teachers": [teacher.fingerprint for teacher in teachers],
        "readings": [asdict(reading) for reading in trained.readings],
        "recipe": asdict(run.recipe),
    }
