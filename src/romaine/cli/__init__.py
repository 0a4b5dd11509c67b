"""The `romaine` command. One file per group of commands, none with logic of its own."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from romaine import __version__
from romaine.cli.terminal import SafeGroup, print_error, print_text
from romaine.errors import RomaineError

app = typer.Typer(
    name="romaine",
    cls=SafeGroup,
    help="Local embeddings and a character's long memory.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_COMMANDS = ("embed", "export", "verify", "demo")
_GROUPS = {"models": "models", "memory": "memory", "eval": "evaluate", "train": "train"}

_INTERRUPTED = 130  # what a shell reports for a process ended by Ctrl-C


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


for _name in _COMMANDS:
    import_module(f"romaine.cli.{_name}").register(app)
for _name, _module in _GROUPS.items():
    app.add_typer(import_module(f"romaine.cli.{_module}").app, name=_name)


def main() -> None:
    """Runs the command line; errors of ours become one line on stderr and exit code 1."""
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
