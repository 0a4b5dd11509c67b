"""One run of `romaine distill`, from files to a model folder."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

import torch

from romaine.errors import OptionError
from romaine.models.card import ModelCard
from romaine.models.tables import BITS
from romaine.train.bundle import write_bundle
from romaine.train.distill import Recipe, distill
from romaine.train.figures import read_sts
from romaine.train.teacher import TransformerTeacher
from romaine.train.texts import sample_texts


@dataclass(frozen=True, kw_only=True)
class DistillRun:
    """What goes in and where the result goes.

    Attributes:
        teacher: Folder of the teacher.
        texts: Files to learn from.
        out: Folder for the model.
        recipe: How it is trained.
        name: The model's id.
        bits: 4, 8, 16 or 32.
        max_texts: How many texts to sample.
        max_chars: Where longer texts are cut.
        sts: CSV of scored pairs for the figures on the card, or None.
        cache: Folder for the teacher's vectors, or None.
        device: Torch device.
        threads: Threads of torch, or None for its default.
        license_id: SPDX identifier of the result.
        bundled: Whether the folder is part of the package.
    """

    teacher: Path
    texts: tuple[Path, ...]
    out: Path
    recipe: Recipe = field(default_factory=Recipe)
    name: str = "little-gem"
    bits: int = 4
    max_texts: int = 120_000
    max_chars: int = 300
    sts: Path | None = None
    cache: Path | None = None
    device: str = "cpu"
    threads: int | None = None
    license_id: str = "Apache-2.0"
    bundled: bool = False

    def __post_init__(self) -> None:
        if self.bits not in BITS:
            raise OptionError(f"bits={self.bits} is not possible; choose one of {', '.join(map(str, BITS))}")
        if self.bits == 4 and self.recipe.dim % 2:
            raise OptionError(f"4 bits need an even dim, not {self.recipe.dim}; add one, or use 8 bits")
        for name in ("max_texts", "max_chars"):
            if getattr(self, name) < 2:
                raise OptionError(f"{name}={getattr(self, name)} is not possible; it is at least 2")
        if self.threads is not None and self.threads < 1:
            raise OptionError(f"threads={self.threads} is not possible; it is at least 1")

    def command(self) -> str:
        """The command line that repeats the run, with the files' names in place of their paths."""
        words = ["romaine distill TEACHER", *(f"--texts {path.name}" for path in self.texts), "--out DIR"]
        words += [
            f"--{item.name.replace('_', '-')} {getattr(self.recipe, item.name)}" for item in fields(Recipe)
        ]
        words += [f"--bits {self.bits}", f"--max-texts {self.max_texts}", f"--max-chars {self.max_chars}"]
        words += [f"--threads {self.threads}"] if self.threads else []
        words += [f"--sts {self.sts.name}"] if self.sts else []
        return " ".join(words)


def run_distill(run: DistillRun, *, show_progress: bool = False) -> ModelCard:
    """Samples texts, trains and writes the model.

    Returns:
        The card written beside the weights.

    Raises:
        OptionError: If an option, a file or a device cannot be used.
        ModelError: If the teacher cannot be loaded.
        VectorError: If training diverges.
    """
    if run.threads is not None:
        torch.set_num_threads(run.threads)
    sts = read_sts(run.sts) if run.sts is not None else None
    teacher = TransformerTeacher(run.teacher, device=checked_device(run.device))
    texts = sample_texts(run.texts, limit=run.max_texts, seed=run.recipe.seed, max_chars=run.max_chars)
    trained = distill(
        teacher, texts, recipe=run.recipe, cache=run.cache, device=run.device, show_progress=show_progress
    )
    return write_bundle(
        run.out,
        name=run.name,
        table=trained.table,
        dims=trained.dims,
        bits=run.bits,
        tokenizer=teacher.tokenizer,
        license_id=run.license_id,
        command=run.command(),
        note=f"Static table distilled on {trained.texts:,} short texts; runs on numpy alone.",
        sts=sts,
        bundled=run.bundled,
    )


def checked_device(device: str) -> str:
    """Returns `device` if torch can put a tensor there.

    Raises:
        OptionError: If it cannot, in torch's own words.
    """
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        words = str(error).strip().partition("\n")[0]
        raise OptionError(f"device={device!r} cannot be used ({words}); choose cpu, cuda or mps") from error
    return device
