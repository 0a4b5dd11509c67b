"""Rotary positions whose base grows with the length of the input (dynamic NTK scaling), without a memory.

transformers' own module keeps the frequencies of the longest input seen so far, so that a text's vector
depends on the calls before it and on what other threads do. This one computes them from its input alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from romaine.errors import ModelFormatError


class DynamicRotary(nn.Module):
    """Cosines and sines of rotary positions under dynamic NTK scaling.

    With n positions, of which t were trained on, and d components in each head, the base is
    b * (f * max(n, t) / t - (f - 1)) ** (d / (d - 2)): unchanged up to t, growing from there on. This is what
    nomic's published model does with `rotary_scaling_factor` f and `max_trained_positions` t. All of it is
    tensor arithmetic without a branch, so that it exports to ONNX with a dynamic length.

    Args:
        head_dim: Components of each head, d; even and above 2.
        base: The trained base, b.
        factor: The scaling factor, f.
        trained: Positions seen in training, t.
    """

    def __init__(self, *, head_dim: int, base: float, factor: float, trained: int) -> None:
        super().__init__()
        if head_dim % 2 or head_dim <= 2:
            raise ModelFormatError(
                f"rotary scaling needs heads of an even number of components above 2, not {head_dim}"
            )
        # Plain numbers instead of buffers: a cast of the model to half precision must not round frequencies.
        self.head_dim, self.base, self.factor, self.trained = head_dim, base, factor, trained

    @torch.no_grad()
    def forward(self, x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Computes the rotation of each position.

        Args:
            x: Gives dtype and device only.
            position_ids: int64 (batch or 1, length), counting from 0.

        Returns:
            Cosines and sines, each (batch or 1, length, head_dim), both halves of a head alike.
        """
        length = (position_ids.max() + 1).float().clamp(min=float(self.trained))
        growth = self.factor * length / self.trained - (self.factor - 1.0)
        base = self.base * growth ** (self.head_dim / (self.head_dim - 2))
        exponents = torch.arange(0, self.head_dim, 2, device=x.device).float() / self.head_dim
        angles = position_ids.unsqueeze(-1).float() * (1.0 / base**exponents)
        both_halves = torch.cat((angles, angles), dim=-1)
        return both_halves.cos().to(x.dtype), both_halves.sin().to(x.dtype)


def make_stateless(module: Any) -> None:
    """Replaces the rotary module of a transformers model where its scaling depends on the input's length."""
    rotary = getattr(module, "rotary_emb", None)
    if getattr(rotary, "rope_type", None) != "dynamic":
        return
    config = module.config
    rope = config.rope_parameters
    module.rotary_emb = DynamicRotary(
        head_dim=int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads),
        base=float(rope["rope_theta"]),
        factor=float(rope["factor"]),
        trained=int(rope.get("original_max_position_embeddings") or config.max_position_embeddings),
    )
