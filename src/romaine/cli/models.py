"""`romaine models`: what is known, what is here, downloading, and forgetting recorded hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.table import Table

from romaine.backends.options import LoadOptions
from romaine.cli import options, terminal
from romaine.cli.terminal import print_json, print_text
from romaine.embedder import Embedder

if TYPE_CHECKING:
    from rich.console import Console

    from romaine.models.card import Measure, ModelCard
    from romaine.models.status import Listing, QualityRow

app = typer.Typer(help="Models: list them, show one, download one, accept changed files.")

_WIDE = 180  # columns of a terminal in which the table is readable
_UNKNOWN = "?"
_TOLD = 3  # figures of a model in the list

_DOWNLOADED = ("backend", "variant", "revision", "cache_folder", "allow_rejected", "allow_pickle")


@app.callback(invoke_without_command=True)
def list_models(
    context: typer.Context,
    quality: Annotated[
        bool,
        typer.Option("--quality", help="Every figure: published beside measured here."),
    ] = False,
    as_json: options.Json = False,
    cache_folder: options.CacheFolder = None,
) -> None:
    """Lists the models of the catalog with what was published about them."""
    if context.invoked_subcommand is not None:
        return
    if quality:
        _list_quality(as_json=as_json)
        return
    from romaine.models.status import listings

    rows = listings(cache_folder=cache_folder)
    if as_json:
        print_json([row.to_json() for row in rows])
    else:
        _print_rows(rows)


@app.command("show")
def show(name: options.Name, as_json: options.Json = False, cache_folder: options.CacheFolder = None) -> None:
    """Shows everything known about one model. Never uses the network."""
    from romaine.models.status import describe

    row = describe(name, cache_folder=cache_folder)
    if as_json:
        print_json(row.to_json())
    else:
        for key, value in _facts(row):
            print_text(f"{key:<12} {value}")


@app.command("download")
@options.takes_options
def download(
    name: options.Name,
    *,
    how: Annotated[LoadOptions, Embedder, _DOWNLOADED],
    force: Annotated[bool, typer.Option("--force", help="Download again what is in the cache.")] = False,
) -> None:
    """Downloads what one backend needs of a hub model, and checks it."""
    from romaine.backends.registry import download_model

    resolved = download_model(name, options=how, force=force, show_progress=True)
    print_text(f"{resolved.local.id} is ready for backend {resolved.spec.name!r} in {resolved.local.folder}")


@app.command("forget")
def forget(name: options.Name, cache_folder: options.CacheFolder = None) -> None:
    """Forgets the recorded hashes of a model: its files as they are now are accepted at the next use."""
    from romaine.models.files import forget_hashes
    from romaine.models.names import parse_name

    count = forget_hashes(parse_name(name), cache_folder=cache_folder)
    print_text(f"forgot {count} recorded hashes of {name}")


def _list_quality(*, as_json: bool) -> None:
    from romaine.models.status import quality_rows

    rows = quality_rows()
    if as_json:
        print_json([row.to_json() for row in rows])
        return
    console = terminal.console(markup=False)
    for model in dict.fromkeys(row.model for row in rows):
        _print_quality(console, model, [row for row in rows if row.model == model and row.figure])


def _print_quality(console: Console, model: str, rows: list[QualityRow]) -> None:
    """One model's figures in two columns, and under them where each column is from."""
    console.print(model, style="bold", soft_wrap=True)
    if not rows:
        console.print("  no published figure is known here, none was measured\n")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("figure")
    for title in ("published", "measured"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.figure, _figure(row.published), _figure(row.measured))
    console.print(Padding(table, (0, 0, 0, 2)))
    for title, origins in (
        ("published:", dict.fromkeys(row.source for row in rows if row.source)),
        ("measured:", dict.fromkeys(row.command for row in rows if row.command)),
    ):
        for origin in origins:
            console.print(f"  {title} {origin}", style="dim", soft_wrap=True)
    console.print()


def _print_rows(rows: list[Listing]) -> None:
    """A table where the terminal is wide enough for one, else a few lines for each model."""
    console = terminal.console(markup=False)
    if console.width >= _WIDE:
        console.print(_table(rows))
        return
    for row in rows:
        console.print(f"{row.id}: {row.words}", soft_wrap=True)
        if row.card is not None:
            kind, dims, window, size, licence, quality = _columns(row.card)
            facts = (kind, f"dims {dims}", f"max tokens {window}", size, licence, quality)
            line = "; ".join(fact for fact in facts if fact != _UNKNOWN)
            console.print(Padding(line, (0, 0, 1, 4)))


def _table(rows: list[Listing]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("model", "kind", "dims", "max tokens", "size", "licence", "quality", "status"):
        table.add_column(title, justify="right" if title in ("max tokens", "size") else "left")
    for row in rows:
        facts = _columns(row.card) if row.card is not None else ("",) * 6
        table.add_row(row.id, *facts, row.words)
    return table


def _columns(card: ModelCard) -> tuple[str, ...]:
    return (
        card.kind,
        " ".join(map(str, card.dims)),
        str(card.max_tokens) if card.max_tokens is not None else "no limit",
        f"{card.size / 1e6:.1f} MB" if card.size else _UNKNOWN,
        card.license or _UNKNOWN,
        _quality(card),
    )


def _facts(row: Listing) -> list[tuple[str, str]]:
    facts = [("model", row.id), ("status", row.words)]
    card = row.card
    if card is None:
        return facts
    titles = ("kind", "dims", "max tokens", "size", "licence")
    facts += zip(titles, _columns(card)[: len(titles)], strict=True)
    facts += [
        ("full dim", str(card.full_dim)),
        ("pooling", card.pooling.value + (", then layer norm before slicing" if card.layer_norm else "")),
        ("prompts", f"query {card.prompts.query!r}, document {card.prompts.document!r}"),
        ("backends", ", ".join(card.backends)),
        ("files", ", ".join(f"{use}={path}" for use, path in sorted(card.files.items()))),
        ("note", card.note),
    ]
    facts += [("published", f"{m.name} {m.value:g} ({m.source})") for m in card.quality]
    facts += [("measured", f"{m.name} {m.value:g} ({m.command or m.source})") for m in card.measured]
    return [(title, value) for title, value in facts if value]


def _quality(card: ModelCard) -> str:
    """The first published figures, or the first that was measured here, which is then said."""
    published = ", ".join(_told(measure) for measure in card.quality[:_TOLD])
    measured = ", ".join(f"{_told(measure)} (measured)" for measure in card.measured[:1])
    return published or measured or _UNKNOWN


def _told(measure: Measure) -> str:
    return f"{measure.name} {measure.value:g}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
