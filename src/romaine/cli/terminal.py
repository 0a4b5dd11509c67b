"""The one way of the commands to the terminal: nothing that others wrote reaches it as something it obeys.

Chats, names, paths and the words of errors are such text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unicodedata import category

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from rich.console import Console

#: Controls, formats (changes of writing direction among them), halves of pairs, ends of lines and paragraphs.
#: What is private or not yet assigned is drawn, as a box at worst.
_COMMANDING = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
#: The newline, and the joiners that Persian, Hindi and emoji are written with.
_HARMLESS = frozenset("\n\u200c\u200d")


def printable(text: str, *, to_stderr: bool = False) -> str:
    """Returns a text as a terminal may have it: what it would obey, or cannot encode, is replaced."""
    text = text.translate(
        {ord(char): " " if char in "\t\r" else "\N{REPLACEMENT CHARACTER}" for char in _commanding(text)}
    )
    encoding = (sys.stderr if to_stderr else sys.stdout).encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def print_text(text: str, *, to_stderr: bool = False) -> None:
    """Prints a line."""
    typer.echo(printable(text, to_stderr=to_stderr), err=to_stderr)


def print_error(error: object) -> None:
    """Prints an error as one line on stderr."""
    print_text("error: " + " ".join(str(error).splitlines()), to_stderr=True)


def print_json(value: object, *, compact: bool = False) -> None:
    """Prints a value as one JSON document; what a terminal would obey stands as escapes, which say the same.

    Args:
        value: What JSON can hold.
        compact: Whether it stands on one line, in ASCII.
    """
    as_ascii = compact or not speaks_unicode()
    document = json.dumps(value, ensure_ascii=as_ascii, indent=None if compact else 2)
    typer.echo(document.translate({ord(char): json.dumps(char)[1:-1] for char in _commanding(document)}))


def speaks_unicode() -> bool:
    """Tells whether stdout can show any character."""
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def console(**options: Any) -> Console:
    """Returns a console that shows a str, in tables and titles too, as `printable` makes it.

    Args:
        **options: As rich's Console takes them.
    """
    from rich.console import Console
    from rich.text import Text

    class SafeConsole(Console):
        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str(printable(text, to_stderr=self.stderr), **how)

    return SafeConsole(**{"highlight": False} | options)


class SafeGroup(TyperGroup):
    """Commands whose usage errors, which repeat what was typed or globbed, are shown as `printable` text."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Reads the arguments."""
        with _safe_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, *args: Any, **kwargs: Any) -> Any:
        """Runs a command."""
        with _safe_errors():
            return super().invoke(*args, **kwargs)


@contextmanager
def _safe_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if hasattr(
            error, "format_message"
        ):  # a usage error; where its class lives depends on typer's version
            error.message = printable(error.message, to_stderr=True)  # type: ignore[attr-defined]
        raise


def _commanding(text: str) -> list[str]:
    return [char for char in set(text) if category(char) in _COMMANDING and char not in _HARMLESS]
