"""One run of `romaine train static`, from a recipe and files to a model folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.evaluate.sts import ScoredPairs, read_scored_pairs
from romaine.models.card import ModelCard
from romaine.progress import progress_bar
from romaine.text.tokenizer import Tokenizer as TextTokenizer
from romaine.train.batches import dice_at
from romaine.train.bundle import threshold_of, write_model_card, write_weights
from romaine.train.chats import question_pairs
from romaine.train.corpus import Corpus, find_file, read_corpus
from romaine.train.curves import draw_curves
from romaine.train.initial import initial_table, token_odds
from romaine.train.losses import Matryoshka
from romaine.train.modelcard import model_readme
from romaine.train.objectives import Chat, Contrastive, Relational
from romaine.train.packing import packed
from romaine.train.panel import Panel, Progress, assemble
from romaine.train.questions import QuestionMaker
from romaine.train.recipe import DataKind, Recipe
from romaine.train.tasks import Surroundings, cut_tokens
from romaine.train.teacher import ModelTeacher, Side, Teacher, load_teacher, load_vocabulary_teacher
from romaine.train.trainer import Trained, Trainer
from romaine.train.vector_cache import token_vectors
from romaine.train.watch import Observer, Reading, is_above, observer_for

_CHECKPOINTS = "checkpoints"
_QUESTIONS = 2  # sets the chance of fixed questions apart


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
        words = [f"romaine train static {self.recipe_name}", *("--data DIR" for _ in self.data)]
        words += [f"--measuring {path.name}" for path in self.measuring]
        words += [f"--threads {self.threads}"] if self.threads else []
        words += [f"--device {self.device}"] if self.device != "cpu" else []
        return " ".join([*words, f"--seed {self.recipe.seed} --bits {self.recipe.bits} --out OUT"])


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


def run_training(run: TrainRun, *, show_progress: bool = False) -> TrainResult:
    """Trains and writes model, tokenizer, card, README.md, metrics.json and curves.png.

    A run that was stopped, however, continues from its last checkpoint and ends with the same bytes.

    Raises:
        OptionError: If an option, the recipe's data or a device cannot be used.
        InputFileError: If a file cannot be used.
        ModelError: If a teacher cannot be loaded.
        MissingExtraError: If something the recipe needs is not installed.
        VectorError: If training diverges.
    """
    recipe = run.recipe
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    device = checked_device(run.device)
    progress = partial(progress_bar, show=show_progress)
    sts_file = find_file(recipe.watch.sts, run.data) if recipe.watch.sts else None
    sts = read_scored_pairs(sts_file) if sts_file is not None else None
    measuring = (*run.measuring, *([sts_file] if sts_file is not None else []))
    corpus = read_corpus(recipe, folders=run.data, measuring=measuring)
    maker = _question_maker(corpus, recipe)
    first = load_vocabulary_teacher(recipe.teachers[0], device=device, threads=run.threads)
    teachers = [
        first,
        *(load_teacher(spec, device=device, threads=run.threads) for spec in recipe.teachers[1:]),
    ]
    tokenizer = TextTokenizer(first.vocabulary())
    cache = run.cache if run.cache is not None else run.out / "teachers"
    around = _surroundings(recipe, corpus, teachers, tokenizer, maker, cache, device, progress)
    observer = observer_for(
        recipe.watch, corpus, sts=sts, tokenizer=tokenizer, maker=maker, dims=recipe.dims, seed=recipe.seed
    )
    start = _initial(recipe, around, first, cache)
    trainer = Trainer(
        recipe,
        around,
        observer,
        folder=run.out / _CHECKPOINTS,
        fingerprint=_fingerprint(recipe, corpus, teachers),
        device=device,
    )
    with progress("training", recipe.steps) as advance:
        trained = trainer.run(start, advance)
    return _write(run, corpus, teachers, trained, observer, sts, first)


def checked_device(device: str) -> str:
    """Returns `device` if torch can put a tensor there.

    Raises:
        OptionError: If it cannot, in torch's own words.
    """
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        words = str(error).strip().partition("\n")[0]
        raise OptionError(f"device={device!r} cannot be used ({words}); choose cpu, cuda or mps") from error
    return device


def _question_maker(corpus: Corpus, recipe: Recipe) -> QuestionMaker:
    """Learns words from all dialogues, and gives those in contrastive tasks fixed questions."""
    chats = [name for name, source in recipe.data.items() if source.kind is DataKind.DIALOGUES]
    pool = corpus.pool
    maker = QuestionMaker(pool.texts[number] for name in chats for number in corpus.sets[name].texts)
    asked = {
        name
        for phase in recipe.phases
        for task in phase.tasks
        if isinstance(task, Contrastive)
        for name in task.data
    }
    for place, name in enumerate(chats):
        if name in asked:
            question_pairs(corpus.sets[name], pool, maker, dice_at(recipe.seed, _QUESTIONS, place))
    return maker


def _surroundings(
    recipe: Recipe,
    corpus: Corpus,
    teachers: Sequence[Teacher],
    tokenizer: TextTokenizer,
    maker: QuestionMaker,
    cache: Path,
    device: str,
    progress: Progress,
) -> Surroundings:
    weighted = [(teacher, spec.weight) for teacher, spec in zip(teachers, recipe.teachers, strict=True)]
    needed = _needed(recipe, corpus)
    panel = Panel([], device)
    if any(len(numbers) for numbers in needed.values()):
        panel = assemble(
            weighted,
            corpus.pool.texts,
            needed,
            cache=cache,
            device=device,
            progress=progress,
            seed=recipe.seed,
        )
    tokens = tokenizer.encode(corpus.pool.texts, add_special_tokens=False)
    return Surroundings(
        corpus=corpus,
        tokens=cut_tokens(tokens, recipe.max_tokens),
        tokenizer=tokenizer,
        panel=panel,
        maker=maker,
        slices=Matryoshka(recipe.dims, recipe.dim_weights),
        max_tokens=recipe.max_tokens,
        device=device,
    )


def _needed(recipe: Recipe, corpus: Corpus) -> dict[Side, NDArray[np.int64]]:
    """The texts whose teachers' vectors some task asks for."""
    queries: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    documents: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    for phase in recipe.phases:
        for task in phase.tasks:
            sets = [corpus.sets[name] for name in task.data]
            if isinstance(task, Relational):
                documents += [found.texts for found in sets]
            elif isinstance(task, Contrastive) and task.asks_teachers:
                queries += [found.pairs[:, 0] for found in sets]
                documents += [found.pairs[:, 1:].ravel() for found in sets]
            elif isinstance(task, Chat) and task.same <= 1:
                documents += [found.texts for found in sets]
    needed = {Side.QUERY: queries, Side.DOCUMENT: documents}
    return {side: numbers[numbers >= 0] for side, found in needed.items() for numbers in [_union(found)]}


def _union(arrays: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.unique(np.concatenate(arrays))


def _initial(recipe: Recipe, around: Surroundings, first: ModelTeacher, cache: Path) -> FloatArray:
    names = recipe.initial.data or tuple(recipe.data)
    texts = _union([around.corpus.sets[name].texts for name in names])
    vectors = token_vectors(first, cache=cache)
    odds = token_odds(around.tokens.take(texts), len(vectors))
    return initial_table(vectors, odds, dim=recipe.dim, initial=recipe.initial, seed=recipe.seed)


def _fingerprint(recipe: Recipe, corpus: Corpus, teachers: Sequence[Teacher]) -> str:
    """Of everything that decides how a run goes: what a checkpoint may be continued with."""
    relevant = replace(recipe, name="", note="", licence="", extra_bits=())
    parts = [
        asdict(relevant),
        {name: entry["sha256"] for name, entry in corpus.files.items()},
        [teacher.fingerprint for teacher in teachers],
    ]
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _write(
    run: TrainRun,
    corpus: Corpus,
    teachers: Sequence[Teacher],
    trained: Trained,
    observer: Observer,
    sts: ScoredPairs | None,
    first: ModelTeacher,
) -> TrainResult:
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
        (run.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
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
