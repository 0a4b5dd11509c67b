"""The training loop: phases, checkpoints, and the best table so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from romaine.arrays import FloatArray
from romaine.errors import OptionError, VectorError
from romaine.models.tables import DyT
from romaine.text.ragged import Ragged
from romaine.train.batches import dice_at
from romaine.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from romaine.train.packing import Packer, packed
from romaine.train.recipe import Phase, Recipe
from romaine.train.student import Student
from romaine.train.surroundings import Surroundings, Worker
from romaine.train.tasks import worker
from romaine.train.watch import Observer, Reading, is_better

_STATE = "state.safetensors"
_BEST = "best.safetensors"
_REFIT = 100  # steps between two fits of levels and scales in a quantising phase
_DROPPED = 7  # sets the chance of dropped tokens apart

Advance = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """The outcome of a run.

    Attributes:
        table: The best table, not packed, float32 (vocab, dim).
        dyt: What follows the mean, or None.
        best: What was measured on it as packed.
        readings: All of them, in order.
    """

    table: FloatArray
    dyt: DyT | None
    best: Reading
    readings: tuple[Reading, ...]


@dataclass
class _Progress:
    """Where a run is.

    Attributes:
        step: Steps done, over all phases.
        readings: What was measured.
        best: The best of them.
        losses: Since the last reading.
    """

    step: int = 0
    readings: list[Reading] = field(default_factory=list)
    best: Reading | None = None
    losses: list[float] = field(default_factory=list)


class Trainer:
    """Trains a table by a recipe, from its last checkpoint if there is one.

    Everything random is a function of the seed and the step, so that a resumed run goes on bit for bit as it
    would have.

    Args:
        recipe: How.
        around: Data, teachers and tokenizer.
        observer: What is measured.
        folder: For checkpoints.
        fingerprint: Of recipe and data; a folder with another run's checkpoints is refused.
        device: Torch device.
    """

    def __init__(
        self,
        recipe: Recipe,
        around: Surroundings,
        observer: Observer,
        *,
        folder: Path,
        fingerprint: str,
        device: str,
    ) -> None:
        self._recipe, self._around, self._observer = recipe, around, observer
        self._folder, self._fingerprint, self._device = folder, fingerprint, device

    def run(self, start: FloatArray, advance: Advance = lambda _: None) -> Trained:
        """Trains.

        Args:
            start: Table to start from, float32 (vocab, dim).
            advance: Called with the number of steps just done.

        Raises:
            VectorError: If the loss or a figure is no longer finite.
            OptionError: If the folder cannot be written or belongs to another run.
            InputFileError: If a checkpoint is damaged.
        """
        self._student = Student(start, dyt=self._recipe.dyt, device=self._device)
        saved = self._saved()
        self._at = _Progress() if saved is None else _progress_of(saved.facts)
        advance(self._at.step)
        if saved is None:
            self._measure()
        begin = 0
        for place, phase in enumerate(self._recipe.phases):
            end = begin + phase.steps
            # a checkpoint at the very end of a phase was taken before the phase ended
            if saved is None or self._at.step <= end:
                self._phase(place, phase, begin, saved, advance)
                saved = None
            begin = end
        best = read_checkpoint(self._folder / _BEST)
        assert self._at.best is not None
        return Trained(
            table=best.tensors["table"].numpy(),
            dyt=_dyt_of(best.tensors),
            best=self._at.best,
            readings=tuple(self._at.readings),
        )

    def _phase(
        self, place: int, phase: Phase, begin: int, saved: Checkpoint | None, advance: Advance
    ) -> None:
        self._student.begin(phase)
        packs_from = round(phase.steps * phase.quantise_from)
        if self._at.step - begin > packs_from:
            self._student.packer = Packer(self._recipe.bits, self._device)
        if saved is not None:
            self._student.restore(saved.tensors)
        workers = [
            worker(task, self._around, (self._recipe.seed, place, number))
            for number, task in enumerate(phase.tasks)
        ]
        for step in range(self._at.step - begin, phase.steps):
            if step == packs_from:
                self._student.packer = Packer(self._recipe.bits, self._device)
            if self._student.packer is not None and (step - packs_from) % _REFIT == 0:
                self._student.packer.fit(self._student.table)
            self._at.losses.append(self._step(phase, workers, place, step))
            self._at.step += 1
            if self._at.step % self._recipe.watch.every == 0 or step + 1 == phase.steps:
                self._measure()
                self._save()
            advance(1)
        self._student.end()

    def _step(self, phase: Phase, workers: Sequence[Worker], place: int, step: int) -> float:
        draws = [each.draw(step) for each in workers]
        dice = None
        if phase.drop:
            seed = dice_at(self._recipe.seed, place, step, _DROPPED).integers(2**62)
            dice = torch.Generator().manual_seed(int(seed))
        vectors = self._student.forward(Ragged.concatenate([draw.tokens for draw in draws]), dice=dice)
        parts = torch.split(vectors, [len(draw.tokens) for draw in draws])
        loss = vectors.new_zeros(())
        for task, draw, part in zip(phase.tasks, draws, parts, strict=True):
            loss = loss + task.weight * draw.loss(part)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise VectorError(
                f"the loss is {value} at step {self._at.step + 1} (phase {phase.name!r});"
                f" lower learning_rate={phase.learning_rate} or check the teachers' vectors"
            )
        self._student.step(loss, phase.rate(step))
        return value

    def _measure(self) -> None:
        """Measures the table as it would be packed now, and keeps it if it is the best."""
        matrix, dyt = self._student.matrix(), self._student.dyt()
        if not np.isfinite(matrix).all():
            raise VectorError(f"the table holds NaN or infinite values at step {self._at.step}")
        losses = self._at.losses
        reading = self._observer.read(
            packed(matrix, self._recipe.bits),
            dyt,
            step=self._at.step,
            loss=float(np.mean(losses)) if losses else None,
        )
        self._at.losses = []
        self._at.readings.append(reading)
        if is_better(reading, self._at.best, floor=self._recipe.watch.sts_floor):
            self._at.best = reading
            tensors = {"table": torch.from_numpy(matrix)}
            if dyt is not None:
                tensors |= {f"dyt.{name}": torch.from_numpy(value) for name, value in vars(dyt).items()}
            write_checkpoint(self._folder / _BEST, tensors, {"step": self._at.step})

    def _save(self) -> None:
        assert self._at.best is not None
        write_checkpoint(
            self._folder / _STATE,
            self._student.state(),
            {
                "fingerprint": self._fingerprint,
                "step": self._at.step,
                "best": self._at.best.step,
                "readings": [reading.to_json() for reading in self._at.readings],
            },
        )

    def _saved(self) -> Checkpoint | None:
        path = self._folder / _STATE
        if not path.exists():
            return None
        saved = read_checkpoint(path)
        if saved.facts.get("fingerprint") != self._fingerprint:
            raise OptionError(
                f"{self._folder} holds the checkpoints of another recipe, other data or another teacher;"
                " choose another --out, or delete that folder"
            )
        return saved


def _progress_of(facts: Mapping[str, Any]) -> _Progress:
    readings = [_reading_of(values) for values in facts["readings"]]
    best = next(reading for reading in readings if reading.step == facts["best"])
    return _Progress(step=facts["step"], readings=readings, best=best)


def _reading_of(values: Mapping[str, Any]) -> Reading:
    def numbered(by_dim: Mapping[str, float]) -> dict[int, float]:
        return {int(dim): value for dim, value in by_dim.items()}

    by_set = {name: numbered(by_dim) for name, by_dim in values["recall_by_set"].items()}
    figures = {name: numbered(values[name]) for name in ("sts", "recall", "alignment", "uniformity")}
    return Reading(step=values["step"], loss=values["loss"], recall_by_set=by_set, **figures)


def _dyt_of(tensors: Mapping[str, Tensor]) -> DyT | None:
    found = {name[4:]: value.numpy() for name, value in tensors.items() if name.startswith("dyt.")}
    return DyT(**found) if found else None
