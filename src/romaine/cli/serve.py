"""`romaine serve` and `romaine keys`: models and the memory over HTTP, and who may use them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from romaine.cli.terminal import console, print_text
from romaine.errors import MissingExtraError

if TYPE_CHECKING:
    from romaine.server.keys import KeyFile

keys = typer.Typer(help="Keys of a server: make, list, revoke.", no_args_is_help=True)

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Settings of a command whose flags are those of `ServerSettings`."""

_File = Annotated[Path, typer.Option("--keys", help="The file of keys.", show_default=False)]


def serve(context: typer.Context) -> None:
    """Serve models and a memory over HTTP, as OpenAI's, Ollama's and other clients ask for them."""
    try:
        from romaine.server.run import serve as run
        from romaine.server.settings import ServerSettings
    except ImportError as error:
        raise MissingExtraError("romaine serve", "server") from error
    run(ServerSettings.of_flags(context.args))


@keys.command("make")
def make(
    file: _File,
    user: Annotated[str, typer.Option("--user", "-u", help="Whose memory it opens; * for all.")],
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a key and print it; it cannot be shown again."""
    print_text(_open(file).make(user, note=note))


@keys.command("list")
def show(file: _File) -> None:
    """List keys, without their secrets."""
    from rich.table import Table

    table = Table("id", "user", "made", "note")
    for key in _open(file).all():
        table.add_row(key.id, key.user, key.made, key.note)
    console().print(table)


@keys.command("revoke")
def revoke(file: _File, key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Take a key away; a running server refuses it from now on."""
    _open(file).revoke(key_id)
    print_text(f"key {key_id} is revoked", to_stderr=True)


def _open(file: Path) -> KeyFile:
    try:
        from romaine.server.keys import KeyFile
    except ImportError as error:
        raise MissingExtraError("romaine keys", "server") from error
    return KeyFile(file)
