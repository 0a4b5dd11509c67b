"""What every store must do with romaine's vectors, whichever framework stands between."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from romaine import Embedder

DIMS = (64, 256, 384)


@dataclass(frozen=True, kw_only=True)
class Item:
    """A document. Ids are UUIDs: Qdrant takes no other text, and the rest take them too."""

    id: str
    text: str
    speaker: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """A document that a store gave back, with the score as the framework shows it."""

    id: str
    text: str
    speaker: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where stores keep things: a folder, and the URI of a Postgres."""

    folder: Path
    postgres: str


class Store(Protocol):
    """One collection of a store, of vectors of one dimension."""

    def add(self, items: Sequence[Item]) -> None:
        """Adds items that are not there."""

    def replace(self, item: Item) -> None:
        """Puts an item in the place of the one with its id."""

    def delete(self, ids: Sequence[str]) -> None:
        """Deletes by id."""

    def find(self, query: str, k: int, *, speaker: str | None = None) -> list[Found]:
        """The k nearest, the nearest first; of one speaker if one is named."""

    def close(self) -> None:
        """Writes what is not yet on disk and lets go of files, so that another process may open them."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A store under a framework.

    Attributes:
        open: Makes the collection of that name for vectors of so many components, or opens it.
        cosine: Makes a cosine of the score that `find` gives.
        filters: Whether it can filter by metadata.
        replaces: Whether it can add after something was deleted.
    """

    open: Callable[[Place, str, int], Store]
    cosine: Callable[[float], float]
    filters: bool = True
    replaces: bool = True


ITEMS = tuple(
    Item(id=f"{number:08d}-0000-4000-8000-000000000000", text=text, speaker=speaker)
    for number, (speaker, text) in enumerate(
        (
            ("Cassian", "I left the silver key under the third step."),
            ("Ana", "The soup is leek again, and nobody complains."),
            ("Cassian", "The harbour master owes me forty gold pieces."),
            ("Ana", "A storm took the roof of the chapel last winter."),
            ("Brona", "I taught the raven to count to seven."),
            ("Ana", "We bought two horses and sold them at a loss."),
            ("Brona", "My bees live behind the mill, by the willow."),
            ("Cassian", "The violin was repaired by the widow in Elm Street."),
            ("Ana", "I am allergic to honey, remember that."),
            ("Brona", "東京 naïve 🙂 — a note in no one's hand"),
            ("Cassian", "word " * 400),
            ("Brona", "  'quoted' \"twice\"\nand over; two -- lines %s  "),
        )
    )
)
QUESTIONS = (
    "Where did you hide the key?",
    "Who repaired the violin?",
    "What was sold at a loss?",
    "honey",
)
SPEAKER = "Ana"
MORE_THAN_THERE_ARE = 50
EDITED = Item(id=ITEMS[1].id, text="The violin is in the cellar now, behind the casks.", speaker="Tomas")
DELETED = ITEMS[7].id
AFTERWARDS = tuple(EDITED if item.id == EDITED.id else item for item in ITEMS if item.id != DELETED)
EXACT = 1e-5  # cosines closer than this may come in any order

Answers = dict[str, list[Found]]


def ask(store: Store, kind: Kind) -> Answers:
    """All that is there, for each question, and what one speaker said."""
    answers = {question: store.find(question, MORE_THAN_THERE_ARE) for question in QUESTIONS}
    if kind.filters:
        answers[SPEAKER] = store.find(QUESTIONS[0], 3, speaker=SPEAKER)
    return answers


def edit(store: Store, kind: Kind) -> None:
    """Makes `AFTERWARDS` of `ITEMS`."""
    store.delete([DELETED])
    if kind.replaces:
        store.replace(EDITED)
    else:
        store.delete([EDITED.id])


def visit(kind: Kind, place: Place, step: str) -> dict[int, Answers]:
    """Opens a collection for each dimension and asks it; "fill" adds `ITEMS` before, "edit" edits after."""
    answers = {}
    for dim in DIMS:
        store = kind.open(place, f"turns_{dim}", dim)
        if step == "fill":
            store.add(ITEMS)
        answers[dim] = ask(store, kind)
        if step == "edit":
            edit(store, kind)
        store.close()
    return answers


def visit_all(framework: str, place: Place, step: str) -> dict[str, dict[int, Answers] | str]:
    """`visit` of all stores of a framework: their answers, or the traceback of one that failed."""
    visited: dict[str, dict[int, Answers] | str] = {}
    for name, kind in importlib.import_module(f"{framework}_stores").KINDS.items():
        try:
            visited[name] = visit(kind, place, step)
        except Exception:
            visited[name] = traceback.format_exc()
    return visited


def visit_all_elsewhere(framework: str, place: Place, step: str) -> dict[str, dict[int, Answers] | str]:
    """`visit_all` in a process of its own."""
    command = [sys.executable, "again.py", framework, str(place.folder), place.postgres, step]
    ran = subprocess.run(
        command, cwd=Path(__file__).parent, check=False, capture_output=True, text=True, encoding="utf-8"
    )
    assert ran.returncode == 0, ran.stderr
    return {
        store: told if isinstance(told, str) else {int(dim): _answers(of_dim) for dim, of_dim in told.items()}
        for store, told in json.loads(ran.stdout.splitlines()[-1]).items()
    }


def _answers(told: dict[str, list[dict[str, Any]]]) -> Answers:
    return {question: [Found(**found) for found in hits] for question, hits in told.items()}


def check(answers: Answers, items: Sequence[Item], kind: Kind, dim: int) -> None:
    """The items and no others, whole, in the order of exact cosines and with these as scores."""
    embedder = Embedder(dim=dim)
    vectors = embedder.embed_documents([item.text for item in items])
    rows = {item.id: row for row, item in enumerate(items)}
    for question in QUESTIONS:
        found = answers[question]
        cosines = vectors @ embedder.embed_query(question)
        assert sorted(hit.id for hit in found) == sorted(rows), "each of them once"
        for hit in found:
            item = items[rows[hit.id]]
            assert (hit.text, hit.speaker) == (item.text, item.speaker)
        exact = cosines[[rows[hit.id] for hit in found]]
        np.testing.assert_allclose(exact, np.sort(cosines)[::-1], atol=EXACT)
        np.testing.assert_allclose([kind.cosine(hit.score) for hit in found], exact, atol=EXACT)
    if kind.filters:
        of_speaker = [item.id for item in items if item.speaker == SPEAKER]
        nearest = [hit.id for hit in answers[QUESTIONS[0]] if hit.id in of_speaker]
        assert [hit.id for hit in answers[SPEAKER]] == nearest[:3]
