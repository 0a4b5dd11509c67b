"""Semantic textual similarity: does the cosine of two texts rank pairs as people do?"""

from __future__ import annotations

import csv
import gzip
import math
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from romaine.arrays import slice_dim
from romaine.errors import InputFileError, VectorError
from romaine.evaluate.matryoshka import check_float32, wanted_dims

if TYPE_CHECKING:
    from romaine.embedder import Embedder

ALIKE = 4.0
"""Score from which two sentences say nearly the same."""
UNLIKE = 2.0
"""Score up to which two sentences say something else."""

_COLUMNS = ("sentence1", "sentence2", "score")
_FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class ScoredPairs:
    """Pairs of texts with the similarity people gave them.

    Attributes:
        left: First texts.
        right: Second texts.
        scores: 0 (unrelated) to 5 (the same) in the STS benchmark; any finite scale, float64 (n,).
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    scores: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A cosine that parts what belongs together from what does not.

    Attributes:
        cosine: What belongs together is at or above it.
        kept: Share of what belongs together that is, 0 to 1.
        dropped: Share of the rest that is below, 0 to 1.
    """

    cosine: float
    kept: float
    dropped: float


@dataclass(frozen=True, kw_only=True)
class StsReport:
    """What was measured.

    Attributes:
        model: The model's id.
        backend: What ran it.
        pairs: How many pairs were ranked.
        spearman: Rank correlation of cosine and score by dimension, the largest first.
        thresholds: What best parts pairs scored `ALIKE` or more from those scored `UNLIKE` or less, by
            dimension; None where the file has not both.
    """

    model: str
    backend: str
    pairs: int
    spearman: dict[int, float]
    thresholds: dict[int, Threshold | None]

    def to_json(self) -> dict[str, Any]:
        """Returns the figures with dimensions as strings, as JSON has them."""
        return {
            "model": self.model,
            "backend": self.backend,
            "pairs": self.pairs,
            "spearman": {str(dim): value for dim, value in self.spearman.items()},
            "thresholds": {str(dim): found and vars(found) for dim, found in self.thresholds.items()},
        }


def evaluate_sts(
    pairs: ScoredPairs | str | os.PathLike[str],
    *,
    embedder: Embedder | None = None,
    dims: Sequence[int] | None = None,
) -> StsReport:
    """Correlates cosines with the scores that people gave.

    Both sides are embedded as queries: similarity is a symmetric task, for which models with role prompts
    recommend one prompt for both texts. Each text is embedded once; dimensions below the full one are slices.

    Args:
        pairs: The pairs, or a CSV file of them (see `read_scored_pairs`).
        embedder: The model; None for the bundled one.
        dims: Dimensions to measure; None for all the model was trained for.

    Raises:
        InputFileError: If the file cannot be used.
        OptionError: If the embedder packs its vectors, or `dims` is empty.
        DimensionError: If the model cannot give one of `dims`.
        VectorError: If all cosines or all scores are equal, so that there is no rank to correlate.
    """
    from romaine.embedder import Embedder

    if not isinstance(pairs, ScoredPairs):
        pairs = read_scored_pairs(pairs)
    embedder = (embedder or Embedder()).warm_up()
    check_float32(embedder, "STS")
    wanted = wanted_dims(embedder, dims)[::-1]
    whole = embedder.with_dim(wanted[0])
    left, right = whole.embed_queries(pairs.left), whole.embed_queries(pairs.right)
    cosines = {
        dim: np.einsum("ij,ij->i", slice_dim(left, dim), slice_dim(right, dim)).astype(np.float64)
        for dim in wanted
    }
    alike, unlike = pairs.scores >= ALIKE, pairs.scores <= UNLIKE
    return StsReport(
        model=embedder.card.id,
        backend=embedder.backend,
        pairs=len(pairs.scores),
        spearman={dim: _correlation(found, pairs.scores, dim) for dim, found in cosines.items()},
        thresholds={dim: best_threshold(found[alike], found[unlike]) for dim, found in cosines.items()},
    )


def best_threshold(matching: NDArray[np.float64], other: NDArray[np.float64]) -> Threshold | None:
    """The threshold at which `kept` and `dropped` have the highest mean; the highest of those where it is.

    Args:
        matching: Cosines of what belongs together, (n,).
        other: Cosines of what does not, (m,).

    Returns:
        None if there are none of one kind.
    """
    if not (len(matching) and len(other)):
        return None
    tried = np.unique(matching)[::-1]
    kept = 1 - np.searchsorted(np.sort(matching), tried, side="left") / len(matching)
    dropped = np.searchsorted(np.sort(other), tried, side="left") / len(other)
    best = int(np.argmax(kept + dropped))
    return Threshold(cosine=float(tried[best]), kept=float(kept[best]), dropped=float(dropped[best]))


def read_scored_pairs(path: str | os.PathLike[str]) -> ScoredPairs:
    """Reads the columns sentence1, sentence2, score of a CSV file without a header.

    Raises:
        InputFileError: If it cannot be read, a row has another form, or there are fewer than three.
    """
    rows = list(iter_scored_pairs(path))
    if len(rows) < _FEWEST:
        raise InputFileError(
            f"{os.fspath(path)} holds {len(rows)} pairs; a rank correlation needs at least {_FEWEST}"
        )
    left, right, scores = zip(*rows, strict=True)
    return ScoredPairs(left=left, right=right, scores=np.asarray(scores, dtype=np.float64))


def iter_scored_pairs(path: str | os.PathLike[str]) -> Iterator[tuple[str, str, float]]:
    """Yields sentence1, sentence2 and score of each row, one at a time; blank lines are passed over.

    The file may be packed with gzip, as its ending ``.gz`` says.

    Raises:
        InputFileError: If it cannot be read or a row has another form, with the row's number and never its
            text.
    """
    number = 0
    try:
        opened = gzip.open if Path(path).suffix.lower() == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.reader(file, strict=True), 1):
                if row:
                    yield _scored_pair(row, f"{os.fspath(path)}, row {number}")
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{os.fspath(path)}, after row {number}: not UTF-8 at byte {error.start} of a block;"
            " save the file as UTF-8"
        ) from None
    except csv.Error as error:
        raise InputFileError(
            f"{os.fspath(path)}, row {number + 1}: not CSV ({error}); quote texts that hold commas or quotes"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputFileError(
            f"{os.fspath(path)} cannot be read ({reason}); give a CSV file of {', '.join(_COLUMNS)}"
        ) from None


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of theirs.

    Args:
        first: Shape (n,).
        second: Shape (n,).

    Returns:
        -1 to 1; NaN if either is constant, where it is not defined.

    Raises:
        VectorError: If the shapes differ or are not (n,), or a value is not finite.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise VectorError(f"a correlation needs two arrays of one length, not {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise VectorError("a correlation needs finite values; there are NaN or infinite ones")
    a, b = _ranks(a), _ranks(b)
    a, b = a - a.mean(), b - b.mean()
    spread = math.sqrt(float(a @ a) * float(b @ b))
    return float(np.clip(a @ b / spread, -1, 1)) if spread else float("nan")


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[places], dtype=np.float64)


def _correlation(cosines: NDArray[np.float64], scores: NDArray[np.float64], dim: int) -> float:
    value = spearman(cosines, scores)
    if math.isnan(value):
        constant = "scores" if np.ptp(scores) == 0 else f"cosines at {dim} components"
        raise VectorError(f"all {constant} are equal, so that there is no rank to correlate; check the file")
    return value


def _scored_pair(row: list[str], where: str) -> tuple[str, str, float]:
    if len(row) != len(_COLUMNS):
        raise InputFileError(
            f"{where}: {len(row)} columns instead of {len(_COLUMNS)} ({', '.join(_COLUMNS)})"
        )
    try:
        score = float(row[2])
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise InputFileError(f"{where}: the score is not a finite number; the file has no header line")
    return row[0], row[1], score
