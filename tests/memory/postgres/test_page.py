from __future__ import annotations

from pathlib import Path

import pytest

from tests.pages import run_page

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "postgres.md"


def test_what_the_page_shows_runs(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROMAINE_MEMORY", url)
    monkeypatch.chdir(tmp_path)
    run_page(PAGE, tmp_path)
    assert not list(tmp_path.glob("*.db")), "nothing was taken for a file's name"
