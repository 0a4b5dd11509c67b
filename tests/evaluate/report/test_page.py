from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from romaine.evaluate.report import CheckRow, Report, Table, Verdict, WrittenReport, show, write_report
from romaine.evaluate.report.page import render_page
from tests.evaluate.report.conftest import HOSTILE

VOID = {"meta", "br", "img", "hr", "path", "use", "rect", "line"}
LOADING = {"src", "href", "srcset", "data", "action", "poster", "xlink:href"}


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
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page(written: WrittenReport) -> str:
    return written.page.read_text(encoding="utf-8")


def test_nothing_is_loaded_from_anywhere(page: str) -> None:
    assert "http:" not in page
    assert "https:" not in page
    assert "//" not in page.replace("</", "")
    elements = Elements(page)
    assert not {*elements.tags} & {"script", "link", "iframe", "object", "embed", "img"}
    for name, value in elements.attributes:
        assert not name.startswith("on")
        assert name not in LOADING or (value or "").startswith("#"), (name, value)
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_each_chart_has_words_and_ids_of_its_own(page: str) -> None:
    elements = Elements(page)
    ids = [value for name, value in elements.attributes if name == "id"]
    assert len(ids) == len({*ids})
    assert (
        elements.tags.count("figure") == elements.tags.count("svg") == elements.tags.count("figcaption") == 7
    )
    labels = [value for name, value in elements.attributes if name == "aria-label"]
    assert any("recall@5 is 0.264 with 64 components" in label for label in labels)
    used = {value[1:] for name, value in elements.attributes if name.endswith("href")}
    used |= {*re.findall(r"url\(#([^)]+)\)", page)}
    assert used <= {*ids}


def test_colours_follow_the_reader(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert not re.search(r"#0101\d\d", page)
    chart = page[page.index("<svg") : page.index("</svg>")]
    assert "var(--series-1)" in chart
    assert "#000000" not in chart


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
        CheckRow(name=f"check {n}", passed=n != 7 and (None if n > 30 else True)) for n in range(33)
    )
    page = render_page(Report(title="t", model="m", checks=checks), {})
    assert "<summary>30 passed, 2 not judged</summary>" in page
    assert page.index('<td class="failed">') < page.index("<details")
    assert page.count('<td class="passed">') == 30


def test_names_cannot_break_out(full_report: Report, tmp_path: Path) -> None:
    hostile = replace(
        full_report,
        title=HOSTILE,
        model=HOSTILE,
        facts={HOSTILE: HOSTILE},
        verdict=Verdict(passed=True, reasons=(HOSTILE,)),
        checks=(CheckRow(name=HOSTILE, passed=True, found=HOSTILE, wanted=HOSTILE),),
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
    page = render_page(Report(title=name, model=name, facts={name: name}, command=name), {})
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
