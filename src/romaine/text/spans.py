"""The space-separated chunks of many texts, and what is known of them, in a few passes of numpy.

A pass over an array lets go of the interpreter, so that threads find their chunks at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Keys: TypeAlias = tuple[NDArray[np.uint64], NDArray[np.uint64]]
"""The first and the second eight bytes of each chunk."""

KEY_BYTES = 16
"""Bytes of the longest chunk that its key tells from all others; one in a thousand English ones is longer."""

_PROBES = 8
"""Slots where a chunk may be. That there are few is what makes texts written to collide harmless."""

_NOTHING = 0xFFFFFFFFFFFFFFFF
"""Eight of a byte that no UTF-8 has: what a key ends in, and the key of no chunk."""

_AFTER = np.array([_NOTHING << 8 * kept & _NOTHING for kept in range(9)], dtype="<u8")
_MIXERS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
"""Odd numbers without a pattern in their bits."""


@dataclass(frozen=True, eq=False)
class Spans:
    """Where the chunks of n texts are.

    Attributes:
        data: The texts in UTF-8, spaces between and after them.
        starts: Where each chunk begins in `data`, int64 (m,).
        lengths: Its bytes, int64 (m,).
        offsets: Number of the first chunk of each text, and m, int64 (n + 1,).
    """

    data: bytes
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Spans:
        """Splits texts at ASCII white space."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        sizes = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        data = b"".join((b" ", b" ".join(encoded), b" " * KEY_BYTES))
        characters = np.frombuffer(data, dtype=np.uint8)
        space = characters == ord(" ")
        for other in b"\t\n\r":
            space |= characters == other
        edges = np.flatnonzero(space[1:] != space[:-1]) + 1
        starts = edges[::2]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        offsets[1:] = np.searchsorted(starts, np.cumsum(sizes + 1))
        return cls(data, starts, edges[1::2] - starts, offsets)

    def chunks(self, numbers: NDArray[np.intp]) -> list[str]:
        """The texts of some chunks."""
        starts = self.starts[numbers]
        ends = starts + self.lengths[numbers]
        pairs = zip(starts.tolist(), ends.tolist(), strict=True)
        return [self.data[start:end].decode("utf-8", "surrogatepass") for start, end in pairs]

    def keys(self) -> Keys:
        """What tells each chunk of up to `KEY_BYTES` from all others."""
        eights: NDArray[np.uint64] = np.ndarray(
            (len(self.data) - 7,), dtype="<u8", buffer=self.data, strides=(1,)
        )
        first = eights[self.starts] | _AFTER[np.minimum(self.lengths, 8)]
        second = eights[self.starts + 8] | _AFTER[np.clip(self.lengths - 8, 0, 8)]
        return first, second


class NumberTable:
    """Finds the numbers of chunks by their keys, also while a thread adds some: those are found or not yet.

    Open addressing with linear probing in arrays, so that all chunks of a text are looked up in few passes.
    What collides too often is not remembered.
    """

    def __init__(self, bits: int = 12) -> None:
        self._bits = bits
        self._count = 0
        self._first = np.full(1 << bits, _NOTHING, dtype=np.uint64)
        self._second = np.full(1 << bits, _NOTHING, dtype=np.uint64)
        self._numbers = np.full(1 << bits, -1, dtype=np.int32)

    def find(self, keys: Keys) -> NDArray[np.int64]:
        """The number of each key, or -1."""
        slots = self._slots(keys)
        found = self._numbers[slots].astype(np.int64)
        wrong = np.flatnonzero((self._first[slots] != keys[0]) | (self._second[slots] != keys[1]))
        for _ in range(_PROBES - 1):
            wrong = wrong[found[wrong] >= 0]
            if not len(wrong):
                break
            slots[wrong] = at = (slots[wrong] + 1) & (len(self._first) - 1)
            found[wrong] = self._numbers[at]
            wrong = wrong[(self._first[at] != keys[0][wrong]) | (self._second[at] != keys[1][wrong])]
        found[wrong] = -1
        return found

    def with_added(self, keys: Keys, numbers: NDArray[np.int64]) -> NumberTable:
        """This table, or a larger one, with more chunks. Not for several threads at once.

        Args:
            keys: Of chunks that `find` does not know, each once.
            numbers: Theirs.
        """
        table = self
        if 4 * (self._count + len(numbers)) > len(self._first):
            full = np.flatnonzero(self._numbers >= 0)
            table = NumberTable((4 * (len(full) + len(numbers))).bit_length() + 1)
            table._place((self._first[full], self._second[full]), self._numbers[full])
        table._place(keys, numbers.astype(np.int32))
        return table

    def _place(self, keys: Keys, numbers: NDArray[np.int32]) -> None:
        waiting, slots = np.arange(len(numbers)), self._slots(keys)
        for _ in range(_PROBES):
            free = np.flatnonzero(self._numbers[slots] < 0)
            placed = free[np.unique(slots[free], return_index=True)[1]]  # one a slot
            at, whose = slots[placed], waiting[placed]
            # whoever reads between these lines finds the key of no chunk, or no number
            self._first[at], self._second[at] = keys[0][whose], keys[1][whose]
            self._numbers[at] = numbers[whose]
            self._count += len(placed)
            if len(placed) == len(waiting):
                break
            waiting, slots = np.delete(waiting, placed), np.delete(slots, placed)
            slots = (slots + 1) & (len(self._first) - 1)

    def _slots(self, keys: Keys) -> NDArray[np.int64]:
        mixed = keys[0] * _MIXERS[0]
        mixed ^= mixed >> np.uint64(29)
        mixed += keys[1]
        mixed *= _MIXERS[1]
        mixed ^= mixed >> np.uint64(32)
        mixed *= _MIXERS[0]
        return (mixed >> np.uint64(64 - self._bits)).astype(np.int64)
