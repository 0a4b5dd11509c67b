"""What goes into a run of `romaine train encoder` or `distill`, and what comes out."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from romaine.models.integrity import sha256_of, sha256_of_json
from romaine.train.encoder.distil_recipe import DistilRecipe
from romaine.train.encoder.recipe import EncoderRecipe
from romaine.train.encoder.rounds import Progress

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
        words: list[str] = ["romaine", "train", verb, self.recipe_name]
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


def machine() -> str:
    """What a run is on."""
    return f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
