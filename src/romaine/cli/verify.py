"""`romaine verify`: whether a model may be used. Exit code 0 is PASS, 1 REJECT, 2 that it cannot be told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli import options, terminal
from romaine.cli.evaluate.output import Out, command_line, prepare
from romaine.cli.terminal import print_error, print_json, print_text

if TYPE_CHECKING:
    from romaine.evaluate.verify import Finding, Verification

_REJECTED, _UNREADABLE = 1, 2
_MARKS = {True: "[green]ok[/]", False: "[bold red]no[/]", None: "[dim]--[/]"}


def register(app: typer.Typer) -> None:
    """Adds the command to the app."""
    app.command("verify")(verify)


def verify(
    model: Annotated[
        str, typer.Argument(help="Bundled model, catalog name, hub id or folder.", show_default=False)
    ],
    backend: options.Backend = "auto",
    variant: Annotated[str | None, typer.Option(help="Which ONNX file: fp32 or int8.")] = None,
    threads: options.Threads = None,
    cache_folder: options.CacheFolder = None,
    revision: options.Revision = None,
    allow_rejected: options.AllowRejected = False,
    allow_pickle: Annotated[bool, typer.Option("--allow-pickle", help="Accept weights in a pickle.")] = False,
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="Keep the verdict beside the model.")
    ] = True,
    as_json: options.Json = False,
    out: Out = None,
) -> None:
    """Say PASS or REJECT: does a model keep its promises, and is its quality what a sound model has?

    Never uses the network. Without --backend, every installed way to run the model must agree.
    """
    from romaine.errors import RejectedModelError, RomaineError
    from romaine.evaluate.subject import Subject
    from romaine.evaluate.verify import verify as run_checks

    subject = Subject(
        model=model,
        backend=backend,
        variant=variant,
        threads=threads,
        cache_folder=cache_folder,
        revision=revision,
        allow_rejected=allow_rejected,
        allow_pickle=allow_pickle,
    )
    try:
        prepare(out)
        found = run_checks(subject, store=store)
        if as_json:
            print_json(found.to_json())
        else:
            _print(found)
        if out is not None:
            _write_report(found, out)
    except RejectedModelError as error:
        _reject(model, str(error), as_json=as_json)
        raise typer.Exit(_REJECTED) from None
    except RomaineError as error:  # not 1: nothing was found that speaks against the model
        print_error(error)
        raise typer.Exit(_UNREADABLE) from None
    if not found.passed:
        raise typer.Exit(_REJECTED)


def _write_report(found: Verification, out: Path) -> None:
    from romaine.evaluate.report import write_report
    from romaine.evaluate.verify.report import report_of

    written = write_report(report_of(found, command=command_line()), out, data=found.to_json())
    print_text(f"wrote {written.page} and {len(written.pictures)} pictures", to_stderr=True)


def _reject(model: str, reason: str, *, as_json: bool) -> None:
    """Tells what the catalog knows about a model that is not even opened."""
    if as_json:
        print_json({"model": model, "verdict": "REJECT", "reasons": [reason]})
    else:
        terminal.console().print(f"[bold red]REJECT[/] {_plain(reason)}", soft_wrap=True)


def _print(found: Verification) -> None:
    from rich.table import Table

    console = terminal.console()
    table = Table(
        title=f"{_plain(found.model)} on {found.run}", box=None, pad_edge=False, title_justify="left"
    )
    for name in ("check", "looked at", "", "found", "wanted"):
        table.add_column(name, overflow="fold")
    for finding in found.findings:
        table.add_row(*_row(finding))
    console.print(table)
    if found.passed:
        console.print(f"[bold green]PASS[/] in {found.seconds:.0f} s")
    else:
        console.print(f"[bold red]REJECT[/] in {found.seconds:.0f} s")
    for reason in found.reasons:
        console.print(f"  {_plain(reason)}", soft_wrap=True)
    if found.stored is not None:
        console.print(f"verdict kept in {_plain(str(found.stored))}", style="dim", soft_wrap=True)


def _row(finding: Finding) -> tuple[str, ...]:
    return (
        finding.check,
        _plain(finding.subject),
        _MARKS[finding.passed],
        _plain(finding.found),
        finding.wanted,
    )


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
