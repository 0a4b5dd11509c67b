from __future__ import annotations

import numpy as np
import pytest
import torch

from romaine.models import lowbit
from romaine.train.packing import Packer, packed


@pytest.mark.parametrize("dim", [2, 64, 100, 130])
@pytest.mark.parametrize("bits", [4, 8, 16, 32])
def test_rows_are_rounded_as_they_will_be_read_back(dim, bits):
    table = np.random.default_rng(0).standard_normal((50, dim)).astype(np.float32)
    table[3] = 0
    packer = Packer(bits, "cpu")
    packer.fit(torch.from_numpy(table))
    row_ids = torch.tensor([3, 7, 49])
    rounded = packer(torch.from_numpy(table)[row_ids], row_ids)
    np.testing.assert_allclose(rounded.numpy(), packed(table, bits)[row_ids.numpy()], atol=2e-6)


def test_gradients_pass_straight_through():
    table = torch.randn(10, 8)
    packer = Packer(4, "cpu")
    packer.fit(table)
    rows = table[:2].clone().requires_grad_(True)
    (packer(rows, torch.tensor([0, 1])) * torch.arange(8.0)).sum().backward()
    assert torch.equal(rows.grad, torch.arange(8.0).expand(2, 8))


def test_a_restored_packer_rounds_alike():
    table = torch.randn(10, 8)
    packer, other = Packer(4, "cpu"), Packer(4, "cpu")
    packer.fit(table)
    other.restore(packer.state())
    row_ids = torch.arange(10)
    assert torch.equal(packer(table, row_ids), other(table, row_ids))
    _, _, levels = lowbit.to_4_bits(table.numpy())
    np.testing.assert_array_equal(packer.state()["levels"].numpy(), levels)
