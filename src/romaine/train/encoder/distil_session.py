"""`romaine train distill` from a recipe and folders to a trained student: reads, asks the teacher, trains."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling

from romaine.arrays import FloatArray, slice_dim
from romaine.errors import OptionError, VectorError
from romaine.evaluate.sts import ScoredPairs, read_scored_pairs, spearman
from romaine.models.integrity import sha256_of
from romaine.train.cleaning import Contamination, measuring_texts
from romaine.train.corpus import find_file
from romaine.train.encoder.distil_recipe import DistilRecipe
from romaine.train.encoder.distilling import (
    AlignmentLoss,
    DistilCurriculum,
    Targets,
    as_wide,
    cut_student,
    layer_vectors,
    matched,
)
from romaine.train.encoder.encoder_run import EncoderRun, EncoderTrained, machine
from romaine.train.encoder.model import encode_pooled
from romaine.train.encoder.prepare import start_folder
from romaine.train.encoder.reading import EncoderReading, check_loss, check_sts
from romaine.train.encoder.rounds import RoundTrainer
from romaine.train.recipe import TeacherKind, TeacherSpec
from romaine.train.records import read_examples, sample_examples
from romaine.train.teacher import Side, load_teacher

_SETTLED = 0.9  # share of the first stage's steps after which alignment is held against its limit


def train_distilled(
    run: EncoderRun[DistilRecipe], *, say: Callable[[str], None] = lambda _: None
) -> EncoderTrained:
    """Trains a student by a recipe; a run that was stopped goes on from its last checkpoint.

    Raises:
        OptionError: If an option or the recipe's data cannot be used.
        InputFileError: If a file cannot be used.
        ModelError: If the start or the teacher cannot be loaded.
        VectorError: If training diverges, or the student does not align.
    """
    started = time.monotonic()
    recipe = run.recipe
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    run.out.mkdir(parents=True, exist_ok=True)
    sts_files = [find_file(recipe.watch.sts, run.data)] if recipe.watch.sts else []
    texts, files = _texts(run, Contamination(measuring_texts((*run.measuring, *sts_files))))
    say(f"texts: {len(texts)}")
    longest = max(stage.max_tokens for stage in recipe.stages)
    start = start_folder(recipe.start or recipe.teacher)
    student = cut_student(start, recipe.layers, longest)
    targets = _targets(recipe, texts, student[1].get_embedding_dimension(), longest)
    held = np.arange(recipe.held_out)
    kept = np.arange(recipe.held_out, len(texts))
    observer = DistilObserver(
        recipe,
        [texts[i] for i in held],
        targets.take(held),
        read_scored_pairs(sts_files[0]) if sts_files else None,
        max_tokens=longest,
    )
    trainer = RoundTrainer(
        DistilCurriculum(recipe, [texts[i] for i in kept], targets.take(kept)),
        observer,
        fingerprint=run.fingerprint(files),
        every=recipe.watch.every,
        floor=recipe.watch.sts_floor,
        seed=recipe.seed,
        folder=run.out / "checkpoints",
        say=say,
    )
    progress = trainer.run(student)
    return EncoderTrained(
        model=trainer.best,
        progress=progress,
        files=files,
        seconds=round(time.monotonic() - started, 1),
        machine=machine(),
    )


class DistilObserver:
    """Measures STS and alignment, and stops a student that does not align.

    Args:
        recipe: Its limits.
        texts: Held out.
        targets: Theirs.
        sts: Scored pairs, or None.
        max_tokens: Longer texts are cut.
    """

    def __init__(
        self,
        recipe: DistilRecipe,
        texts: list[str],
        targets: Targets,
        sts: ScoredPairs | None,
        *,
        max_tokens: int,
    ) -> None:
        self._recipe, self._texts, self._targets = recipe, texts, targets
        self._sts, self._max_tokens = sts, max_tokens

    def read(
        self, model: SentenceTransformer, *, step: int, stage: str, loss: float | None
    ) -> EncoderReading:
        """One measurement.

        Raises:
            VectorError: If a figure is not finite, STS too low, or alignment above the limit once the first
                stage has had its time.
        """
        check_loss(loss, step)
        recipe = self._recipe
        aligned = self._alignment(model)
        if step >= _SETTLED * recipe.stages[0].steps and not aligned < recipe.alignment_limit:
            raise VectorError(
                f"alignment with the teacher is {aligned:.3f} at step {step} (stage {stage!r}); below"
                f" {recipe.alignment_limit:g} is needed before and while anything else is learned: give the"
                " first stage more steps, or the student more layers"
            )
        reading = EncoderReading(step=step, stage=stage, loss=loss, alignment=aligned)
        if self._sts is not None:
            vectors = encode_pooled(model, [*self._sts.left, *self._sts.right], max_tokens=self._max_tokens)
            for dim in sorted({*recipe.dims, vectors.shape[1]}, reverse=True):
                left, right = np.split(slice_dim(vectors, dim), 2)
                reading.sts[str(dim)] = spearman(np.einsum("ij,ij->i", left, right), self._sts.scores)
            full = reading.sts[str(vectors.shape[1])]
            if step:  # what was cut and not trained yet may be anywhere
                check_sts(full, stop_below=recipe.watch.stop_below, step=step, stage=stage)
        return reading

    def _alignment(self, model: SentenceTransformer) -> float:
        states = torch.from_numpy(layer_vectors(model, self._texts, max_tokens=self._max_tokens))
        final = torch.nn.functional.normalize(states[:, -1], dim=-1)
        return float(AlignmentLoss(model, self._targets).distance(states, final, torch.arange(len(states))))


def _texts(run: EncoderRun[DistilRecipe], barred: Contamination) -> tuple[list[str], dict[str, Any]]:
    """Distinct texts in an order of their own, those to hold out first."""
    recipe = run.recipe
    found: dict[str, None] = {}
    files: dict[str, Any] = {}
    for name, source in recipe.data.items():
        path = find_file(source.file, run.data)
        examples, counts = sample_examples(
            read_examples(path, source.kind, lines=source.lines), source, recipe.seed.to_bytes(8, "little")
        )
        texts = [text for example in examples for text in example.texts if text]
        clean = [text for text in texts if not barred.holds(text)]
        found |= dict.fromkeys(clean)
        counts = {**counts, "texts": len(clean), "in measuring set": len(texts) - len(clean)}
        files[name] = {"file": source.file, "sha256": sha256_of(path), "licence": source.licence}
        files[name]["counts"] = counts
    if len(found) < 2 * recipe.held_out:
        raise OptionError(
            f"{len(found)} texts are too few to hold out {recipe.held_out}; give more data or lower held_out"
        )
    distinct = list(found)
    order = np.random.default_rng((recipe.seed, 14)).permutation(len(distinct))
    return [distinct[i] for i in order], files


def _targets(recipe: DistilRecipe, texts: list[str], width: int, max_tokens: int) -> Targets:
    vectors = as_wide(load_teacher(recipe.teacher).encode(texts, Side.DOCUMENT), width)
    return Targets(_teacher_layers(recipe.teacher, texts, recipe.layers, width, max_tokens), vectors)


def _teacher_layers(
    spec: TeacherSpec, texts: list[str], layers: int, width: int, max_tokens: int
) -> FloatArray | None:
    """States of the teacher's layers that a student's answer to; None where it shows none so wide."""
    if spec.kind not in (TeacherKind.MODEL, TeacherKind.MINILM):
        return None
    folder = start_folder(spec)
    if not (folder / "model.safetensors").is_file():
        return None
    transformer = Transformer(str(folder), max_seq_length=max_tokens)
    if transformer.get_embedding_dimension() != width:
        return None
    teacher = SentenceTransformer(modules=[transformer, Pooling(width)], device="cpu")
    states = layer_vectors(teacher, texts, max_tokens=max_tokens)
    return states[:, matched(layers, states.shape[1])]
