"""Several teachers as one: their similarities averaged, since their dimensions need not match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from romaine.arrays import FloatArray
from romaine.train.teacher import Side, Teacher
from romaine.train.vector_cache import Advance, Taught, teach

_CALIBRATION = 1500  # texts whose mutual similarities say how a teacher spreads its cosines

Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""Makes a progress bar of a title and a total."""


@dataclass(frozen=True, eq=False)
class _Member:
    """One teacher's vectors of the texts it was asked for.

    `row` leads from the number of a text in the pool to its vector, -1 where it has none.
    """

    weight: float
    vectors: dict[Side, FloatArray]
    row: dict[Side, NDArray[np.int64]]
    scale: float
    shift: float

    def of(self, numbers: NDArray[np.int64], side: Side, device: str) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.vectors[side][self.row[side][numbers]])).to(device)


class Panel:
    """Teachers' similarities of texts that were encoded beforehand.

    Teachers spread their cosines differently (those of e5 lie between 0.7 and 1), so each one's are first
    brought to the mean and deviation of the first teacher's on a sample of texts.

    Args:
        members: See `assemble`.
        device: Torch device of the similarities.
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
        """Averaged similarities of two groups of texts.

        Args:
            left: Numbers in the pool, (n,).
            right: Numbers in the pool, (m,).
            sides: What the texts of either group are.

        Returns:
            float32 (n, m).
        """
        total = torch.zeros(len(left), len(right), device=self._device)
        for member in self._members:
            cosines = member.of(left, sides[0], self._device) @ member.of(right, sides[1], self._device).T
            total += member.weight * (cosines * member.scale + member.shift)
        return total / sum(member.weight for member in self._members)

    def vectors(self, numbers: NDArray[np.int64], side: Side) -> FloatArray:
        """The first teacher's vectors of texts, float32 (n, dim)."""
        first = self._members[0]
        return first.vectors[side][first.row[side][numbers]]


def assemble(
    teachers: Sequence[tuple[Teacher, float]],
    texts: Sequence[str],
    needed: dict[Side, NDArray[np.int64]],
    *,
    cache: Path | None,
    device: str,
    progress: Progress,
    seed: int,
) -> Panel:
    """Has every teacher encode what will be asked of it.

    Args:
        teachers: With their weights.
        texts: The pool.
        needed: Numbers of the texts that are needed as queries and as documents.
        cache: Folder for vectors, or None.
        device: Torch device of the similarities.
        progress: Shows how far it is.
        seed: Of the sample that teachers are calibrated on.
    """
    members: list[_Member] = []
    for place, (teacher, weight) in enumerate(teachers, 1):
        vectors: dict[Side, FloatArray] = {}
        row: dict[Side, NDArray[np.int64]] = {}
        for side, numbers in _groups(needed, teacher.sided):
            chosen = [texts[number] for number in numbers]
            with progress(
                f"teacher {place}, {'texts' if not teacher.sided else side.value}", len(chosen)
            ) as bar:
                found = teach(teacher, chosen, side, cache=cache, advance=bar)
            places = np.full(len(texts), -1, dtype=np.int64)
            places[numbers] = found.rows
            for taken in (side,) if teacher.sided else Side:
                vectors[taken], row[taken] = found.vectors, places
            spread = _spread(found, seed)
        mean, deviation = spread
        if place == 1:
            first_mean, first_deviation = spread
        scale = first_deviation / deviation
        members.append(_Member(weight, vectors, row, scale, first_mean - scale * mean))
    return Panel(members, device)


def _groups(needed: dict[Side, NDArray[np.int64]], sided: bool) -> Iterable[tuple[Side, NDArray[np.int64]]]:
    if sided:
        return needed.items()
    return [(Side.DOCUMENT, np.unique(np.concatenate([*needed.values()])))]


def _spread(taught: Taught, seed: int) -> tuple[float, float]:
    """Mean and deviation of the cosines of different texts."""
    count = min(_CALIBRATION, len(taught.rows))
    if count < 3:
        return 0.0, 1.0
    chosen = np.random.default_rng(seed).choice(len(taught.rows), count, replace=False)
    sample = np.asarray(taught.vectors[taught.rows[chosen]])
    cosines = (sample @ sample.T)[~np.eye(count, dtype=bool)]
    return float(cosines.mean()), max(float(cosines.std()), 1e-6)
