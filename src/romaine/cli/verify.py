"""`romaine verify`: whether a model may be used. Exit code 0 is PASS, 1 REJECT, 2 that it cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from romaine.backends.options import LoadOptions
from romaine.cli import options, terminal
from romaine.cli.report import Answer, command_line
from romaine.cli.terminal import print_error, print_json
from romaine.embedder import Embedder
from romaine.errors import RejectedModelError, RomaineError
from romaine.options import keywords

if TYPE_CHECKING:
    from romaine.evaluate.verify import Finding, Verification

_OPTIONS = ("backend", "variant", "threads", "cache_folder", "revision", "allow_rejected", "allow_pickle")
_REJECTED, _UNREADABLE = 1, 2
_MARKS = {True: "[green]ok[/]", False: "[bold red]no[/]", None: "[dim]--[/]"}


def verify(
    model: options.Name,
    *,
    how: Annotated[LoadOptions, Embedder, _OPTIONS],
    store: Annotated[
        bool, typer.Option("--store/--no-store", help="Keep the verdict beside the model.")
    ] = True,
    answer: Answer,
) -> None:
    """Say PASS or REJECT: does a model keep its promises, and is its quality what a sound model has?

    Never uses the network. Without --backend, every installed way to run the model must agree.
    """
    from romaine.evaluate.subject import Subject
    from romaine.evaluate.verify import verify as run_checks

    subject = Subject(model=model, **keywords(how))
    try:
        answer.prepare()
        found = run_checks(subject, store=store)
        if answer.as_json:
            print_json(found.to_json())
        else:
            _print(found)
        if answer.out is not None:
            from romaine.evaluate.verify.report import report_of

            answer.write(report_of(found, command=command_line()), found.to_json())
    except RejectedModelError as error:
        _reject(model, str(error), as_json=answer.as_json)
        raise typer.Exit(_REJECTED) from None
    if not found.passed:
        raise typer.Exit(_REJECTED)


def exits_with_two(command: Callable[..., None]) -> Callable[..., None]:
    """Ends what went wrong with 2, not 1: nothing was found that speaks against the model."""

    @wraps(command)
    def run(**typed: Any) -> None:
        try:
            command(**typed)
        except RomaineError as error:
            print_error(error)
            raise typer.Exit(_UNREADABLE) from None

    return run


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
    mark = _MARKS[finding.passed]
    return finding.check, _plain(finding.subject), mark, _plain(finding.found), finding.wanted


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
