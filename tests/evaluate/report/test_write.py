from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from romaine.errors import MissingExtraError, OptionError
from romaine.evaluate.report import Report, WrittenReport, require_report, write_report

CHARTS = ["quality", "quality-2", "scores", "scores-2", "parity", "parity-2", "speed"]
PNG = b"\x89PNG\r\n\x1a\n"


def test_writes_the_page_the_data_and_two_pictures_of_each_chart(written: WrittenReport) -> None:
    folder = written.page.parent
    assert written.page == folder / "report.html"
    assert json.loads(written.data.read_text()) == {"figure": 1}
    assert [path.name for path in written.pictures] == [
        f"{chart}-{scheme}.png" for chart in CHARTS for scheme in ("light", "dark")
    ]
    contents = [path.read_bytes() for path in written.pictures]
    assert all(content.startswith(PNG) for content in contents)
    assert len({*contents[:2]}) == 2
    assert {path.name for path in folder.iterdir()} == {
        "report.html",
        "report.json",
        *(path.name for path in written.pictures),
    }


def test_the_same_report_gives_the_same_files(full_report: Report, tmp_path: Path) -> None:
    small = replace(full_report, separations=(), parity=(), matryoshka=full_report.matryoshka[:1])
    first, second = (write_report(small, tmp_path / name) for name in ("a", "b"))
    assert first.page.read_bytes() == second.page.read_bytes()
    assert [p.read_bytes() for p in first.pictures] == [p.read_bytes() for p in second.pictures]
    assert first.data is None


def test_an_empty_report_is_a_page(tmp_path: Path) -> None:
    written = write_report(Report(title="Nothing", model="m"), tmp_path)
    assert written.pictures == ()
    assert "<h1>m</h1>" in written.page.read_text()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OptionError, match="choose another folder"):
        write_report(Report(title="t", model="m"), file / "inside")


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for folder in (file, file / "inside", file / "far" / "inside", tmp_path / ("x" * 300)):
        with pytest.raises(OptionError, match="choose another folder"):
            require_report(folder)
    require_report(tmp_path)
    require_report(tmp_path / "new" / "inside")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("library", ["matplotlib", "jinja2"])
def test_without_a_library_the_remedy_is_named(
    library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    for call in (
        lambda: require_report(tmp_path),
        lambda: write_report(Report(title="t", model="m"), tmp_path),
    ):
        with pytest.raises(MissingExtraError, match=r"pip install 'romaine\[eval\]'"):
            call()
