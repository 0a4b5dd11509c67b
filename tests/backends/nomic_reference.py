"""NomicBERT written once more, from its published description, to check the loaded one against.

Post-norm blocks without biases; rotary positions on halves of each head; dynamic NTK scaling of the rotary
base above the trained length; SwiGLU where fc12 is the gate. One text at a time, so nothing is padded.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file


class Reference:
    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        stored = load_file(folder / "model.safetensors")
        prefix = next(name for name in stored if name.endswith("embeddings.word_embeddings.weight"))
        prefix = prefix[: -len("embeddings.word_embeddings.weight")]
        self.weights = {name[len(prefix) :]: tensor.double() for name, tensor in stored.items()}

    def token_states(self, ids: list[int]) -> torch.Tensor:
        """States of one sequence, float64 (length, width)."""
        weights = self.weights
        states = weights["embeddings.word_embeddings.weight"][ids]
        states = states + weights["embeddings.token_type_embeddings.weight"][0]
        states = self._norm(states, "emb_ln")
        for index in range(self.config["n_layer"]):
            layer = f"encoder.layers.{index}"
            states = self._norm(states + self._attention(states, layer), f"{layer}.norm1")
            states = self._norm(states + self._mlp(states, layer), f"{layer}.norm2")
        return states

    def vector(self, ids: list[int]) -> torch.Tensor:
        return self.token_states(ids).mean(dim=0)

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        centred = x - x.mean(dim=-1, keepdim=True)
        scale = (centred.pow(2).mean(dim=-1, keepdim=True) + self.config["layer_norm_epsilon"]).sqrt()
        return centred / scale * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def _mlp(self, x: torch.Tensor, layer: str) -> torch.Tensor:
        gate = x @ self.weights[f"{layer}.mlp.fc12.weight"].T
        up = x @ self.weights[f"{layer}.mlp.fc11.weight"].T
        return (up * gate * torch.sigmoid(gate)) @ self.weights[f"{layer}.mlp.fc2.weight"].T

    def _attention(self, x: torch.Tensor, layer: str) -> torch.Tensor:
        length, width = x.shape
        heads = self.config["n_head"]
        size = width // heads
        stacked = (x @ self.weights[f"{layer}.attn.Wqkv.weight"].T).view(length, 3, heads, size)
        mixed = []
        for head in range(heads):
            query, key = self._rotate(stacked[:, 0, head]), self._rotate(stacked[:, 1, head])
            attention = torch.softmax(query @ key.T / math.sqrt(size), dim=-1)
            mixed.append(attention @ stacked[:, 2, head])
        return torch.cat(mixed, dim=-1) @ self.weights[f"{layer}.attn.out_proj.weight"].T

    def _rotate(self, x: torch.Tensor) -> torch.Tensor:
        """Turns component i and i + half of position p by p / base ** (2 i / size)."""
        length, size = x.shape
        base, factor = float(self.config["rotary_emb_base"]), self.config["rotary_scaling_factor"]
        trained = self.config["max_trained_positions"]
        if factor and length > trained:
            base *= ((factor * length / trained) - (factor - 1)) ** (size / (size - 2))
        half = size // 2
        speeds = torch.tensor([base ** (-2 * index / size) for index in range(half)], dtype=torch.float64)
        angles = torch.arange(length, dtype=torch.float64)[:, None] * speeds
        left, right = x[:, :half], x[:, half:]
        turned = (left * angles.cos() - right * angles.sin(), left * angles.sin() + right * angles.cos())
        return torch.cat(turned, dim=-1)
