"""`romaine models`: what is known, what is here, downloading, and forgetting recorded hashes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli import options

if TYPE_CHECKING:
    from romaine.models.card import Measure, ModelCard
    from romaine.models.status import Listing

app = typer.Typer(help="Models: list them, show one, download one, accept changed files.")

Name = Annotated[
    str, typer.Argument(help="Bundled model, catalog name, hub id or folder.", show_default=False)
]


@app.callback(invoke_without_command=True)
def list_models(
    context: typer.Context, as_json: options.Json = False, cache_folder: options.CacheFolder = None
) -> None:
    """Lists the models of the catalog with what was published about them."""
    if context.invoked_subcommand is not None:
        return
    from romaine.models.status import listings

    rows = listings(cache_folder=cache_folder)
    if as_json:
        typer.echo(json.dumps([row.to_json() for row in rows], ensure_ascii=False, indent=2))
    else:
        _print_table(rows)


@app.command("show")
def show(name: Name, as_json: options.Json = False, cache_folder: options.CacheFolder = None) -> None:
    """Shows everything known about one model. Never uses the network."""
    from romaine.models.describe import describe

    row = describe(name, cache_folder=cache_folder)
    if as_json:
        typer.echo(json.dumps(row.to_json(), ensure_ascii=False, indent=2))
    else:
        for key, value in _facts(row):
            typer.echo(f"{key:<12} {value}")


@app.command("download")
def download(
    name: Name,
    backend: options.Backend = "auto",
    variant: Annotated[str | None, typer.Option(help="Which ONNX file: fp32 or int8.")] = None,
    revision: options.Revision = None,
    cache_folder: options.CacheFolder = None,
    allow_rejected: options.AllowRejected = False,
    allow_pickle: Annotated[bool, typer.Option("--allow-pickle", help="Accept weights in a pickle.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Download again what is in the cache.")] = False,
) -> None:
    """Downloads what one backend needs of a hub model, and checks it."""
    from romaine.backends.base import LoadOptions
    from romaine.backends.registry import download_model

    resolved = download_model(
        name,
        backend=backend,
        revision=revision,
        cache_folder=cache_folder,
        allow_rejected=allow_rejected,
        options=LoadOptions(variant=variant, allow_pickle=allow_pickle),
        force=force,
        show_progress=True,
    )
    typer.echo(f"{resolved.local.id} is ready for backend {resolved.spec.name!r} in {resolved.local.folder}")


@app.command("forget")
def forget(name: Name, cache_folder: options.CacheFolder = None) -> None:
    """Forgets the recorded hashes of a model: its files as they are now are accepted at the next use."""
    from romaine.models.files import forget_hashes
    from romaine.models.names import parse_name

    count = forget_hashes(parse_name(name), cache_folder=cache_folder)
    typer.echo(f"forgot {count} recorded hashes of {name}")


def _print_table(rows: list[Listing]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("model", "kind", "dims", "max tokens", "size", "licence", "quality", "status"):
        table.add_column(
            title, overflow="fold", justify="right" if title in ("max tokens", "size") else "left"
        )
    for row in rows:
        card = row.card
        facts = _columns(card) if card is not None else ("",) * 6
        table.add_row(row.id, *facts, row.status.value)
    Console(markup=False, highlight=False).print(table)


def _columns(card: ModelCard) -> tuple[str, ...]:
    return (
        card.kind,
        " ".join(map(str, card.dims)),
        str(card.max_tokens) if card.max_tokens is not None else "no limit",
        _size(card.size),
        card.license or "?",
        _quality((*card.quality, *card.measured)),
    )


def _facts(row: Listing) -> list[tuple[str, str]]:
    facts = [("model", row.id), ("status", row.status.value)]
    card = row.card
    if card is None:
        return facts
    titles = ("kind", "dims", "max tokens", "size", "licence", "quality")
    facts += zip(titles, _columns(card), strict=True)
    facts += [
        ("full dim", str(card.full_dim)),
        ("pooling", card.pooling.value + (", then layer norm before slicing" if card.layer_norm else "")),
        ("prompts", f"query {card.prompts.query!r}, document {card.prompts.document!r}"),
        ("backends", ", ".join(card.backends)),
        ("files", ", ".join(f"{use}={path}" for use, path in sorted(card.files.items()))),
        ("note", card.note),
    ]
    facts += [("source", f"{m.name}: {m.source or m.command}") for m in (*card.quality, *card.measured)]
    return [(title, value) for title, value in facts if value]


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size else "?"


def _quality(measures: tuple[Measure, ...]) -> str:
    return ", ".join(f"{measure.name} {measure.value:g}" for measure in measures) or "?"
