"""The `romaine` command. One file per group of commands, none with logic of its own."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from romaine import __version__
from romaine.cli import demo, embed, export, mcp, models, page, serve, verify
from romaine.cli.options import takes_options
from romaine.cli.terminal import SafeGroup, print_error, print_text, printable
from romaine.errors import RomaineError

app = typer.Typer(
    name="romaine",
    cls=SafeGroup,
    help="Local embeddings and a character's long memory.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_GROUPS = {
    "memory": ("memory", "A character's long memory: import, recall, look, change."),
    "eval": ("evaluate", "Measure quality, speed, and how far ways to run a model agree."),
    "train": ("train", "Train a static model of one's own."),
}

_INTERRUPTED = 130  # what a shell reports for a process ended by Ctrl-C


class _LaterGroup(TyperGroup):
    """A group whose commands are imported when one is asked for, not for every `romaine --help`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        self._import()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them."""
        self._import()
        return super().get_command(ctx, cmd_name)

    def _import(self) -> None:
        if not self.commands:
            module = import_module(f"romaine.cli.{_GROUPS[str(self.name)][0]}")
            self.commands = typer.main.get_group(module.app).commands


def _show_version(wanted: bool) -> None:
    if wanted:
        print_text(f"romaine {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    del version


app.command("embed")(takes_options(embed.embed))
app.command("export")(takes_options(export.export))
app.command("verify")(verify.exits_with_two(takes_options(verify.verify)))
app.command("demo")(takes_options(demo.demo))
app.command("mcp")(takes_options(mcp.mcp))
app.command("inspect")(takes_options(page.inspect))
app.command("serve", context_settings=serve.PASS_ON)(serve.serve)
app.add_typer(models.app, name="models")
app.add_typer(serve.keys, name="keys")
for _name, (_, _help) in _GROUPS.items():
    app.add_typer(typer.Typer(cls=_LaterGroup, help=_help, no_args_is_help=True), name=_name)


def _one_line(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> str:
    """A warning as a user of commands reads it; where in the code it arose is for programmers."""
    del category
    return printable(f"warning: {' '.join(str(message).split())}\n", to_stderr=True)


def main() -> None:
    """Runs the command line; errors of ours become one line on stderr and exit code 1."""
    warnings.formatwarning = _one_line
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        sys.stderr.close()
        sys.exit(0)
    except (RomaineError, OSError) as error:
        print_error(error)
        sys.exit(1)
