"""Late interaction: each token of a query looks for its like among the tokens of the first candidates.

What a query is compared with so is not one vector for a whole turn but each of its tokens, by the highest
cosine (MaxSim: Khattab and Zaharia, "ColBERT", 2020), and the rarer a token of the query, the more it counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.memory.candidates import Spread, spread_of
from romaine.memory.change import draft_of
from romaine.memory.encoder import packed_tokens
from romaine.memory.locks import aside
from romaine.memory.sequence import turn_before
from romaine.memory.storage import Snapshot
from romaine.memory.stored import Wanted
from romaine.memory.token_cache import TokenCache
from romaine.memory.token_codec import LateInteraction, joined, opened, turned

if TYPE_CHECKING:
    from romaine.memory.encoder import TokenEmbedder
    from romaine.memory.scope_index import ScopeIndex
    from romaine.token_vectors import TokenVectors

FIRST = 100
"""How many of the best candidates are compared so."""

_NOBODY = -1
_AT_ONCE = 1024  # tokens whose vectors stay in a core's cache until they are compared


@dataclass(frozen=True, eq=False)
class Late:
    """Late interaction of a query with `n` of the candidates, -1 to 1 each.

    Attributes:
        indices: Which candidates, the best of the hand-set ranking first, intp (n,).
        own: With the tokens of each turn itself, float32 (n,).
        around: With those of the turn, the one before and the one after, float32 (n,).
    """

    indices: NDArray[np.intp]
    own: FloatArray
    around: FloatArray

    @property
    def values(self) -> FloatArray:
        """Both as one figure, float32 (n,)."""
        return np.asarray((self.own + self.around) / 2, dtype=np.float32)

    @property
    def spread(self) -> Spread:
        """How that figure spreads."""
        return spread_of(self.values)

    def standing(self, count: int, spread: Spread) -> NDArray[np.float64]:
        """How many standard deviations `values`, `own` and `around` are above the mean, float64 (3, count).

        A candidate that was not looked at stands where the last of those does that were.

        Args:
            count: How many candidates there are.
            spread: Of `values`.
        """
        figures = np.stack([self.values, self.own, self.around]).astype(np.float64)
        away = (figures - spread.mean) / spread.deviation
        standing = np.zeros((3, count))
        if len(self.indices):
            standing[:] = away.min(axis=1, keepdims=True)
        standing[:, self.indices] = away
        return standing


def late(
    query: TokenVectors, indices: NDArray[np.intp], lines: NDArray[np.int64], packed: Mapping[int, bytes]
) -> Late:
    """Compares a query with candidates.

    Args:
        query: Its tokens.
        indices: Which candidates, (n,).
        lines: The row of each, of the turn before and of the turn after, -1 for none, int64 (n, 3).
        packed: The tokens of rows; one that is missing has none.

    Raises:
        StorageCorruptError: If what is packed is something else.
    """
    rows = sorted(row for row, tokens in packed.items() if tokens)
    best = np.full((len(rows) + 1, len(query.ids)), _NOBODY, dtype=np.float32)
    if rows and len(query.ids):
        best[:-1] = _highest(query, [packed[row] for row in rows])
    # the last one stands for turns that are not there
    held = np.append(np.array(rows, dtype=np.int64), np.iinfo(np.int64).max)
    at = np.searchsorted(held, lines)
    at[held[at] != lines] = len(rows)
    weights = query.rarity / max(float(query.rarity.sum()), 1e-9)
    own, around = (np.clip(part @ weights, -1, 1) for part in (best[at[:, 0]], best[at].max(axis=1)))
    # a turn without a token is like nothing, which is not the same as being unlike
    has_own, has_any = at[:, 0] < len(rows), (at < len(rows)).any(axis=1)
    return Late(indices, np.where(has_own, own, np.float32(0)), np.where(has_any, around, np.float32(0)))


def _highest(query: TokenVectors, packed: Sequence[bytes]) -> FloatArray:
    """The highest cosine of each token of a query with those of n memories, float32 (n, tokens)."""
    dim = query.vectors.shape[1]
    codes, counts = joined(packed, dim)
    asked = np.ascontiguousarray(turned(query.vectors).T)
    cosines = np.empty((asked.shape[1], len(codes)), dtype=np.float32)
    squares = np.empty(len(codes), dtype=np.float32)
    for start in range(0, len(codes), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        tokens = opened(codes[some], dim)
        cosines[:, some] = (tokens @ asked).T
        np.einsum("ij,ij->i", tokens, tokens, out=squares[some])
    cosines /= np.sqrt(squares)
    highest: FloatArray = np.maximum.reduceat(cosines, np.cumsum(counts) - counts, axis=1).T
    return highest


def lines_of(index: ScopeIndex, rows: NDArray[np.intp], may_lend: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The ids of rows and of the turns before and after each, int64 (n, 3); -1 for none.

    Args:
        index: Of the scope.
        rows: Which rows, (n,).
        may_lend: Whose tokens may count for others, bool (rows,).
    """
    beside = index.beside(rows)
    beside[~may_lend[beside]] = _NOBODY
    return np.column_stack([index.ids[rows], np.where(beside == _NOBODY, _NOBODY, index.ids[beside])])


class TokenSource:
    """Where a recall has the tokens of memories from.

    Args:
        embedder: What makes them, at full_dim.
        how: Whether they are stored.
    """

    def __init__(self, embedder: TokenEmbedder, how: LateInteraction) -> None:
        self._embedder = embedder
        self._is_stored = how is LateInteraction.STORED

    def of_query(self, text: str) -> TokenVectors:
        """Those of a text that searches."""
        return self._embedder.embed_tokens([text], query=True)[0]

    def of_rows(self, snapshot: Snapshot, cache: TokenCache, row_ids: Sequence[int]) -> dict[int, bytes]:
        """Those of rows; what is not kept is made of their texts, which takes the time of embedding them.

        Args:
            snapshot: What is read.
            cache: Of the scope and the state that is read.
            row_ids: Which rows.
        """
        found = cache.get(row_ids)
        new: dict[int, bytes] = {}
        if self._is_stored and (missing := [row_id for row_id in row_ids if row_id not in found]):
            new = snapshot.token_vectors(missing)
        if missing := [row_id for row_id in row_ids if row_id not in found and row_id not in new]:
            new |= self._made(snapshot, missing)
        if new:
            cache.put(new)
        return found | new

    def _made(self, snapshot: Snapshot, row_ids: Sequence[int]) -> dict[int, bytes]:
        rows = list(snapshot.rows(None, Wanted(row_ids=row_ids)))
        drafts = [draft_of(row, turn_before(snapshot, row)) for row in rows]
        with aside():
            found = packed_tokens(self._embedder, drafts)
        return {row.row_id: tokens for row, (tokens, _) in zip(rows, found, strict=True)}
