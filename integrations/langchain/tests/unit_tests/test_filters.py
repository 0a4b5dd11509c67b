from __future__ import annotations

from typing import Any

import pytest
from langchain_romaine.filters import check_filter, matches

from romaine.errors import OptionError

VALUE: dict[str, Any] = {
    "page": 3,
    "kind": "note",
    "day": "2026-01-02",
    "nested": {"page": 4},
    "tags": ["a"],
    "on": True,
}


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"page": 3},
        {"page": 3.0, "kind": "note"},
        {"tags": ["a"]},
        {"missing": None},
        {"nested": {"page": 4}},
        {"nested": {"page": {"$gt": 3}}},
        {"page": {"$eq": 3}},
        {"page": {"$ne": 4}},
        {"page": {"$gt": 2, "$lt": 4}},
        {"page": {"$gte": 3, "$lte": 3}},
        {"day": {"$gt": "2025-12-31"}},
        {"kind": {"$in": ["note", "letter"]}},
        {"kind": {"$nin": ["letter"]}},
        {"missing": {"$ne": 3}},
    ],
)
def test_what_fits(wanted: dict[str, Any]) -> None:
    check_filter(wanted)
    assert matches(VALUE, wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        {"page": 4},
        {"page": "3"},
        {"page": {"$gt": 3}},
        {"page": {"$gt": "2"}},
        {"kind": {"$gt": 2}},
        {"missing": {"$lt": 3}},
        {"missing": {"$gt": 3}},
        {"on": {"$gt": 0}},
        {"page": {"page": 3}},
        {"nested": {"page": 3}},
        {"kind": {"$nin": ["note"]}},
        {"page": 3, "kind": "letter"},
    ],
)
def test_what_does_not(wanted: dict[str, Any]) -> None:
    assert not matches(VALUE, wanted)


@pytest.mark.parametrize(
    "wanted", [{"page": {"$regex": "3"}}, {"$or": [{"page": 3}]}, {"a": {"b": {"$x": 1}}}]
)
def test_unknown_operators_are_refused(wanted: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"unknown operator '\$.*Allowed: '\$eq', '\$ne'"):
        check_filter(wanted)
