"""A run that is killed, one that goes on, and one that may not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import nn

from romaine.errors import OptionError, VectorError
from romaine.train.encoder.model import new_student
from romaine.train.encoder.reading import EncoderReading, check_loss
from romaine.train.encoder.rounds import Progress, Round, RoundTrainer, drawn
from tests.train.conftest import THINGS


class Pairs:
    """Rounds of pairs of words."""

    def __init__(self, rounds: int, *, nan: bool = False) -> None:
        self.rounds = [
            Round(
                stage="all",
                place=place,
                steps=4,
                batch=4,
                learning_rate=1e-3,
                warm_up=1,
                decays=False,
                max_tokens=16,
            )
            for place in range(rounds)
        ]
        self._nan = nan

    def material(
        self, model: SentenceTransformer, item: Round, rng: np.random.Generator
    ) -> Mapping[str, tuple[Dataset, nn.Module]]:
        words = rng.permutation(THINGS)[:16].tolist()
        pairs = Dataset.from_dict({"anchor": [f"my {word}" for word in words], "positive": words})
        scale = float("inf") if self._nan else 20.0
        return {"pairs": (pairs, MultipleNegativesRankingLoss(model, scale=scale))}

    def adopt(self, model: SentenceTransformer) -> SentenceTransformer:
        return model


class Watching:
    """Counts, and kills a run at a step."""

    def __init__(self, kill_at: int = -1) -> None:
        self._kill_at = kill_at

    def read(
        self, model: SentenceTransformer, *, step: int, stage: str, loss: float | None
    ) -> EncoderReading:
        check_loss(loss, step)
        if step == self._kill_at:
            raise KeyboardInterrupt
        return EncoderReading(step=step, stage=stage, loss=loss, late={"pairs": step / 10})


@pytest.fixture
def start(small_teacher_folder: Path) -> SentenceTransformer:
    torch.manual_seed(0)
    return new_student(small_teacher_folder, token_dim=8, frozen=0, max_tokens=16)


def run(
    start: SentenceTransformer, folder: Path, pairs: Pairs, watching: Watching, name: str = "a"
) -> Progress:
    trainer = RoundTrainer(pairs, watching, fingerprint=name, every=2, floor=0.0, seed=0, folder=folder)
    return trainer.run(start)


def test_a_killed_run_goes_on_from_its_checkpoint(
    start: SentenceTransformer, small_teacher_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(start, tmp_path, Pairs(2), Watching(kill_at=8))
    assert json.loads((tmp_path / "round-0" / "done.json").read_text("utf-8"))["step"] == 4
    assert (tmp_path / "round-1" / "checkpoint-2").is_dir()
    again = new_student(small_teacher_folder, token_dim=8, frozen=0, max_tokens=16)
    progress = run(again, tmp_path, Pairs(2), Watching())
    assert [reading.step for reading in progress.readings] == [0, 2, 4, 6, 8]
    assert progress.best is not None
    assert progress.best.step == 8
    assert (tmp_path / "best" / "modules.json").is_file()
    # what is whole is left alone, and may be followed by more
    assert run(again, tmp_path, Pairs(2), Watching()).step == 8
    assert run(again, tmp_path, Pairs(3), Watching()).step == 12


def test_checkpoints_of_another_run_are_refused(start: SentenceTransformer, tmp_path: Path) -> None:
    run(start, tmp_path, Pairs(1), Watching())
    with pytest.raises(OptionError, match="another recipe"):
        run(start, tmp_path, Pairs(1), Watching(), name="b")


def test_a_loss_that_is_no_number_stops_the_run(start: SentenceTransformer, tmp_path: Path) -> None:
    with pytest.raises(VectorError, match="diverged at step 2"):
        run(start, tmp_path, Pairs(1, nan=True), Watching())


def test_places_are_drawn_evenly() -> None:
    places = drawn(5, 12, np.random.default_rng(0))
    assert len(places) == 12
    assert {places.count(place) for place in range(5)} == {2, 3}
