"""Seeing a table as it will be packed, while it trains: quantisation-aware training, straight through."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from romaine.arrays import FloatArray
from romaine.models import lowbit


def packed(matrix: FloatArray, bits: int) -> FloatArray:
    """The table as it comes back after packing, float32 (vocab, dim)."""
    if bits == 4:
        return lowbit.from_4_bits(*lowbit.to_4_bits(matrix))
    if bits == 8:
        return lowbit.from_8_bits(*lowbit.to_8_bits(matrix))
    return matrix.astype(np.float16).astype(np.float32) if bits == 16 else matrix


class Packer:
    """Rounds rows as `romaine.models.lowbit` packs them; gradients pass as if nothing was rounded.

    In 4 bits, levels and scales are fitted to the whole table, which takes seconds: `fit` does it now and
    then, in between they are kept and only codes follow the rows. In 8 bits scales follow at once.
    """

    def __init__(self, bits: int, device: str) -> None:
        self.bits = bits
        self._device = device
        self._scales = torch.empty(0, device=device)
        self._levels = torch.empty(0, device=device)

    def fit(self, table: Tensor) -> None:
        """Fits levels and scales to the table (vocab, dim)."""
        if self.bits == 4:
            _, scales, levels = lowbit.to_4_bits(table.detach().cpu().numpy())
            self._scales = torch.tensor(scales.astype(np.float32), device=self._device)
            self._levels = torch.tensor(levels, device=self._device)

    def __call__(self, rows: Tensor, row_ids: Tensor) -> Tensor:
        """The rows (n, dim) with these ids (n,) as they will be read back; the gradient is that of `rows`."""
        with torch.no_grad():
            rounded = self._rounded(rows, row_ids)
        return rows + (rounded - rows).detach()

    def _rounded(self, rows: Tensor, row_ids: Tensor) -> Tensor:
        if self.bits == 4:
            groups = self._scales[row_ids]
            size = -(-rows.shape[1] // groups.shape[1])
            scales = groups.repeat_interleave(size, dim=1)[:, : rows.shape[1]]
            halfway = (self._levels[1:] + self._levels[:-1]) / 2
            return self._levels[torch.bucketize(rows / scales, halfway)] * scales
        if self.bits == 8:
            peaks = rows.abs().amax(dim=1, keepdim=True)
            scales = torch.where(peaks > 0, peaks / 127, torch.ones_like(peaks))
            return torch.round(rows / scales) * scales
        return rows.half().float() if self.bits == 16 else rows

    def state(self) -> dict[str, Tensor]:
        """What was fitted."""
        return {"scales": self._scales, "levels": self._levels}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Takes over what `state` gave."""
        self._scales = state["scales"].to(self._device)
        self._levels = state["levels"].to(self._device)
