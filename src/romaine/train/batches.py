"""Which items a step sees: a function of the seed and the step, so that resuming needs no further state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from romaine.errors import OptionError


class Rounds:
    """Batches of shuffled items, each item once a round; a batch may end one round and begin the next.

    Args:
        count: Items.
        batch: Items in a batch; at most `count` are taken.
        key: What the order depends on.

    Raises:
        OptionError: If there are no items.
    """

    def __init__(self, count: int, batch: int, key: tuple[int, ...]) -> None:
        if count < 1:
            raise OptionError("a task has no data left to learn from; see the counts of its data sources")
        self._count = count
        self._batch = min(batch, count)
        self._key = key
        self._orders: dict[int, NDArray[np.int64]] = {}

    def at(self, step: int) -> NDArray[np.int64]:
        """The items of a step, int64 (batch,); an item can only be twice in it where two rounds meet."""
        begin = step * self._batch
        places = np.arange(begin, begin + self._batch)
        rounds = places // self._count
        return np.concatenate(
            [self._order(int(r))[places[rounds == r] % self._count] for r in np.unique(rounds)]
        )

    def _order(self, number: int) -> NDArray[np.int64]:
        if number not in self._orders:
            # only the last two rounds are ever needed at once
            self._orders = {n: order for n, order in self._orders.items() if n == number - 1}
            self._orders[number] = np.random.default_rng((*self._key, number)).permutation(self._count)
        return self._orders[number]


def dice_at(*key: int) -> np.random.Generator:
    """A generator for one task in one step."""
    return np.random.default_rng(key)
