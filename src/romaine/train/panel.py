"""Several teachers as one: their similarities averaged, since their dimensions need not match."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from romaine.arrays import FloatArray
from romaine.train.teacher import Side, Teacher
from romaine.train.vector_cache import Advance, CachedVectors, cached_vectors

_CALIBRATION = 1500  # texts whose mutual similarities say how a teacher spreads its cosines

Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Makes a progress bar of a title and a total."""


@dataclass(frozen=True, eq=False)
class _Member:
    """One teacher's vectors of the texts it was asked for.

    `row` leads from the id of a text to its vector, -1 where it has none.
    """

    weight: float
    vectors: dict[Side, FloatArray]
    row: dict[Side, NDArray[np.int64]]
    scale: float
    shift: float

    def of(self, ids: NDArray[np.int64], side: Side) -> FloatArray:
        return np.ascontiguousarray(self.vectors[side][self.row[side][ids]])


class Panel:
    """Teachers' similarities of texts that were encoded beforehand.

    Teachers spread their cosines differently (those of e5 lie between 0.7 and 1), so each one's are first
    brought to the mean and deviation of the first teacher's on a sample of texts; see `assemble`.
    """

    def __init__(self, members: Sequence[_Member], device: str) -> None:
        self._members = members
        self._device = device

    def similarities(
        self,
        left: NDArray[np.int64],
        right: NDArray[np.int64],
        *,
        sides: tuple[Side, Side] = (Side.DOCUMENT, Side.DOCUMENT),
    ) -> Tensor:
        """Averaged similarities of the texts with the ids `left` (n,) and `right` (m,), float32 (n, m)."""
        total = torch.zeros(len(left), len(right), device=self._device)
        for member in self._members:
            one, other = (
                torch.from_numpy(member.of(ids, side)).to(self._device)
                for ids, side in zip((left, right), sides, strict=True)
            )
            total += member.weight * ((one @ other.T) * member.scale + member.shift)
        return total / sum(member.weight for member in self._members)

    def vectors(self, ids: NDArray[np.int64], side: Side) -> FloatArray:
        """The first teacher's vectors of texts, float32 (n, dim)."""
        return self._members[0].of(ids, side)


def assemble(
    teachers: Sequence[tuple[Teacher, float]],
    texts: Sequence[str],
    needed: dict[Side, NDArray[np.int64]],
    *,
    cache: Path,
    device: str,
    progress: Progress,
    seed: int,
) -> Panel:
    """Has every teacher encode what will be asked of it.

    Args:
        teachers: With their weights.
        texts: The pool.
        needed: Ids of the texts that are needed as queries and as documents.
        cache: Folder for vectors, see `cached_vectors`.
        device: Torch device of the similarities.
        progress: Shows how far it is.
        seed: Of the sample that teachers are calibrated on.
    """
    members: list[_Member] = []
    everything = np.unique(np.concatenate([*needed.values()]))
    for place, (teacher, weight) in enumerate(teachers, 1):
        vectors: dict[Side, FloatArray] = {}
        row: dict[Side, NDArray[np.int64]] = {}
        for side, ids in (needed if teacher.sided else {Side.DOCUMENT: everything}).items():
            chosen = [texts[text_id] for text_id in ids]
            title = f"teacher {place}, {side.value if teacher.sided else 'texts'}"
            with progress(title, len(chosen)) as advance:
                found = cached_vectors(teacher, chosen, side, cache=cache, advance=advance)
            rows = np.full(len(texts), -1, dtype=np.int64)
            rows[ids] = found.rows
            for served in (side,) if teacher.sided else Side:
                vectors[served], row[served] = found.vectors, rows
            mean, deviation = _spread(found, seed)
        if place == 1:
            first_mean, first_deviation = mean, deviation
        scale = first_deviation / deviation
        members.append(_Member(weight, vectors, row, scale, first_mean - scale * mean))
    return Panel(members, device)


def _spread(found: CachedVectors, seed: int) -> tuple[float, float]:
    """Mean and deviation of the cosines of different texts."""
    count = min(_CALIBRATION, len(found.rows))
    if count < 3:
        return 0.0, 1.0
    chosen = np.random.default_rng(seed).choice(len(found.rows), count, replace=False)
    sample = np.asarray(found.vectors[found.rows[chosen]])
    cosines = (sample @ sample.T)[~np.eye(count, dtype=bool)]
    return float(cosines.mean()), max(float(cosines.std()), 1e-6)
