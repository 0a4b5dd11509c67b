"""Every page of docs/ and the README: what it shows runs, the files it names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages import Block, blocks, commands, run_page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {"README.md": ROOT / "README.md"} | {
    path.relative_to(ROOT).as_posix(): path for path in sorted(DOCS.rglob("*.md"))
}
ELSEWHERE = {
    "docs/training.md": "tests/train/test_docs.py",  # needs larger files of the kinds it shows
    "docs/training-encoders.md": "tests/train/encoder",  # the same kinds of files and stages, in small
    "docs/how-to/langchain.md": "integrations/langchain",
    "docs/how-to/llama-index.md": "integrations/llama-index",
    "docs/how-to/haystack.md": "integrations/haystack",
    "docs/how-to/vector-stores.md": "integrations",
    "docs/how-to/postgres.md": "tests/memory/postgres",  # against a real server
    "docs/server.md": "tests/server",  # against a running server
    "docs/memory-api.md": "tests/server",
    "docs/mcp.md": "tests/server",
}
"""Pages whose code is run by another suite, which has the framework: where that is."""


def code_of(page: Path) -> list[Block]:
    return [block for block in blocks(page.read_text("utf-8")) if block.language in ("python", "console")]


@pytest.mark.parametrize(
    "name", [name for name, page in PAGES.items() if name not in ELSEWHERE and code_of(page)]
)
def test_what_a_page_shows_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(PAGES[name], tmp_path)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_pages_run_elsewhere_are_run_there(name: str) -> None:
    """The suite that has to run them names them."""
    place = ROOT / ELSEWHERE[name]
    files = [place] if place.is_file() else place.rglob("test_*.py")
    named = any(Path(name).name in file.read_text("utf-8") for file in files)
    assert named or not [block for block in code_of(PAGES[name]) if not block.skipped]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_run(name: str) -> None:
    """Nothing is hidden from the runner: blocks are at the margin, commands are of known programs."""
    text = PAGES[name].read_text("utf-8")
    assert not re.findall(r"^[ \t]+```(?:python|console)", text, re.MULTILINE)
    assert not re.findall(r"^```(?:py|sh|bash|shell|pycon)$", text, re.MULTILINE), "say python or console"
    assert not re.findall(r"^ *\)  # .", text, re.MULTILINE), "say it in the line of the print"
    for block in blocks(text):
        if block.note:
            assert re.match(r"not run: \S", block.note), block.note
        if block.language == "console":
            assert all(command for command, _ in commands(block)), block.code


@pytest.mark.parametrize(
    "name",
    sorted(set(re.findall(r"`([\w/]+(?:/|\.py))`", PAGES["docs/how-it-is-built.md"].read_text("utf-8")))),
)
def test_the_files_it_names_are_there(name: str) -> None:
    places = (
        ROOT,
        ROOT / "src" / "romaine",
        *(ROOT / "src" / "romaine" / folder for folder in ("memory", "models")),
    )
    assert any((place / name).exists() for place in places)
