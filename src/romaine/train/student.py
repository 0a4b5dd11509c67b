"""The student: a table of token vectors whose mean, through a dynamic tanh if wanted, is a text's vector."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from romaine.arrays import FloatArray
from romaine.models.tables import DyT
from romaine.text.ragged import Ragged
from romaine.train.packing import Packer
from romaine.train.recipe import Phase

_BETA_1 = 0.9
_DYT_RATE = 0.1
"""Rate of the tanh's parameters relative to the table's: every text moves them, a row few."""


class Student:
    """A table float32 (vocab, dim) in training, with the optimiser of one phase.

    Rows are optimised by torch's lazy Adam for sparse gradients: a step moves the rows whose tokens are in it
    and no others, so that rare tokens keep what the teacher gave them, and a step costs what it touches.
    `packer` rounds the rows that a step sees; None leaves them as they are.
    """

    def __init__(self, table: FloatArray, *, dyt: bool, device: str) -> None:
        self._device = device
        self.table = torch.tensor(table, device=device)
        dim = table.shape[1]
        self._dyt: dict[str, Tensor] = {}
        if dyt:
            # alpha such that typical means stay where tanh is nearly linear, gain that undoes it
            spread = float(self.table.std()) or 1.0
            self._dyt = {
                "alpha": torch.full((dim,), 0.5 / spread, device=device),
                "gain": torch.full((dim,), spread / 0.5, device=device),
                "shift": torch.zeros(dim, device=device),
            }
        for parameter in self._dyt.values():
            parameter.requires_grad_(True)
        self.packer: Packer | None = None
        self._average: Tensor | None = None
        self._anchor: Tensor | None = None

    def begin(self, phase: Phase) -> None:
        """Starts a phase: a fresh optimiser, an average and an anchor where the phase wants them."""
        self._phase = phase
        self.packer = None
        betas = (_BETA_1, phase.forget)
        self._adams: dict[str, torch.optim.Optimizer] = {
            "adam": torch.optim.SparseAdam([self.table], lr=phase.learning_rate, betas=betas)
        }
        if self._dyt:
            self._adams["adam_dyt"] = torch.optim.Adam([*self._dyt.values()], betas=betas)
        self._average = self.table.clone() if phase.average else None
        self._anchor = self.table.clone() if phase.anchor else None

    def end(self) -> None:
        """Ends a phase: its average takes the table's place."""
        if self._average is not None:
            self.table = self._average
        self._average = self._anchor = None

    def forward(self, tokens: Ragged, *, rng: torch.Generator | None = None) -> Tensor:
        """Vectors (n, dim) of texts, of any length, from rows that `step` can move afterwards.

        A text without tokens has a zero vector. `rng` decides which tokens a phase drops.
        """
        ids = torch.from_numpy(tokens.ids.astype(np.int64)).to(self._device)
        offsets = torch.from_numpy(tokens.offsets[:-1]).to(self._device)
        self._touched, inverse = torch.unique(ids, return_inverse=True)
        self._rows = self.table[self._touched].requires_grad_(True)
        seen = self._rows if self.packer is None else self.packer(self._rows, self._touched)
        if self._phase.drop and rng is not None:
            kept = (torch.rand(len(ids), generator=rng) >= self._phase.drop).to(self._device, torch.float32)
            vectors = functional.embedding_bag(inverse, seen, offsets, mode="sum", per_sample_weights=kept)
        else:
            vectors = functional.embedding_bag(inverse, seen, offsets, mode="mean")
        if not self._dyt:
            return vectors
        return self._dyt["gain"] * torch.tanh(self._dyt["alpha"] * vectors + self._dyt["shift"])

    def step(self, loss: Tensor, rate: float) -> None:
        """Moves the rows of the last `forward` along the gradient of `loss`."""
        if self._anchor is not None:
            drift = self._rows - self._anchor[self._touched]
            loss = loss + self._phase.anchor * drift.square().sum(1).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        assert self._rows.grad is not None
        self.table.grad = torch.sparse_coo_tensor(
            self._touched[None], self._rows.grad, self.table.shape, is_coalesced=True, check_invariants=False
        )
        for name, adam in self._adams.items():
            adam.param_groups[0]["lr"] = rate * (_DYT_RATE if name == "adam_dyt" else 1)
            adam.step()
            adam.zero_grad()
        if self._average is not None:
            self._average.lerp_(self.table, 1 - self._phase.average)

    def matrix(self) -> FloatArray:
        """The table as it is measured and shipped: its average where there is one, float32 (vocab, dim)."""
        table = self.table if self._average is None else self._average
        return np.array(table.detach().cpu().numpy(), dtype=np.float32)

    def dyt(self) -> DyT | None:
        """What follows the mean."""
        if not self._dyt:
            return None
        return DyT(**{name: value.detach().cpu().numpy().copy() for name, value in self._dyt.items()})

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, as tensors by name."""
        tensors = {f"dyt.{name}": value for name, value in self._dyt.items()} | self._tables()
        for prefix, adam in self._adams.items():
            for place, values in adam.state_dict()["state"].items():
                for name, value in values.items():
                    tensors[f"{prefix}.{place}.{name}"] = torch.as_tensor(value)
        if self.packer is not None:
            tensors |= {f"packer.{name}": value for name, value in self.packer.state().items()}
        return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes over what `state` gave, after `begin` of the same phase and with its packer."""
        with torch.no_grad():
            for name, table in self._tables().items():
                table.copy_(state[name])
            for name, value in self._dyt.items():
                value.copy_(state[f"dyt.{name}"])
        for prefix, adam in self._adams.items():
            values = adam.state_dict()
            for name, kept in state.items():
                if name.startswith(f"{prefix}."):
                    _, place, field = name.split(".")
                    # SparseAdam counts steps as an int, Adam as a tensor
                    is_int = prefix == "adam" and field == "step"
                    values["state"].setdefault(int(place), {})[field] = int(kept) if is_int else kept
            adam.load_state_dict(values)
        if self.packer is not None:
            self.packer.restore({name: state[f"packer.{name}"] for name in self.packer.state()})

    def _tables(self) -> dict[str, Tensor]:
        tables = {"table": self.table, "average": self._average, "anchor": self._anchor}
        return {name: table for name, table in tables.items() if table is not None}
