"""Each promise of the contract is looked at: an embedder that breaks one is found out by its check."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from romaine import Embedder
from romaine.evaluate.contract import BLANK, CONTRACT_CHECKS, ODD, TEXTS, broken_promises

Change = Callable[[list[str], np.ndarray], np.ndarray]


class Changed(Embedder):
    """The bundled model with something done to the vectors of documents, and a window that it can keep."""

    change: Change

    @property
    def max_tokens(self) -> int:
        return 64

    def embed_documents(self, texts: Any) -> Any:
        return self.change(texts, super().embed_documents(texts))


def changed(change: Change) -> Embedder:
    embedder = Changed()
    embedder.change = change  # type: ignore[method-assign]
    return embedder


def turned(vectors: np.ndarray, rows: Any = slice(None)) -> np.ndarray:
    """Some rows with their components in reverse: unit vectors of another direction."""
    found = vectors.copy()
    found[rows] = found[rows, ::-1]
    return found


def scaled(vectors: np.ndarray, rows: list[bool], factor: float) -> np.ndarray:
    return vectors * np.where(rows, factor, 1).astype(np.float32)[:, None]


def without_its_text(texts: list[str], vectors: np.ndarray) -> np.ndarray:
    if texts:
        texts[0] = ""
    return vectors


_calls = itertools.count()

BROKEN: dict[str, Change] = {
    "shape": lambda _, vectors: vectors.astype(np.float64),
    "empty input": lambda texts, vectors: vectors if texts else np.zeros(0, dtype=np.float32),
    "blank texts": lambda texts, vectors: scaled(
        np.where((vectors == 0).all(axis=1)[:, None], np.float32(0.5), vectors),
        [text in BLANK for text in texts],
        1,
    ),
    "batch invariance": lambda texts, vectors: turned(vectors) if len(texts) > 4 else vectors,
    "order invariance": lambda _, vectors: turned(vectors, slice(1)),
    "determinism": lambda _, vectors: turned(vectors) if next(_calls) % 2 else vectors,
    "norms": lambda texts, vectors: scaled(vectors, [True] * len(texts), 1.001),
    "threads": lambda _, vectors: (
        vectors if threading.current_thread() is threading.main_thread() else turned(vectors)
    ),
    "unicode": lambda texts, vectors: scaled(vectors, [text in ODD for text in texts], float("nan")),
    "text untouched": without_its_text,
    "long text": lambda texts, vectors: scaled(vectors, [len(text) > 500 for text in texts], 0.9),
}


def test_an_embedder_that_keeps_every_promise_is_left_alone() -> None:
    assert broken_promises(changed(lambda _, vectors: vectors)) == {}


def test_every_promise_is_broken_here_once() -> None:
    assert list(BROKEN) == [check.name for check in CONTRACT_CHECKS]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found_by_its_check(name: str) -> None:
    embedder = changed(BROKEN[name])
    check = next(check for check in CONTRACT_CHECKS if check.name == name)
    assert name in broken_promises(embedder, checks=[check])


def test_one_vector_for_every_text_is_found() -> None:
    same = Embedder().embed_query(TEXTS[0])
    embedder = changed(lambda texts, _: np.tile(same, (len(texts), 1)))
    assert "text untouched" in broken_promises(embedder)
