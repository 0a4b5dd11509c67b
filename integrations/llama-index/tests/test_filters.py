from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)
from llama_index.vector_stores.romaine.filters import matches

from romaine.errors import OptionError

NODES: dict[str, dict[str, Any]] = {
    "key": {"place": "house", "page": 3, "tags": ["house", "story"]},
    "soup": {"place": "kitchen", "page": 7, "tags": ["kitchen", "story"]},
    "gold": {"place": "harbour", "page": 7, "tags": ["harbour", "story"]},
    "bees": {"place": "house", "page": 12, "tags": ["house", "story"]},
}


def where(key: str, value: Any, operator: FilterOperator = FilterOperator.EQ) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (where("place", "house"), {"key", "bees"}),
        (where("page", 7), {"soup", "gold"}),
        (where("page", 7, FilterOperator.GT), {"bees"}),
        (where("page", 7, FilterOperator.LTE), {"key", "soup", "gold"}),
        (where("place", "house", FilterOperator.NE), {"soup", "gold"}),
        (where("place", ["house", "harbour"], FilterOperator.IN), {"key", "gold", "bees"}),
        (where("place", ["house", "harbour"], FilterOperator.NIN), {"soup"}),
        (where("tags", "kitchen", FilterOperator.CONTAINS), {"soup"}),
        (where("tags", ["kitchen", "harbour"], FilterOperator.ANY), {"soup", "gold"}),
        (where("tags", ["story", "harbour"], FilterOperator.ALL), {"gold"}),
        (where("place", "hous", FilterOperator.TEXT_MATCH), {"key", "bees"}),
        (where("absent", None, FilterOperator.IS_EMPTY), set(NODES)),
        (where("absent", "x"), set()),
        (MetadataFilters(filters=[]), set(NODES)),
        (
            MetadataFilters(
                filters=[*where("place", "house").filters, *where("page", 7).filters],
                condition=FilterCondition.OR,
            ),
            set(NODES),
        ),
        (
            MetadataFilters(
                filters=[*where("place", "house").filters, *where("page", 3).filters],
                condition=FilterCondition.AND,
            ),
            {"key"},
        ),
        (
            MetadataFilters(filters=where("page", 7).filters, condition=FilterCondition.NOT),
            {"key", "bees"},
        ),
        (
            MetadataFilters(
                filters=[
                    MetadataFilters(
                        filters=[*where("page", 3).filters, *where("page", 12).filters],
                        condition=FilterCondition.OR,
                    ),
                    *where("place", "house").filters,
                ]
            ),
            {"key", "bees"},
        ),
    ],
    ids=str,
)
def test_every_operator_and_condition(filters: MetadataFilters | None, expected: set[str]) -> None:
    assert {name for name, metadata in NODES.items() if matches(filters, metadata)} == expected


def test_no_filters_let_everything_through() -> None:
    assert matches(None, {})


def test_values_that_cannot_be_compared_are_named() -> None:
    with pytest.raises(OptionError, match=r"metadata\['place'\] is str.*'>' cannot compare it with 7"):
        matches(where("place", 7, FilterOperator.GT), NODES["key"])
