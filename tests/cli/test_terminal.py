"""What others wrote never reaches a terminal as something that it obeys: real commands, real files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import romaine.cli
from romaine.cli.terminal import printable

#: Escape sequences, the bell, changes of writing direction, invisible marks, a line separator.
COMMANDS = "\x1b[31m \x1b]0;title\x07 \x9b2J \u200f\u061c\u202e\u2066 \u200b\ufeff\U000e0041 \u2028\x7f"
NEVER = frozenset(COMMANDS) - {" "} - set("[31m]0;title2J")


def romaine_command(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "romaine", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
        env=environment,
    )
    assert not NEVER & set(done.stdout + done.stderr), (done.stdout, done.stderr)
    return done


@pytest.mark.parametrize(
    "command",
    [
        ("memory", "import", "{}", "--db", "m.db", "--user", "ana"),
        ("memory", "list", "--db", "{}", "--user", "ana"),
        ("memory", "{}"),
        ("memory", "list", "--db", "m.db", "--user", "ana", "--limit", "{}"),
        ("demo", "--chat", "{}"),
        ("embed", "{}"),
    ],
    ids=["import", "db", "command", "number", "demo", "embed"],
)
def test_a_path_in_an_error(command: tuple[str, ...], tmp_path: Path) -> None:
    name = "no\x1b[31m\x9b\u200f\u061c\n file.jsonl"
    done = romaine_command(*(part.replace("{}", name) for part in command), folder=tmp_path)
    assert done.returncode in (1, 2)
    assert "file.jsonl" in done.stderr or "valid int" in done.stderr


def test_a_chat_in_every_view(tmp_path: Path) -> None:
    chat = tmp_path / "chat.jsonl"
    message = {"text": f"The key {COMMANDS} is here.", "speaker": f"Ana {COMMANDS}", "id": f"a{COMMANDS}"}
    chat.write_text(json.dumps(message) + "\n" + json.dumps({"text": 1}) + "\n")
    whose = ("--db", "m.db", "--user", f"ana{COMMANDS}", "--chat", f"inn{COMMANDS}")
    shown = [
        romaine_command("memory", *command, *whose, folder=tmp_path)
        for command in (
            ("import", chat),
            ("list", "--json"),
            ("recall", "Where is the key?", "--explain"),
            ("export",),
        )
    ]
    assert [done.returncode for done in shown] == [0] * len(shown), [done.stderr for done in shown]
    (listed,) = json.loads(shown[1].stdout)
    assert (listed["text"], listed["speaker"]) == (message["text"], message["speaker"])  # JSON loses nothing
    assert json.loads(shown[3].stdout)["text"] == message["text"]


@given(st.text(st.characters()))
def test_nothing_that_commands_is_left(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    for before, after in zip(text, shown, strict=True):
        if unicodedata.category(before) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert after in " \ufffd?" or before in "\n\u200c\u200d"
        else:
            assert after in (before, "?")  # "?" is what the terminal cannot encode


def test_words_and_emoji_keep_their_joiners() -> None:
    for text in ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "👩\u200d🚀", "क्\u200dष"):
        assert printable(text) in (text, text.encode(sys.stdout.encoding, "replace").decode())


def test_commands_write_through_the_terminal_module_only() -> None:
    folder = Path(romaine.cli.__file__).parent
    for path in folder.rglob("*.py"):
        if path.name != "terminal.py":
            source = path.read_text(encoding="utf-8")
            assert not any(call in source for call in ("typer.echo(", "typer.secho(", " Console(", " print("))
