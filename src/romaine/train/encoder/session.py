"""`romaine train encoder` from a recipe and folders to a trained model: reads, mines, fits, trains."""

from __future__ import annotations

import json
import platform
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from romaine.backends.options import LoadOptions
from romaine.backends.resolve import resolve_model
from romaine.evaluate.sts import ScoredPairs, read_scored_pairs
from romaine.models.integrity import sha256_of, sha256_of_json
from romaine.train.cleaning import Contamination, measuring_texts
from romaine.train.corpus import find_file
from romaine.train.encoder.chat_files import Chat, read_chats
from romaine.train.encoder.curriculum import EncoderCurriculum, Material
from romaine.train.encoder.distil_recipe import DistilRecipe
from romaine.train.encoder.mining import Asked, ask_memory, document
from romaine.train.encoder.model import encode_pooled, fit_head, new_student, token_weights
from romaine.train.encoder.recipe import EncoderRecipe
from romaine.train.encoder.rounds import Progress, RoundTrainer
from romaine.train.encoder.watch import EncoderObserver
from romaine.train.recipe import TeacherSpec
from romaine.train.teacher import load_teacher, model_of

_KEPT = 5000  # texts that distillation holds where the start model has them
_HEAD = 3000  # turns the head is fitted on
_WEIGHED = 40_000  # turns that say how common tokens are

Say = Callable[[str], None]


R = TypeVar("R", EncoderRecipe, DistilRecipe)


@dataclass(frozen=True, kw_only=True)
class EncoderRun(Generic[R]):
    """What goes into `romaine train encoder` or `distill`, and where the result goes.

    Attributes:
        recipe: How.
        recipe_name: What the recipe was called on the command line, without its folder.
        data: Folders in which the recipe's files are looked up, in order.
        measuring: Files that nothing asked in training may repeat.
        out: Folder for checkpoints, figures and the model.
        threads: Threads of torch, or None for its default.
    """

    recipe: R
    recipe_name: str
    data: tuple[Path, ...]
    out: Path
    measuring: tuple[Path, ...] = ()
    threads: int | None = None

    def fingerprint(self, files: Mapping[str, Mapping[str, Any]]) -> str:
        """Of what decides how a run goes, its stages aside: what a checkpoint may be continued with."""
        plain = replace(self.recipe, name="", note="", licence="", window=1)
        values = {key: value for key, value in asdict(plain).items() if key != "stages"}
        hashes = {name: entry["sha256"] for name, entry in files.items()}
        return sha256_of_json([values, hashes, sorted(sha256_of(path) for path in self.measuring)])

    def command(self) -> str:
        """The command line that repeats the run, with placeholders for folders."""
        verb = "encoder" if isinstance(self.recipe, EncoderRecipe) else "distill"
        words = ["romaine", "train", verb, self.recipe_name]
        for _ in self.data:
            words += ["--data", "DIR"]
        for path in self.measuring:
            words += ["--measuring", path.name]
        words += ["--threads", str(self.threads)] if self.threads else []
        return shlex.join([*words, "--out", "OUT"])


@dataclass(frozen=True, kw_only=True)
class EncoderTrained:
    """What came out.

    Attributes:
        model: Folder of the best checkpoint.
        progress: All readings.
        files: What was learned from: name, hash, licence, counts of each.
        seconds: This process took, reading and mining with it; less for a run that was resumed.
        machine: What it ran on.
    """

    model: Path
    progress: Progress
    files: dict[str, Any]
    seconds: float
    machine: str


def train_encoder(run: EncoderRun[EncoderRecipe], *, say: Say = lambda _: None) -> EncoderTrained:
    """Trains by a recipe; a run that was stopped goes on from its last checkpoint.

    Raises:
        OptionError: If an option or the recipe's data cannot be used.
        InputFileError: If a file cannot be used.
        ModelError: If the start or a teacher cannot be loaded.
        MissingExtraError: If something the recipe needs is not installed.
        VectorError: If training diverges.
    """
    started = time.monotonic()
    recipe = run.recipe
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    run.out.mkdir(parents=True, exist_ok=True)
    sts_files = [find_file(recipe.watch.sts, run.data)] if recipe.watch.sts else []
    barred = Contamination(measuring_texts((*run.measuring, *sts_files)))
    chats: dict[str, Sequence[Chat]] = {}
    held: dict[str, Sequence[Chat]] = {}
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
    weights = token_weights(model, [document(chat.turns, place, longest) for chat, place in turns])
    contexts = [document(chat.turns, place, longest) for chat, place in turns]
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
    trainer = RoundTrainer(
        EncoderCurriculum(recipe, material),
        observer,
        fingerprint=fingerprint,
        every=recipe.watch.every,
        floor=recipe.watch.sts_floor,
        seed=recipe.seed,
        folder=run.out / "checkpoints",
        say=say,
    )
    progress = trainer.run(model)
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    return EncoderTrained(
        model=trainer.best,
        progress=progress,
        files=files,
        seconds=round(time.monotonic() - started, 1),
        machine=machine,
    )


def start_folder(spec: TeacherSpec) -> Path:
    """The folder of a model to start from or to learn from, downloaded if it has to be.

    Raises:
        ModelError: If it cannot be found, read or trusted.
    """
    return resolve_model(model_of(spec), options=LoadOptions(backend="torch")).local.folder


def _mined(chats: Sequence[Chat], file: Path, seed: int) -> list[Asked]:
    """The memory's ranking of all questions, kept in a file, as a resumed run asks the same."""
    if file.is_file():
        return [
            Asked(chat, question, positive, tuple(candidates))
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


def _some_turns(chats: dict[str, Sequence[Chat]], seed: int, most: int) -> list[tuple[Chat, int]]:
    """Turns of all data in equal shares, in a random order."""
    rng = np.random.default_rng((seed, 13))
    found: list[tuple[Chat, int]] = []
    for part in chats.values():
        places = [(chat, place) for chat in part for place in range(len(chat.turns))]
        found += [places[i] for i in rng.permutation(len(places))[: most // len(chats)]]
    return [found[i] for i in rng.permutation(len(found))]
