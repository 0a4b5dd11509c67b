"""One run of `romaine train static`, from a recipe and files to a model folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.evaluate.sts import read_scored_pairs
from romaine.progress import progress_bar
from romaine.text.tokenizer import Tokenizer as TextTokenizer
from romaine.train.batches import dice_at
from romaine.train.chats import question_pairs
from romaine.train.corpus import Corpus, find_file, read_corpus
from romaine.train.initial import initial_table, token_odds
from romaine.train.losses import Matryoshka
from romaine.train.objectives import Chat, Contrastive, Relational
from romaine.train.panel import Panel, Progress, assemble
from romaine.train.questions import QuestionMaker
from romaine.train.recipe import DataKind, Recipe
from romaine.train.results import CHECKPOINTS, TrainResult, TrainRun, write_results
from romaine.train.surroundings import Surroundings, cut_tokens
from romaine.train.teacher import ModelTeacher, Side, Teacher, load_teacher, load_vocabulary_teacher
from romaine.train.trainer import Trainer
from romaine.train.vector_cache import token_vectors
from romaine.train.watch import observer_for

_QUESTIONS = 2  # sets the chance of fixed questions apart


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
    run.check_out()
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
        folder=run.out / CHECKPOINTS,
        fingerprint=_fingerprint(recipe, corpus, teachers),
        device=device,
    )
    with progress("training", recipe.steps) as advance:
        trained = trainer.run(start, advance)
    return write_results(run, corpus, teachers, trained, observer, sts, first)


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
    words = {name: replace(source, licence="") for name, source in recipe.data.items()}
    relevant = replace(recipe, name="", note="", licence="", extra_bits=(), data=words)
    parts = [
        asdict(relevant),
        {name: entry["sha256"] for name, entry in corpus.files.items()},
        [teacher.fingerprint for teacher in teachers],
    ]
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
