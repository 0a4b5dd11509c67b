"""Rounds of training by sentence-transformers' trainer, with checkpoints, measurements and the best model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.sampler import BatchSamplers, MultiDatasetBatchSamplers
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from romaine.errors import OptionError
from romaine.train.encoder.model import Preprocess
from romaine.train.encoder.reading import EncoderReading

_MODEL = "model"
_DONE = "done.json"
_PROGRESS = "progress.json"
_CHECKPOINT = "checkpoint-"
_OTHER_RUN = "{} holds checkpoints of another recipe or other data; choose another --out, or remove it"


@dataclass(frozen=True, kw_only=True)
class Round:
    """Steps with one set of data and losses.

    Attributes:
        stage: Its name in the recipe.
        place: Its number among all rounds.
        steps: How many, roughly: each kind of data is drawn in whole batches.
        batch: Rows of a batch.
        learning_rate: Of AdamW, reached after `warm_up` steps.
        warm_up: Steps.
        decays: Whether the rate falls to zero from there.
        max_tokens: Longer texts are cut.
    """

    stage: str
    place: int
    steps: int
    batch: int
    learning_rate: float
    warm_up: int
    decays: bool
    max_tokens: int


class Curriculum(Protocol):
    """What is learned in which order."""

    rounds: Sequence[Round]

    def material(
        self, model: SentenceTransformer, item: Round, rng: np.random.Generator
    ) -> Mapping[str, tuple[Dataset, nn.Module]]:
        """Data of a round, and what each is learned by."""
        ...

    def adopt(self, model: SentenceTransformer) -> SentenceTransformer:
        """Makes a model that was read from a folder what it was in training (which layers learn)."""
        ...


class RoundObserver(Protocol):
    """Measures a model; raises VectorError to stop a run."""

    def read(
        self, model: SentenceTransformer, *, step: int, stage: str, loss: float | None
    ) -> EncoderReading:
        """One measurement."""
        ...


@dataclass
class Progress:
    """Steps done, readings, and the best of them; and of which run, see `RoundTrainer`."""

    fingerprint: str
    step: int = 0
    readings: list[EncoderReading] = field(default_factory=list)
    best: EncoderReading | None = None


class RoundTrainer:
    """Runs a curriculum on a model; a run that was stopped goes on from its last checkpoint.

    So does one that was whole, where the curriculum has further rounds at its end.

    Args:
        curriculum: What is learned.
        observer: Measures.
        fingerprint: Of all that decides how a run goes but the rounds; checkpoints of another are refused.
        every: Steps between two measurements.
        floor: STS that a released checkpoint reaches.
        seed: Of everything random.
        folder: For checkpoints, one folder a round, and the best model.
        say: Told each reading.
    """

    def __init__(
        self,
        curriculum: Curriculum,
        observer: RoundObserver,
        *,
        fingerprint: str,
        every: int,
        floor: float,
        seed: int,
        folder: Path,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._curriculum, self._observer, self._fingerprint = curriculum, observer, fingerprint
        self._every, self._floor, self._seed = every, floor, seed
        self._folder, self._say = folder, say

    @property
    def best(self) -> Path:
        """Folder of the best model so far."""
        return self._folder / "best"

    def run(self, model: SentenceTransformer) -> Progress:
        """Trains `model`.

        Raises:
            VectorError: If the run diverges.
            OptionError: If the folder holds checkpoints of another run.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._at = _progress(self._folder / _PROGRESS) or Progress(self._fingerprint)
        if self._at.fingerprint != self._fingerprint:
            raise OptionError(_OTHER_RUN.format(self._folder))
        if not self._at.readings:
            self._read(model, None, "start")
        begin = 0
        for item in self._curriculum.rounds:
            folder = self._folder / f"round-{item.place}"
            if (folder / _DONE).is_file():
                done = json.loads((folder / _DONE).read_text("utf-8"))
                if done["round"] != asdict(item):
                    raise OptionError(_OTHER_RUN.format(folder))
                begin = int(done["step"])
                loaded = SentenceTransformer(str(folder / _MODEL), device="cpu")
                model = self._curriculum.adopt(loaded)
                continue
            begin = self._round(model, item, folder, begin)
            model.save_pretrained(str(folder / _MODEL), create_model_card=False)
            (folder / _DONE).write_text(json.dumps({"step": begin, "round": asdict(item)}), "utf-8")
        return self._at

    def _read(self, model: SentenceTransformer, loss: float | None, stage: str) -> None:
        reading = self._observer.read(model, step=self._at.step, stage=stage, loss=loss)
        self._at.readings.append(reading)
        self._say(json.dumps(asdict(reading)))
        if reading.is_better(self._at.best, floor=self._floor):
            self._at.best = reading
            model.save_pretrained(str(self.best), create_model_card=False)
        (self._folder / _PROGRESS).write_text(json.dumps(asdict(self._at)), "utf-8")

    def _round(self, model: SentenceTransformer, item: Round, folder: Path, begin: int) -> int:
        """Trains one round from its last checkpoint, if there is one; returns the steps done by its end."""
        found = self._curriculum.material(model, item, np.random.default_rng((self._seed, item.place)))
        reached = max((int(at.name[len(_CHECKPOINT) :]) for at in folder.glob(f"{_CHECKPOINT}*")), default=0)
        # what was measured after the checkpoint is measured again
        self._at.readings = [reading for reading in self._at.readings if reading.step <= begin + reached]

        def measured(step: int, loss: float | None) -> None:
            self._at.step = begin + step
            self._read(model, loss, item.stage)

        trainer = SentenceTransformerTrainer(
            model=model,
            args=self._arguments(item, folder),
            train_dataset={name: data for name, (data, _) in found.items()},
            loss={name: loss for name, (_, loss) in found.items()},
            data_collator=SentenceTransformerDataCollator(preprocess_fn=Preprocess(model, item.max_tokens)),
            callbacks=[Watcher(measured)],
        )
        trainer.train(resume_from_checkpoint=True if reached else None)
        return begin + int(trainer.state.global_step)

    def _arguments(self, item: Round, folder: Path) -> SentenceTransformerTrainingArguments:
        return SentenceTransformerTrainingArguments(
            output_dir=str(folder),
            num_train_epochs=1,
            per_device_train_batch_size=item.batch,
            learning_rate=item.learning_rate,
            warmup_steps=item.warm_up,
            lr_scheduler_type="linear" if item.decays else "constant_with_warmup",
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            multi_dataset_batch_sampler=MultiDatasetBatchSamplers.PROPORTIONAL,
            save_strategy="steps",
            save_steps=self._every,
            save_total_limit=1,
            logging_steps=self._every,
            logging_nan_inf_filter=False,
            report_to="none",
            disable_tqdm=True,
            seed=self._seed + item.place,
            use_cpu=True,
            dataloader_pin_memory=False,
        )


class Watcher(TrainerCallback):  # type: ignore[misc,unused-ignore]  # without transformers it is Any
    """Calls `measured` with steps and mean loss whenever the trainer logs, and once more at its end.

    Args:
        measured: May raise to stop the run.
    """

    def __init__(self, measured: Callable[[int, float | None], None]) -> None:
        self._measured = measured
        self._last = -1

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
        **_others: Any,
    ) -> None:
        """Measures where there is a loss."""
        if logs and "loss" in logs:
            self._last = state.global_step
            self._measured(state.global_step, float(logs["loss"]))

    def on_train_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **_others: Any,
    ) -> None:
        """Measures what came after the last log."""
        if state.global_step != self._last:
            self._measured(state.global_step, None)


def _progress(path: Path) -> Progress | None:
    if not path.is_file():
        return None
    values = json.loads(path.read_text("utf-8"))
    readings = [EncoderReading(**reading) for reading in values["readings"]]
    best = EncoderReading(**values["best"]) if values["best"] else None
    return Progress(values["fingerprint"], step=values["step"], readings=readings, best=best)


def drawn(size: int, count: int, rng: np.random.Generator) -> list[int]:
    """`count` places below `size`, each as often as any other."""
    rounds = -(-count // size)
    places: list[int] = np.concatenate([rng.permutation(size) for _ in range(rounds)])[:count].tolist()
    return places
