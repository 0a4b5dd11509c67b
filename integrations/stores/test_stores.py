"""Every store under every framework finds, filters, edits and keeps romaine's vectors, at any dimension."""

from __future__ import annotations

import importlib

import pytest
from contract import (
    AFTERWARDS,
    DIMS,
    EDITED,
    ITEMS,
    Answers,
    Item,
    Kind,
    Place,
    check,
    visit_all,
    visit_all_elsewhere,
)

Visits = dict[str, dict[int, Answers] | str]

pytestmark = [
    pytest.mark.parametrize("dim", DIMS),
    pytest.mark.parametrize("store", ["chroma", "faiss", "qdrant", "milvus", "pgvector"]),
]


@pytest.fixture(scope="module")
def kinds(framework: str) -> dict[str, Kind]:
    return importlib.import_module(f"{framework}_stores").KINDS


@pytest.fixture(scope="module")
def filled(framework: str, place: Place) -> Visits:
    return visit_all(framework, place, "fill")


@pytest.fixture(scope="module")
def reopened(framework: str, place: Place, filled: Visits) -> Visits:
    return visit_all_elsewhere(framework, place, "edit")


@pytest.fixture(scope="module")
def edited(framework: str, place: Place, reopened: Visits) -> Visits:
    return visit_all_elsewhere(framework, place, "leave")


def expect(visits: Visits, store: str, dim: int, items: tuple[Item, ...], kinds: dict[str, Kind]) -> None:
    answers = visits[store]
    assert not isinstance(answers, str), answers
    check(answers[dim], items, kinds[store], dim)


def test_ranks_and_scores_as_exact_cosine(
    filled: Visits, kinds: dict[str, Kind], store: str, dim: int
) -> None:
    expect(filled, store, dim, ITEMS, kinds)


def test_another_process_finds_the_same(
    reopened: Visits, kinds: dict[str, Kind], store: str, dim: int
) -> None:
    expect(reopened, store, dim, ITEMS, kinds)


def test_edits_and_deletions_of_another_process_last(
    edited: Visits, kinds: dict[str, Kind], store: str, dim: int
) -> None:
    left = AFTERWARDS
    if not kinds[store].replaces:
        left = tuple(item for item in AFTERWARDS if item.id != EDITED.id)
    expect(edited, store, dim, left, kinds)
