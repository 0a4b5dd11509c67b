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
from tokenizers import Tokenizer

from romaine.arrays import FloatArray
from romaine.errors import OptionError
from romaine.evaluate.sts import read_scored_pairs
from romaine.progress import progress_bar
from romaine.text.tokenizer import Tokenizer as TextTokenizer
from romaine.train.chats import add_question_pairs
from romaine.train.context import Context, cut_tokens
from romaine.train.corpus import Corpus, find_file, read_corpus
from romaine.train.initial import initial_table, token_odds
from romaine.train.losses import Matryoshka
from romaine.train.objectives import ContrastiveTask, RelationalTask
from romaine.train.panel import assemble
from romaine.train.questions import QuestionMaker
from romaine.train.recipe import DataKind, Recipe
from romaine.train.results import CHECKPOINTS, TrainResult, TrainRun, write_results
from romaine.train.teacher import ModelTeacher, Side, Teacher, UseTeacher, load_teacher
from romaine.train.trainer import Trainer
from romaine.train.vector_cache import encoded, token_vectors
from romaine.train.vocabulary import build_lexicon
from romaine.train.watch import observer_for

_QUESTIONS = 2  # sets the random numbers of fixed questions apart


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
    sts_files = [find_file(recipe.watch.sts, run.data)] if recipe.watch.sts else []
    sts = read_scored_pairs(sts_files[0]) if sts_files else None
    cache = run.cache if run.cache is not None else run.out / "teachers"
    teachers = [load_teacher(spec, device=device, threads=run.threads) for spec in recipe.teachers]
    corpus = read_corpus(
        recipe,
        folders=run.data,
        measuring=(*run.measuring, *sts_files),
        encode=partial(encoded, teachers[0], side=Side.DOCUMENT, cache=cache),
    )
    maker = _question_maker(corpus, recipe)
    panel = assemble(
        list(zip(teachers, (spec.weight for spec in recipe.teachers), strict=True)),
        corpus.pool.texts,
        _needed(recipe, corpus),
        cache=cache,
        device=device,
        progress=progress,
        seed=recipe.seed,
    )
    words, vectors, odds = _words(recipe, teachers, cache)
    tokenizer = TextTokenizer(words)
    tokens = tokenizer.encode(corpus.pool.texts, add_special_tokens=False)
    context = Context(
        corpus=corpus,
        tokens=cut_tokens(tokens, recipe.max_tokens),
        tokenizer=tokenizer,
        panel=panel,
        maker=maker,
        slices=Matryoshka(recipe.dims, recipe.dim_weights),
        max_tokens=recipe.max_tokens,
        device=device,
    )
    observer = observer_for(
        recipe.watch, corpus, sts=sts, tokenizer=tokenizer, maker=maker, dims=recipe.dims, seed=recipe.seed
    )
    trainer = Trainer(
        recipe,
        context,
        observer,
        folder=run.out / CHECKPOINTS,
        fingerprint=_fingerprint(recipe, corpus, teachers),
        device=device,
    )
    if odds is None:
        odds = token_odds(context.tokens.take(_frequent(recipe, corpus)), len(vectors))
    start = initial_table(vectors, odds, dim=recipe.dim, initial=recipe.initial, seed=recipe.seed)
    with progress("training", recipe.steps) as advance:
        trained = trainer.run(start, advance)
    return write_results(run, corpus, teachers, trained, observer, words)


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
    maker = QuestionMaker(pool.texts[text_id] for name in chats for text_id in corpus.sets[name].texts)
    tasks = [task for phase in recipe.phases for task in phase.tasks]
    asked = {name for task in tasks if isinstance(task, ContrastiveTask) for name in task.data}
    for place, name in enumerate(chats):
        if name in asked:
            rng = np.random.default_rng((recipe.seed, _QUESTIONS, place))
            add_question_pairs(corpus.sets[name], pool, maker, rng)
    return maker


def _needed(recipe: Recipe, corpus: Corpus) -> dict[Side, NDArray[np.int64]]:
    """Ids of the texts whose teachers' vectors some task asks for."""
    queries: list[NDArray[np.int64]] = []
    documents: list[NDArray[np.int64]] = []
    for phase in recipe.phases:
        for task in phase.tasks:
            sets = [corpus.sets[name] for name in task.data]
            if isinstance(task, RelationalTask):
                documents += [found.texts for found in sets]
            elif isinstance(task, ContrastiveTask) and (task.filters or task.negatives):
                queries += [found.pairs[:, 0] for found in sets]
                documents += [found.pairs[:, 1:].ravel() for found in sets]
    return {Side.QUERY: _union(queries), Side.DOCUMENT: _union(documents)}


def _union(ids: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Each id once, in order, without the -1 that stands for none."""
    found = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *ids]))
    return found[found >= 0]


def _words(
    recipe: Recipe, teachers: Sequence[Teacher], cache: Path
) -> tuple[Tokenizer, FloatArray, NDArray[np.float64] | None]:
    """The tokenizer, each token's vector, and how probable it is where a vocabulary of its own says it."""
    first = teachers[0]
    if isinstance(first, UseTeacher):
        lexicon = build_lexicon(recipe.vocabulary, first.pieces())
        vectors = encoded(first, lexicon.surfaces, side=Side.DOCUMENT, cache=cache)
        return lexicon.tokenizer, vectors, lexicon.odds
    assert isinstance(first, ModelTeacher)
    return first.vocabulary(), token_vectors(first, cache=cache), None


def _frequent(recipe: Recipe, corpus: Corpus) -> NDArray[np.int64]:
    """Ids of the texts that say how frequent tokens are."""
    return _union([corpus.sets[name].texts for name in recipe.initial.data or tuple(recipe.data)])


def _fingerprint(recipe: Recipe, corpus: Corpus, teachers: Sequence[Teacher]) -> str:
    """Of everything that decides how a run goes: what a checkpoint may be continued with."""
    data = {name: replace(source, licence="") for name, source in recipe.data.items()}
    parts = [
        asdict(replace(recipe, name="", note="", licence="", extra_bits=(), data=data)),
        {name: entry["sha256"] for name, entry in corpus.files.items()},
        [teacher.fingerprint for teacher in teachers],
    ]
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
