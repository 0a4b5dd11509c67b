"""`romaine train encoder` from a recipe and folders to a trained model."""

from __future__ import annotations

import time
from collections.abc import Callable

from romaine.train.encoder.curriculum import EncoderCurriculum
from romaine.train.encoder.encoder_run import EncoderRun, EncoderTrained, machine
from romaine.train.encoder.prepare import prepare
from romaine.train.encoder.recipe import EncoderRecipe
from romaine.train.encoder.rounds import RoundTrainer


def train_encoder(
    run: EncoderRun[EncoderRecipe], *, say: Callable[[str], None] = lambda _: None
) -> EncoderTrained:
    """Trains by a recipe; a run that was stopped goes on from its last checkpoint.

    Raises:
        OptionError: If an option or the recipe's data cannot be used, or `run.out` holds another run.
        InputFileError: If a file cannot be used.
        ModelError: If the start or a teacher cannot be loaded.
        MissingExtraError: If something the recipe needs is not installed.
        VectorError: If training diverges.
    """
    started = time.monotonic()
    recipe = run.recipe
    prepared = prepare(run, say=say)
    trainer = RoundTrainer(
        EncoderCurriculum(recipe, prepared.material),
        prepared.observer,
        fingerprint=prepared.fingerprint,
        every=recipe.watch.every,
        floor=recipe.watch.sts_floor,
        seed=recipe.seed,
        folder=run.out / "checkpoints",
        say=say,
    )
    progress = trainer.run(prepared.model)
    return EncoderTrained(
        model=trainer.best,
        progress=progress,
        files=prepared.files,
        seconds=round(time.monotonic() - started, 1),
        machine=machine(),
    )
