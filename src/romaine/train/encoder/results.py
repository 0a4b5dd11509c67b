"""What `romaine train encoder` leaves behind: torch and ONNX files, card, README.md, metrics.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from romaine.arrays import slice_dim
from romaine.embedder import Embedder
from romaine.errors import OptionError
from romaine.evaluate.sts import ScoredPairs, read_scored_pairs, spearman
from romaine.export import export_model
from romaine.models import integrity
from romaine.models.card import Measure, ModelCard
from romaine.models.card_json import write_card
from romaine.train.corpus import find_file
from romaine.train.encoder.distil_recipe import DistilRecipe
from romaine.train.encoder.encoder_run import EncoderRun, EncoderTrained
from romaine.train.encoder.folder import write_plain
from romaine.train.encoder.recipe import EncoderRecipe
from romaine.train.watch import duplicate_threshold

_TORCH = "torch"
_METRICS = "metrics.json"


@dataclass(frozen=True, kw_only=True)
class EncoderResult:
    """The card beside the ONNX files, what metrics.json holds, and whether the STS floor was reached."""

    card: ModelCard
    metrics: Mapping[str, Any]
    above_floor: bool


def write_encoder(
    run: EncoderRun[EncoderRecipe] | EncoderRun[DistilRecipe], trained: EncoderTrained
) -> EncoderResult:
    """Writes the best checkpoint as a torch folder below `run.out` and as ONNX in it, measured as written.

    Raises:
        OptionError: If the folder cannot be written.
        ModelFormatError: If int8 does not keep the model's quality.
        MissingExtraError: If what exporting needs is not installed.
    """
    recipe = run.recipe
    torch_folder = run.out / _TORCH
    _forget(torch_folder, run.out)
    write_plain(
        SentenceTransformer(str(trained.model), device="cpu"),
        torch_folder,
        dims=recipe.dims,
        window=recipe.window,
    )
    export_model(torch_folder, run.out, int8=True, fuse=True, threads=run.threads, local_files_only=True)
    embedder = Embedder(run.out, threads=run.threads)
    card = replace(
        embedder.card,
        id=recipe.name,
        dims=recipe.dims,
        license=recipe.licence,
        note=recipe.note,
        bundled=False,
    )
    if recipe.watch.sts:
        pairs = read_scored_pairs(find_file(recipe.watch.sts, run.data))
        card = _measured(card, embedder, pairs, name=Path(recipe.watch.sts).stem, command=run.command())
    best = trained.progress.best
    _forget(run.out)  # its card was read without what was measured
    try:
        write_card(card, run.out)
        metrics = {
            "model": recipe.name,
            "command": run.command(),
            "above_floor": best is None
            or not best.sts
            or best.sts[max(best.sts, key=int)] >= recipe.watch.sts_floor,
            "best": best and asdict(best),
            "readings": [asdict(reading) for reading in trained.progress.readings],
            "data": trained.files,
            "seconds": trained.seconds,
            "machine": trained.machine,
            "measured": {measure.name: measure.value for measure in card.measured},
            "recipe": asdict(recipe),
        }
        (run.out / _METRICS).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise OptionError(f"{run.out} cannot be written ({error}); choose another --out") from error
    return EncoderResult(card=card, metrics=metrics, above_floor=bool(metrics["above_floor"]))


def _forget(*folders: Path) -> None:
    """Their hashes at first use: what is written here now is to be trusted, whatever was there before."""
    for folder in folders:
        integrity.forget(f"folder:{folder.resolve()}")


def _measured(
    card: ModelCard, embedder: Embedder, pairs: ScoredPairs, *, name: str, command: str
) -> ModelCard:
    """The card with Spearman of the int8 file at every dimension, and the duplicate threshold they give."""
    vectors = embedder.embed_documents([*pairs.left, *pairs.right])
    measures: list[Measure] = []
    threshold: float | None = None
    for dim in sorted(card.dims, reverse=True):
        left, right = np.split(slice_dim(vectors, dim), 2)
        cosines = np.einsum("ij,ij->i", left, right).astype(np.float64)
        if threshold is None:
            threshold = duplicate_threshold(cosines, pairs.scores)
        value = round(spearman(cosines, pairs.scores), 4)
        measures.append(Measure(name=f"{name} Spearman, int8, {dim} dims", value=value, command=command))
    assert threshold is not None
    return replace(card, measured=(*measures, *card.measured), duplicate_threshold=threshold)
