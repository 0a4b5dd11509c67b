"""`romaine train`: one's own static model, from a recipe and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli import options
from romaine.cli.terminal import print_text

if TYPE_CHECKING:
    from romaine.train.encoder.results import EncoderResult

app = typer.Typer(help="Train a model of one's own.", no_args_is_help=True)

RecipeName = Annotated[
    str, typer.Argument(help="A TOML file, or the name of a recipe in the package.", show_default=False)
]
DataFolders = Annotated[
    list[Path], typer.Option("--data", help="Folder in which the recipe's files are looked up; repeatable.")
]
OutFolder = Annotated[
    Path, typer.Option("--out", "-o", help="Folder for the model, figures and checkpoints.")
]
Measuring = Annotated[
    list[Path] | None,
    typer.Option(help="File of a measuring set; no training text may repeat it. Repeatable."),
]


@app.command("static")
def static(
    recipe: RecipeName,
    data: DataFolders,
    out: OutFolder,
    measuring: Measuring = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder that keeps the teachers' vectors; OUT/teachers if not given.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What the model is called, in place of the recipe's.")
    ] = None,
    bits: Annotated[int | None, typer.Option(help="Bits of a component, in place of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed, in place of the recipe's.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps.")] = "cpu",
    threads: options.Threads = None,
    bundled: Annotated[bool, typer.Option("--bundled", hidden=True)] = False,
    progress: Annotated[bool, typer.Option(help="Show bars.")] = True,
) -> None:
    """Train a static table with Matryoshka dimensions; a run that was stopped goes on where it was."""
    try:
        from romaine.train.recipe_file import read_recipe
        from romaine.train.results import TrainRun
        from romaine.train.run import run_training
    except ModuleNotFoundError as error:
        from romaine.errors import MissingExtraError

        raise MissingExtraError("romaine train", "train") from error
    changed = {
        key: value for key, value in (("name", name), ("bits", bits), ("seed", seed)) if value is not None
    }
    run = TrainRun(
        recipe=replace(read_recipe(recipe), **changed),  # type: ignore[arg-type]
        recipe_name=Path(recipe).name,
        data=tuple(data),
        out=out,
        measuring=tuple(measuring or ()),
        cache=cache,
        device=device,
        threads=threads,
        bundled=bundled,
    )
    result = run_training(run, show_progress=progress)
    print_text(f"{result.card.id}: {result.card.full_dim} components, {result.card.size:,} bytes in {out}")
    for measure in result.card.measured:
        print_text(f"  {measure.name}: {measure.value:.4f}")
    for dim, value in result.metrics["best"]["recall"].items():
        print_text(f"  recall of dev questions, {dim} dims: {value:.4f}")
    watched = (*run.recipe.watch.chats, *run.recipe.watch.pairs)
    unasked = [name for name in watched if name not in result.metrics["best"]["recall_by_set"]]
    if unasked:
        print_text(
            f"warning: no dev questions about {', '.join(unasked)}: raise watch.held_out, or give more data",
            to_stderr=True,
        )
    if not result.above_floor:
        floor = run.recipe.watch.sts_floor
        print_text(
            f"warning: no checkpoint reached the STS floor of {floor:g}; the nearest was kept",
            to_stderr=True,
        )


@app.command("encoder")
def encoder(
    recipe: RecipeName,
    data: DataFolders,
    out: OutFolder,
    measuring: Measuring = None,
    threads: options.Threads = None,
) -> None:
    """Train a transformer with pooled and token vectors; a run that was stopped goes on where it was."""
    try:
        from romaine.train.encoder.encoder_run import EncoderRun
        from romaine.train.encoder.results import write_encoder
        from romaine.train.encoder.session import train_encoder
        from romaine.train.recipe_file import read_encoder_recipe
    except ModuleNotFoundError as error:
        from romaine.errors import MissingExtraError

        raise MissingExtraError("romaine train encoder", "train") from error
    run = EncoderRun(
        recipe=read_encoder_recipe(recipe),
        recipe_name=Path(recipe).name,
        data=tuple(data),
        measuring=tuple(measuring or ()),
        out=out,
        threads=threads,
    )
    _print_encoder(write_encoder(run, train_encoder(run, say=_say)), out)


@app.command("distill")
def distill(
    recipe: RecipeName,
    data: DataFolders,
    out: OutFolder,
    measuring: Measuring = None,
    threads: options.Threads = None,
) -> None:
    """Train a student of fewer layers from a teacher; a run that was stopped goes on where it was."""
    try:
        from romaine.train.encoder.distil_session import train_distilled
        from romaine.train.encoder.encoder_run import EncoderRun
        from romaine.train.encoder.results import write_encoder
        from romaine.train.recipe_file import read_distil_recipe
    except ModuleNotFoundError as error:
        from romaine.errors import MissingExtraError

        raise MissingExtraError("romaine train distill", "train") from error
    run = EncoderRun(
        recipe=read_distil_recipe(recipe),
        recipe_name=Path(recipe).name,
        data=tuple(data),
        measuring=tuple(measuring or ()),
        out=out,
        threads=threads,
    )
    _print_encoder(write_encoder(run, train_distilled(run, say=_say)), out)


@app.command("ranker")
def ranker(
    recipe: RecipeName,
    data: DataFolders,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the ranker and its report.")],
    model: Annotated[
        str,
        typer.Option("--model", help="What embeds; it must not have been trained on the questions."),
    ],
) -> None:
    """Train trees that correct the usual ranking; they must win on a kind of chat that they never saw."""
    try:
        from romaine.train.ranker import train_ranker
        from romaine.train.recipe_file import read_ranker_recipe
    except ModuleNotFoundError as error:
        from romaine.errors import MissingExtraError

        raise MissingExtraError("romaine train", "train") from error
    from romaine.embedder import Embedder

    result = train_ranker(read_ranker_recipe(recipe), data, embedder=Embedder(model).warm_up(), out=out)
    for name, left_out in result.gate.items():
        found = ", ".join(
            f"recall@{k} {left_out.usual[k]:.3f} -> {left_out.learned[k]:.3f}" for k in left_out.usual
        )
        print_text(f"{name}, left out: {found}{'' if left_out.wins else ', not won'}")
    if not result.passes:
        print_text("the weights set by hand stay: not every domain is won", to_stderr=True)
        raise typer.Exit(1)


def _say(line: str) -> None:
    print_text(line, to_stderr=True)


def _print_encoder(result: EncoderResult, out: Path) -> None:
    card = result.card
    print_text(f"{card.id}: {card.full_dim} components, {card.size:,} bytes in {out}")
    for measure in card.measured:
        print_text(f"  {measure.name}: {measure.value:.4f}")
    if not result.above_floor:
        print_text(
            "warning: no checkpoint reached the recipe's STS floor; the nearest was kept", to_stderr=True
        )


@app.command("recipe")
def recipe(
    name: Annotated[str, typer.Argument(help="Which; all are listed if none is given.")] = "",
) -> None:
    """Print a recipe of the package, to start one's own from."""
    from romaine.train.recipe_file import bundled_recipes, recipe_source

    print_text(recipe_source(name).rstrip() if name else "\n".join(bundled_recipes()))
