"""Runs what the pages of docs/ and the README show: Python, files and `romaine` commands, in their order.

A block with a title, as in ``json title="chat.jsonl"``, is a file of that name, which what comes after it
finds. ``<!-- not run: REASON -->`` right before a block says that it needs what the tests have not, such as
the network; Python is still compiled.

All Python blocks of a page share their names. Where a line ends in ``print(...)  # text``, that text is what
the line prints; "..." at its end leaves the rest open. ``console`` blocks hold commands after "$ " and, if
they show any, lines of the output, in which runs of spaces count as one.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLOCK = re.compile(
    r"^(?:<!-- (?P<note>[^\n]*?) -->\n)?(?P<fence>```+)(?P<language>[\w-]*)(?: title=\"(?P<file>[^\"]+)\")?\n"
    r"(?P<code>.*?)^(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)
DOCUMENTED_SERVER = "http://127.0.0.1:8000"
PROGRAMS = {"cd", "git", "make", "open", "pip", "python", "romaine"}
"""What a command may begin with; those of romaine are run."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: What stands behind the fence.
        code: Its text.
        line: How many lines are before that.
        file: The file that it is, if it has a title.
        note: What the comment before it says.
    """

    language: str
    code: str
    line: int
    file: str | None
    note: str

    @property
    def skipped(self) -> bool:
        return self.note.startswith("not run: ")


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("code"))
        yield Block(found["language"], found["code"], line, found["file"], found["note"] or "")


def commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines of output shown for it."""
    command, shown = "", []
    for line in block.code.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line[2:], []
        elif line.strip():
            shown.append(line)
    yield command, shown


def run_page(page: Path, folder: Path, *, server: str = DOCUMENTED_SERVER) -> None:
    """Does all that a page shows, in the working directory.

    Args:
        page: Markdown.
        folder: The working directory.
        server: The address of the server that it speaks to.
    """
    text = page.read_text(encoding="utf-8").replace(DOCUMENTED_SERVER, server)
    names: dict[str, Any] = {"__name__": "page", "print": (printed := Printed())}
    try:
        for block in blocks(text):
            if block.file:
                (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
                (folder / block.file).write_text(block.code, encoding="utf-8")
            elif block.language == "python":
                # Blank lines before it, so that errors name the page's own lines
                code = compile("\n" * block.line + block.code, str(page), "exec")
                if not block.skipped:
                    exec(code, names)
            elif block.language == "console" and not block.skipped:
                for command, shown in commands(block):
                    run_command(command, shown, folder)
        printed.compare(text.splitlines())
    finally:
        for value in list(names.values()):
            if not isinstance(value, type) and callable(close := getattr(value, "close", None)):
                close()


class Printed:
    """Stands for `print` in a page: what each line of the page printed."""

    def __init__(self) -> None:
        self.by_line: dict[int, str] = {}
        self._lock = threading.Lock()

    def __call__(self, *values: object, sep: str = " ", end: str = "\n") -> None:
        line = sys._getframe(1).f_lineno
        with self._lock:
            self.by_line[line] = self.by_line.get(line, "") + sep.join(map(str, values)) + end

    def compare(self, lines: list[str]) -> None:
        """Checks it against what the comments at the ends of the lines say."""
        for number, output in self.by_line.items():
            said = re.search(r"\)  # (.*)$", lines[number - 1])
            if said:
                expected, got = said[1], output.rstrip("\n")
                start = expected.removesuffix("...")
                whole = start == expected
                assert got == expected if whole else got.startswith(start), (
                    f"line {number} says {expected!r} and prints {got!r}"
                )


def run_command(command: str, shown: list[str], folder: Path) -> None:
    """Runs a `romaine` command of a console block, which has to succeed and to print the lines shown."""
    arguments = shlex.split(command, comments=True)
    assert arguments[0] in PROGRAMS, f"$ {command}: not a program that the pages use"
    if arguments[0] != "romaine":
        return
    done = subprocess.run(
        [sys.executable, "-m", "romaine", *arguments[1:]],
        cwd=folder,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "COLUMNS": "120", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
    output = " ".join((done.stdout + done.stderr).split())
    for line in shown:
        assert line.strip() == "..." or " ".join(line.split()) in output, (
            f"$ {command}: no {line!r} in\n{done.stdout}"
        )
