"""`romaine distill`: a transformer -> a static table that runs on numpy alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from romaine.cli import options


def register(app: typer.Typer) -> None:
    """Adds the command to the app."""
    app.command("distill")(distill)


def distill(
    teacher: Annotated[
        Path, typer.Argument(help="Folder with config.json, model.safetensors, tokenizer.json.")
    ],
    texts: Annotated[
        list[Path], typer.Option("--texts", help="A .jsonl, .csv, .tsv or .txt file, also .gz; repeatable.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model.")],
    name: Annotated[str, typer.Option(help="What the model is called on its card.")] = "little-gem",
    dim: Annotated[int, typer.Option("--dim", "-d", help="Components of a vector.")] = 384,
    bits: Annotated[int, typer.Option(help="Bits a component is stored in: 4, 8, 16 or 32.")] = 4,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 600,
    batch: Annotated[int, typer.Option(help="Texts in a step.")] = 512,
    learning_rate: Annotated[float, typer.Option(help="Peak of the learning rate.")] = 0.002,
    listwise: Annotated[float, typer.Option(help="Weight of the order of neighbours in the loss.")] = 0.3,
    sif: Annotated[float, typer.Option(help="Initial token weight is sif / (sif + frequency).")] = 1e-3,
    max_tokens: Annotated[int, typer.Option(help="Tokens of a text that count in training.")] = 64,
    warm_up: Annotated[int, typer.Option(help="Steps until the learning rate is at its peak.")] = 50,
    max_texts: Annotated[
        int, typer.Option(help="How many texts to sample, evenly from all sources.")
    ] = 120_000,
    max_chars: Annotated[int, typer.Option(help="Longer texts are cut here.")] = 300,
    seed: Annotated[int, typer.Option(help="Of the sample, the order and the random components.")] = 0,
    sts: Annotated[
        Path | None, typer.Option(help="CSV of sentence1,sentence2,score to put figures on the card.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps the teacher's vectors.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps.")] = "cpu",
    threads: options.Threads = None,
    license_id: Annotated[
        str, typer.Option("--license", help="SPDX identifier for the card.")
    ] = "Apache-2.0",
    bundled: Annotated[bool, typer.Option("--bundled", hidden=True)] = False,
    progress: Annotated[bool, typer.Option(help="Show bars.")] = True,
) -> None:
    """Distil a sentence transformer into a static table with Matryoshka dimensions."""
    try:
        from romaine.train.distill import Recipe
        from romaine.train.run import DistillRun, run_distill
    except ModuleNotFoundError as error:
        from romaine.errors import MissingExtraError

        raise MissingExtraError("romaine distill", "train") from error
    recipe = Recipe(
        dim=dim,
        steps=steps,
        batch=batch,
        learning_rate=learning_rate,
        listwise=listwise,
        sif=sif,
        max_tokens=max_tokens,
        warm_up=warm_up,
        seed=seed,
    )
    run = DistillRun(
        teacher=teacher,
        texts=tuple(texts),
        out=out,
        recipe=recipe,
        name=name,
        bits=bits,
        max_texts=max_texts,
        max_chars=max_chars,
        sts=sts,
        cache=cache,
        device=device,
        threads=threads,
        license_id=license_id,
        bundled=bundled,
    )
    card = run_distill(run, show_progress=progress)
    typer.echo(f"{card.id}: {card.full_dim} components, {card.size:,} bytes in {out}")
    for measure in card.measured:
        typer.echo(f"  {measure.name}: {measure.value:.4f}")
