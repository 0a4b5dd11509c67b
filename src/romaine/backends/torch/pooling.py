"""Pooling in torch, of operations that ONNX has, so that an exported graph does the very same."""

from __future__ import annotations

import torch

from romaine.arrays import Pooling


def pool(states: torch.Tensor, mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Makes one vector of each text's token states, as `romaine.arrays.pool` does.

    Args:
        states: Shape (n, length, dim), any float dtype.
        mask: Shape (n, length), 1 where there is a token, padding on the right.
        pooling: How.

    Returns:
        float32 (n, dim), not normalised; a text without tokens gives a zero vector.
    """
    states = states.float()
    weights = mask.unsqueeze(-1).float()
    counts = weights.sum(dim=1)
    if pooling is Pooling.MEAN:
        return (states * weights).sum(dim=1) / counts.clamp(min=1)
    if pooling is Pooling.MAX:
        peaks = states.masked_fill(weights == 0, float("-inf")).amax(dim=1)
        return torch.where(counts > 0, peaks, torch.zeros_like(peaks))
    first_or_last = states[:, 0] if pooling is Pooling.CLS else _last(states, counts)
    return first_or_last * (counts > 0)


def _last(states: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    index = (counts - 1).clamp(min=0).long().unsqueeze(-1).expand(-1, 1, states.shape[-1])
    return states.gather(1, index).squeeze(1)
