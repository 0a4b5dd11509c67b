"""What the parts of an encoder's training are worth: short runs of one stage, each without one of them.

    python benchmarks/encoder_ablation.py --data DATA --out OUT [--recipe oakleaf] [--steps 30] [--threads 1]
                                          [--json]

All start from the same model and head, learn from the recipe's data named with --only, and are measured on
its held-out chats and its STS file, once each. What stages are worth is in a whole run's metrics.json, whose
readings come at the end of every round.
"""

from __future__ import annotations

import argparse
import copy
import json
from dataclasses import asdict, replace
from pathlib import Path

from sentence_transformers import SentenceTransformer

from romaine.train.encoder.curriculum import EncoderCurriculum
from romaine.train.encoder.encoder_run import EncoderRun
from romaine.train.encoder.prepare import prepare
from romaine.train.encoder.reading import EncoderReading
from romaine.train.encoder.recipe import Stage
from romaine.train.encoder.rounds import RoundTrainer
from romaine.train.encoder.watch import EncoderObserver
from romaine.train.recipe_file import read_encoder_recipe


def variants(steps: int) -> dict[str, Stage]:
    """Stages by what they lack."""
    whole = Stage(
        name="ablation", steps=steps, negatives=2, learning_rate=5e-5, max_tokens=56, scored=0.15, distil=0.1
    )
    return {
        "everything": whole,
        "no mined negatives": replace(whole, negatives=0),
        "no loss of token vectors": replace(whole, late=0.0),
        "no loss of pooled vectors": replace(whole, pooled=0.0),
        "no scored pairs, nothing kept": replace(whole, scored=0.0, distil=0.0),
    }


class OneStart:
    """Measures the model that all variants start from once."""

    def __init__(self, observer: EncoderObserver) -> None:
        self._observer = observer
        self.start: EncoderReading | None = None

    def read(
        self, model: SentenceTransformer, *, step: int, stage: str, loss: float | None
    ) -> EncoderReading:
        """As the observer, but for step 0."""
        if step == 0 and self.start is not None:
            return self.start
        reading = self._observer.read(model, step=step, stage=stage, loss=loss)
        if step == 0:
            self.start = reading
        return reading


def main() -> None:
    """Trains and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipe", default="oakleaf")
    parser.add_argument("--only", nargs="*", default=["friends", "asked"])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    recipe = read_encoder_recipe(asked.recipe)
    stages = variants(asked.steps)
    recipe = replace(
        recipe,
        data={name: data for name, data in recipe.data.items() if name in asked.only},
        stages=(stages["everything"],),
        watch=replace(recipe.watch, every=10**6),
        margins=None,
    )
    run = EncoderRun(
        recipe=recipe, recipe_name=asked.recipe, data=(asked.data,), out=asked.out, threads=asked.threads
    )
    prepared = prepare(run)
    observer = OneStart(prepared.observer)
    readings: dict[str, EncoderReading] = {}
    for place, (name, stage) in enumerate(stages.items()):
        trainer = RoundTrainer(
            EncoderCurriculum(replace(recipe, stages=(stage,)), prepared.material),
            observer,
            fingerprint=prepared.fingerprint,
            every=10**6,
            floor=0.0,
            seed=recipe.seed,
            folder=asked.out / f"variant-{place}",
        )
        found = trainer.run(copy.deepcopy(prepared.model)).readings
        readings.setdefault("the start", found[0])
        readings[name] = found[-1]
        print(f"{name}: {asdict(found[-1])}", flush=True)
    if asked.json:
        print(json.dumps({name: asdict(reading) for name, reading in readings.items()}))
        return
    dims = [str(max(recipe.dims)), str(min(recipe.dims))]
    print(f"| {asked.steps} steps | token vectors | pooled vectors | STS {dims[0]} | STS {dims[1]} |")
    print("|---|---|---|---|---|")
    for name, reading in readings.items():
        pooled = sum(reading.pooled.values()) / len(reading.pooled)
        cells = (reading.recall or 0.0, pooled, *(reading.sts[dim] for dim in dims))
        print(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")


if __name__ == "__main__":
    main()
