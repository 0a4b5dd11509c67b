from __future__ import annotations

import pytest

from romaine.server.page.asked import names, number
from tests.server.page.conftest import about


@pytest.mark.parametrize(
    ("given", "expected"), [("7", 7), ("-1", 1), ("900", 9), ("", 5), ("x", 5), (None, 5), ("9" * 99, 9)]
)
def test_numbers_are_kept_within_bounds(given, expected):
    fields = {} if given is None else {"n": given}
    assert number(fields, "n", 5, least=1, most=9) == expected


def test_names_are_told_apart_by_commas():
    assert names(" Ana,, Mira ,Ana") == ["Ana", "Mira"]
    assert names("  ") == []


def test_what_is_no_form_is_refused(ana, memory):
    for body in (b"text=\xff\xfe", b"&".join(b"a=%d" % n for n in range(200))):
        assert ana.post("/page/note", params=about(), content=body).status_code == 422
