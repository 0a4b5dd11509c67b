"""What the README and the page on LangChain show does what it says, also on a second run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from langchain_romaine import RomaineEmbeddings, RomaineMemoryRetriever

PACKAGE = Path(__file__).parents[2]
PAGE = PACKAGE.parents[1] / "docs" / "how-to" / "langchain.md"
PAGES = [page for page in (PACKAGE / "README.md", PAGE) if page.exists()]  # the page is not in the package


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_print_what_they_say(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of a page in one go; and again the next day, with the files still there."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"(<!-- not run: .*\n)?```python\n([^`]*)```", page.read_text(encoding="utf-8"))
    shown = "\n".join(code for not_run, code in blocks if not not_run)
    expected = re.findall(r"^ *print\(.*\)  # (.*)$", shown, flags=re.MULTILINE)
    assert len(expected) == shown.count("print(") > 0
    for _ in range(2):
        exec(compile(shown, str(page), "exec"), {"__name__": "__main__"})
        assert capsys.readouterr().out.splitlines() == expected


@pytest.mark.skipif(not PAGE.exists(), reason="the page is not in the package")
def test_every_setting_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))
    assert set(RomaineEmbeddings.model_fields) <= named
    inherited = set(RomaineMemoryRetriever.__mro__[1].model_fields)  # type: ignore[attr-defined]
    own = set(RomaineMemoryRetriever.model_fields) - inherited
    assert own <= named | {"memory", "scope", "scope_from_config", "without_session"}
