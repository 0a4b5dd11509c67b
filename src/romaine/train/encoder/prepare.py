"""What an encoder learns from: chats read and mined, the head fitted, vectors to keep."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from romaine.backends.options import LoadOptions
from romaine.backends.resolve import resolve_model
from romaine.evaluate.sts import ScoredPairs, read_scored_pairs
from romaine.models.integrity import sha256_of
from romaine.train.cleaning import Contamination, measuring_texts
from romaine.train.corpus import find_file
from romaine.train.encoder.chat_files import EvidenceChat, read_chats
from romaine.train.encoder.curriculum import Material
from romaine.train.encoder.encoder_run import EncoderRun
from romaine.train.encoder.mining import MinedQuestion, ask_memory, document
from romaine.train.encoder.model import encode_pooled, fit_head, new_student, token_weights
from romaine.train.encoder.recipe import EncoderRecipe
from romaine.train.encoder.watch import EncoderObserver
from romaine.train.recipe import TeacherSpec
from romaine.train.teacher import load_teacher, model_of

_KEPT = 5000  # texts that distillation holds where the start model has them
_HEAD = 3000  # turns the head is fitted on
_WEIGHED = 40_000  # turns that say how common tokens are


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Everything that stages need.

    Attributes:
        model: The start, its head fitted.
        material: What is learned from.
        observer: What measures, on chats that are held out.
        files: Name, hash, licence and counts of each file.
        fingerprint: See `EncoderRun.fingerprint`.
    """

    model: SentenceTransformer
    material: Material
    observer: EncoderObserver
    files: dict[str, Any]
    fingerprint: str


def prepare(run: EncoderRun[EncoderRecipe], *, say: Callable[[str], None] = lambda _: None) -> Prepared:
    """Reads, mines, fits; what the memory ranked is kept in `run.out`.

    Raises:
        OptionError: If an option or the recipe's data cannot be used.
        InputFileError: If a file cannot be used.
        ModelError: If the start or a teacher cannot be loaded.
        MissingExtraError: If something the recipe needs is not installed.
    """
    recipe = run.recipe
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    run.out.mkdir(parents=True, exist_ok=True)
    sts_files = [find_file(recipe.watch.sts, run.data)] if recipe.watch.sts else []
    barred = Contamination(measuring_texts((*run.measuring, *sts_files)))
    chats: dict[str, Sequence[EvidenceChat]] = {}
    held: dict[str, Sequence[EvidenceChat]] = {}
    files: dict[str, Any] = {}
    for name, data in recipe.data.items():
        path = find_file(data.file, run.data)
        kept, held[name], counts = read_chats(path, data, barred=barred, seed=recipe.seed)
        chats[name] = kept
        files[name] = {
            "file": data.file,
            "sha256": sha256_of(path),
            "licence": data.licence,
            "counts": counts,
        }
        say(f"{name}: {counts}")
    scored = _scored(recipe, run, barred, files)
    fingerprint = run.fingerprint(files)
    asked = {
        name: _mined(found, run.out / f"mined-{name}-{fingerprint[:12]}.json", recipe.seed)
        for name, found in chats.items()
    }
    say(f"mined: { {name: len(found) for name, found in asked.items()} }")
    longest = max(stage.max_tokens for stage in recipe.stages)
    model = new_student(
        start_folder(recipe.start), token_dim=recipe.token_dim, frozen=recipe.frozen, max_tokens=longest
    )
    turns = _some_turns(chats, recipe.seed, _WEIGHED)
    contexts = [document(chat.turns, place, longest) for chat, place in turns]
    weights = token_weights(model, contexts)
    fit_head(model, contexts[:_HEAD])
    kept_texts = [chat.turns[place].document for chat, place in turns[: _KEPT // 2]]
    kept_texts += [*scored.left, *scored.right][: _KEPT // 2] if scored is not None else []
    needs_kept = any(stage.distil for stage in recipe.stages)
    kept_vectors = (
        encode_pooled(model, kept_texts, max_tokens=longest)
        if needs_kept
        else np.empty((0, 1), dtype=np.float32)
    )
    material = Material(
        chats=chats,
        asked=asked,
        scored=scored,
        kept=(kept_texts, kept_vectors),
        weights=weights,
        margins=load_teacher(recipe.margins, threads=run.threads) if recipe.margins is not None else None,
    )
    observer = EncoderObserver(
        held,
        read_scored_pairs(sts_files[0]) if sts_files else None,
        watch=recipe.watch,
        dims=recipe.dims,
        weights=weights,
        max_tokens=longest,
    )
    return Prepared(model=model, material=material, observer=observer, files=files, fingerprint=fingerprint)


def start_folder(spec: TeacherSpec) -> Path:
    """The folder of a model to start from or to learn from, downloaded if it has to be.

    Raises:
        ModelError: If it cannot be found, read or trusted.
    """
    return resolve_model(model_of(spec), options=LoadOptions(backend="torch")).local.folder


def _mined(chats: Sequence[EvidenceChat], file: Path, seed: int) -> list[MinedQuestion]:
    """The memory's ranking of all questions, kept in a file, as a resumed run asks the same."""
    if file.is_file():
        return [
            MinedQuestion(chat, question, positive, tuple(candidates))
            for chat, question, positive, candidates in json.loads(file.read_text("utf-8"))
        ]
    asked = ask_memory(chats, seed)
    file.write_text(
        json.dumps([(item.chat, item.question, item.positive, item.candidates) for item in asked]), "utf-8"
    )
    return asked


def _scored(
    recipe: EncoderRecipe, run: EncoderRun[EncoderRecipe], barred: Contamination, files: dict[str, Any]
) -> ScoredPairs | None:
    if not recipe.scored:
        return None
    path = find_file(recipe.scored, run.data)
    pairs = read_scored_pairs(path)
    kept = [
        i
        for i, texts in enumerate(zip(pairs.left, pairs.right, strict=True))
        if not any(map(barred.holds, texts))
    ]
    counts = {"pairs": len(pairs.left), "in measuring set": len(pairs.left) - len(kept)}
    files["scored"] = {"file": recipe.scored, "sha256": sha256_of(path), "licence": recipe.scored_licence}
    files["scored"]["counts"] = counts
    return ScoredPairs(
        left=tuple(pairs.left[i] for i in kept),
        right=tuple(pairs.right[i] for i in kept),
        scores=pairs.scores[kept],
    )


def _some_turns(
    chats: dict[str, Sequence[EvidenceChat]], seed: int, most: int
) -> list[tuple[EvidenceChat, int]]:
    """Turns of all data in equal shares, in a random order."""
    rng = np.random.default_rng((seed, 13))
    found: list[tuple[EvidenceChat, int]] = []
    for part in chats.values():
        places = [(chat, place) for chat in part for place in range(len(chat.turns))]
        found += [places[i] for i in rng.permutation(len(places))[: most // len(chats)]]
    return [found[i] for i in rng.permutation(len(found))]
