from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.evaluate.report import Report, Table, WrittenReport, show, write_report
from romaine.evaluate.report.charts import COLOURS
from romaine.evaluate.report.write import render_page
from romaine.evaluate.verify import Finding
from tests.evaluate.report.conftest import HOSTILE

VOID = {"meta", "img", "source"}
LOADING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}
SVG = "data:image/svg+xml;base64,"


class Elements(HTMLParser):
    """Every element of a page, and whether they nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def values(self, *names: str) -> list[str]:
        return [value or "" for name, value in self.attributes if name in names]


@pytest.fixture
def page(written: WrittenReport) -> str:
    return written.page.read_text(encoding="utf-8")


def drawings(elements: Elements, name: str) -> list[str]:
    """The SVG files in the page, of light charts (src) or dark ones (srcset)."""
    return [b64decode(value.removeprefix(SVG)).decode() for value in elements.values(name)]


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    elements = Elements(page)
    assert not {*elements.tags} & {"script", "link", "iframe", "object", "embed"}
    for name, value in elements.attributes:
        assert not name.startswith("on")
        assert name not in LOADING or (value or "").startswith(SVG), (name, value)
    words = re.sub(f"{SVG}[A-Za-z0-9+/=]*", "", page)
    assert "http:" not in words
    assert "https:" not in words
    assert "//" not in words.replace("</", "")
    assert "url(" not in words
    assert "@import" not in words
    assert "default-src 'none'" in page


def test_nothing_is_loaded_by_a_chart(page: str) -> None:
    for drawing in drawings(Elements(page), "src"):
        chart = Elements(drawing[drawing.index("<svg") :])
        assert not {*chart.tags} & {"script", "image", "foreignobject"}
        assert all(value.startswith("#") for value in chart.values("href", "xlink:href", "src"))
        assert not re.search(r"url\((?!#)", drawing)
        assert "@import" not in drawing


def test_each_chart_has_words_and_an_id_of_its_own(page: str) -> None:
    elements = Elements(page)
    ids = elements.values("id")
    assert len(ids) == len({*ids}) == 7
    assert (
        elements.tags.count("figure") == elements.tags.count("img") == elements.tags.count("figcaption") == 7
    )
    assert any("recall@5 is 0.264 with 64 components" in words for words in elements.values("alt"))


def test_colours_follow_the_reader(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    elements = Elements(page)
    assert elements.values("media") == ["(prefers-color-scheme: dark)"] * 7
    for colours in COLOURS.values():
        for colour in colours:
            assert f":{colour};" in page
    light, dark = (drawings(elements, name) for name in ("src", "srcset"))
    for name in ("paper", "ink", "muted", "grid", "series-1"):
        for_light, for_dark = COLOURS[name]
        assert for_light in light[0]
        assert for_dark in dark[0]
        assert for_dark not in light[0]


def test_what_was_measured_is_told(page: str) -> None:
    for told in (
        "REJECT",
        "recall@5 is 0.10, the floor is 0.33",
        '<td class="failed">failed</td>',
        '<td class="told">not judged</td>',
        "nDCG@10",
        "romaine verify model --out report",
        "2026-01-02 03:04 UTC",
        "it is no static table",
        "90,000",
    ):
        assert told in page
    assert ">None<" not in page


def test_many_checks_are_folded_away_but_for_those_that_failed() -> None:
    checks = tuple(
        Finding(subject=f"check {n}", passed=n != 7 and (None if n > 30 else True), found="")
        for n in range(33)
    )
    page = render_page(Report(title="t", model="m", checks=checks))
    assert "<summary>30 passed, 2 not judged</summary>" in page
    assert page.index('<td class="failed">') < page.index("<details")
    assert page.count('<td class="passed">') == 30


def test_names_cannot_break_out(full_report: Report, tmp_path: Path) -> None:
    hostile = replace(
        full_report,
        title=HOSTILE,
        model=HOSTILE,
        facts={HOSTILE: HOSTILE},
        passed=True,
        reasons=(HOSTILE,),
        checks=(Finding(check=HOSTILE, subject=HOSTILE, passed=True, found=HOSTILE, wanted=HOSTILE),),
        tables=(Table(title=HOSTILE, columns=(HOSTILE,), rows=((HOSTILE,),), note=HOSTILE),),
        matryoshka=tuple(replace(each, model=HOSTILE, benchmark=HOSTILE) for each in full_report.matryoshka),
        separations=tuple(
            replace(each, title=HOSTILE, score=HOSTILE, matching_name=HOSTILE, threshold_name=HOSTILE)
            for each in full_report.separations
        ),
        parity=tuple(replace(each, model=HOSTILE, refused={HOSTILE: HOSTILE}) for each in full_report.parity),
        speed=tuple(replace(each, model=HOSTILE) for each in full_report.speed),
        command=HOSTILE,
    )
    page = write_report(hostile, tmp_path).page.read_text(encoding="utf-8")
    assert "script" not in Elements(page).tags
    assert "&lt;script&gt;" in page


@given(st.text(st.characters(codec=None), max_size=30))
def test_any_name_gives_a_page(name: str) -> None:
    page = render_page(Report(title=name, model=name, facts={name: name}, command=name))
    page.encode("utf-8")
    assert Elements(page).tags.count("h1") == 1


def test_a_table_needs_rows_of_one_width() -> None:
    from romaine.errors import OptionError

    with pytest.raises(OptionError, match="a row of 1 values for 2 columns"):
        Table(title="t", columns=("a", "b"), rows=((1, 2), (1,)))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0.12345, "0.123"),
        (-1.0, "-1.000"),
        (12.3456, "12.35"),
        (1234.5, "1,234"),
        (1536, "1,536"),
        ("x", "x"),
    ],
)
def test_values_are_shown_as_in_a_paper(value: object, shown: str) -> None:
    assert show(value) == shown
