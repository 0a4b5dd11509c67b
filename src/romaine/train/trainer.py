"""The training loop: phases, checkpoints that survive a kill at any moment, and the best table so far."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from romaine.arrays import FloatArray
from romaine.errors import InputFileError, OptionError, VectorError
from romaine.models.tables import DyT
from romaine.text.ragged import Ragged
from romaine.train.context import Context, Sampler
from romaine.train.packing import Packer
from romaine.train.recipe import Phase, Recipe
from romaine.train.student import Student
from romaine.train.tasks import sampler_for
from romaine.train.watch import Observer, Reading, is_better

_STATE = "state.safetensors"
_BEST = "best.safetensors"
_REFIT = 100  # steps between two fits of levels and scales in a quantising phase
_DROPPED = 7  # sets the random numbers of dropped tokens apart
_FACTS = "romaine"  # key of a checkpoint's metadata

Advance = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """The best table, not packed, float32 (vocab, dim), its measurement as packed, and all readings."""

    table: FloatArray
    dyt: DyT | None
    best: Reading
    readings: tuple[Reading, ...]


@dataclass
class _Progress:
    """Where a run is: steps done over all phases, readings, the best of them, losses since the last."""

    step: int = 0
    readings: list[Reading] = field(default_factory=list)
    best: Reading | None = None
    losses: list[float] = field(default_factory=list)


class Trainer:
    """Trains a table by a recipe, from its last checkpoint if there is one.

    Everything random is a function of the seed and the step, so that a resumed run goes on bit for bit as it
    would have.

    Checkpoints go to `folder`; one that holds those of a run with another fingerprint is refused.
    """

    def __init__(
        self,
        recipe: Recipe,
        context: Context,
        observer: Observer,
        *,
        folder: Path,
        fingerprint: str,
        device: str,
    ) -> None:
        self._recipe, self._context, self._observer = recipe, context, observer
        self._folder, self._fingerprint, self._device = folder, fingerprint, device

    def run(self, start: FloatArray, advance: Advance = lambda _: None) -> Trained:
        """Trains the table `start`, float32 (vocab, dim); `advance` is called with the steps just done.

        Raises:
            VectorError: If the loss or a figure is no longer finite.
            OptionError: If the folder cannot be written or belongs to another run.
            InputFileError: If a checkpoint is damaged.
        """
        self._student = Student(start, dyt=self._recipe.dyt, device=self._device)
        saved, self._at = self._resumed()
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
        best, _ = read_checkpoint(self._folder / _BEST)
        dyt = {name[4:]: value.numpy() for name, value in best.items() if name.startswith("dyt.")}
        assert self._at.best is not None
        return Trained(
            table=best["table"].numpy(),
            dyt=DyT(**dyt) if dyt else None,
            best=self._at.best,
            readings=tuple(self._at.readings),
        )

    def _phase(
        self, place: int, phase: Phase, begin: int, saved: Mapping[str, Tensor] | None, advance: Advance
    ) -> None:
        self._student.begin(phase)
        packs_from = round(phase.steps * phase.quantise_from)
        if self._at.step - begin > packs_from:
            self._student.packer = Packer(self._recipe.bits, self._device)
        if saved is not None:
            self._student.restore(saved)
        samplers = [
            sampler_for(task, self._context, (self._recipe.seed, place, number))
            for number, task in enumerate(phase.tasks)
        ]
        for step in range(self._at.step - begin, phase.steps):
            if step == packs_from:
                self._student.packer = Packer(self._recipe.bits, self._device)
            if self._student.packer is not None and (step - packs_from) % _REFIT == 0:
                self._student.packer.fit(self._student.table)
            self._at.losses.append(self._step(phase, samplers, place, step))
            self._at.step += 1
            if self._at.step % self._recipe.watch.every == 0 or step + 1 == phase.steps:
                self._measure()
                self._save()
            advance(1)
        self._student.end()

    def _step(self, phase: Phase, samplers: Sequence[Sampler], place: int, step: int) -> float:
        batches = [sampler.batch(step) for sampler in samplers]
        rng = None
        if phase.drop:
            seed = np.random.default_rng((self._recipe.seed, place, step, _DROPPED)).integers(2**62)
            rng = torch.Generator().manual_seed(int(seed))
        vectors = self._student.forward(Ragged.concatenate([batch.tokens for batch in batches]), rng=rng)
        parts = torch.split(vectors, [len(batch.tokens) for batch in batches])
        loss = vectors.new_zeros(())
        for task, batch, part in zip(phase.tasks, batches, parts, strict=True):
            loss = loss + task.weight * batch.loss(part)
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
        losses, self._at.losses = self._at.losses, []
        reading = self._observer.read(
            matrix,
            dyt,
            step=self._at.step,
            loss=float(np.mean(losses)) if losses else None,
            bits=self._recipe.bits,
        )
        self._at.readings.append(reading)
        if is_better(reading, self._at.best, floor=self._recipe.watch.sts_floor):
            self._at.best = reading
            tensors = {"table": torch.from_numpy(matrix)}
            if dyt is not None:
                tensors |= {f"dyt.{name}": torch.from_numpy(value) for name, value in vars(dyt).items()}
            write_checkpoint(self._folder / _BEST, tensors, {"step": self._at.step})

    def _save(self) -> None:
        assert self._at.best is not None
        facts = {
            "fingerprint": self._fingerprint,
            "step": self._at.step,
            "best": self._at.best.step,
            "readings": [asdict(reading) for reading in self._at.readings],
        }
        write_checkpoint(self._folder / _STATE, self._student.state(), facts)

    def _resumed(self) -> tuple[Mapping[str, Tensor] | None, _Progress]:
        """The tensors of the last checkpoint and where it was taken."""
        path = self._folder / _STATE
        if not path.exists():
            return None, _Progress()
        tensors, facts = read_checkpoint(path)
        if facts.get("fingerprint") != self._fingerprint:
            raise OptionError(
                f"{self._folder} holds the checkpoints of another recipe, other data or another teacher;"
                " choose another --out, or delete that folder"
            )
        readings = [Reading(**values) for values in facts["readings"]]
        best = next(reading for reading in readings if reading.step == facts["best"])
        return tensors, _Progress(step=facts["step"], readings=readings, best=best)


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Writes a safetensors file beside `path`, brings it to the disk, then gives it that name.

    Raises:
        OptionError: If it cannot be written.
    """
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(tensors), partial, metadata={_FACTS: json.dumps(facts)})
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise OptionError(f"{path} cannot be written: {error}; choose another --out") from error


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads the tensors, on the CPU, and the facts that `write_checkpoint` wrote.

    Raises:
        InputFileError: If the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})[_FACTS])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 (no dict)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputFileError(
            f"{path} is no checkpoint of a training run ({error}); delete {path.parent} to start afresh"
        ) from error
