"""`romaine serve` and `romaine keys`."""

from __future__ import annotations

import subprocess
import sys

import pytest

_WITHOUT = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"fastapi", "uvicorn", "pydantic_settings"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
sys.argv[0] = "romaine"
from romaine.cli import main
main()
"""


def run(*arguments, code=None):
    start = ["-c", code] if code else ["-m", "romaine"]
    return subprocess.run([sys.executable, *start, *arguments], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("command", [["serve"], ["keys", "list", "--keys", "k"]])
def test_without_the_extra_it_says_which_is_missing(command):
    done = run(*command, code=_WITHOUT)
    assert done.returncode == 1
    assert "pip install 'romaine[server]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_the_extra_all_else_runs():
    assert "serve" in run("--help", code=_WITHOUT).stdout


def test_keys_are_made_listed_and_revoked(tmp_path):
    pytest.importorskip("fastapi")
    file = str(tmp_path / "keys.json")
    key = run("keys", "make", "--keys", file, "--user", "ana", "--note", "laptop").stdout.strip()
    key_id = key.split("-")[1]
    listed = run("keys", "list", "--keys", file).stdout
    assert key_id in listed
    assert "ana" in listed
    assert key not in listed
    assert run("keys", "revoke", key_id, "--keys", file).returncode == 0
    again = run("keys", "revoke", key_id, "--keys", file)
    assert again.returncode == 1
    assert "unknown key" in again.stderr


def test_what_it_cannot_do_is_one_line():
    pytest.importorskip("fastapi")
    for flags in (["--host", "0.0.0.0"], ["--port", "x"], ["--models", "a", "--models", "a"]):
        done = run("serve", *flags)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) == 1
