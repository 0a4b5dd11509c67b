"""Single bits of a closed file flipped at random."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from romaine.embedder import Embedder

from .flips import flip_bits

FLIPS = 50


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="a trial's time is limited by a signal")
def test_a_flipped_bit_changes_no_answer_without_a_word(tmp_path: Path, gem: Embedder) -> None:
    outcomes = flip_bits(tmp_path, gem, FLIPS)
    assert outcomes["same"] + outcomes["reported"] + outcomes["refused"] == FLIPS
    assert outcomes["reported"] > 0
