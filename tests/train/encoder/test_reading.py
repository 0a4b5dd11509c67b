from __future__ import annotations

import math

import pytest

from romaine.errors import VectorError
from romaine.train.encoder.reading import EncoderReading, check_loss, check_sts


def reading(sts: float, late: float) -> EncoderReading:
    return EncoderReading(step=1, stage="main", loss=None, sts={"48": sts, "16": 0.9}, late={"chats": late})


def test_released_is_the_highest_recall_above_the_floor() -> None:
    best = reading(0.86, 0.5)
    assert reading(0.85, 0.6).is_better(best, floor=0.85)
    assert not reading(0.84, 0.9).is_better(best, floor=0.85)
    assert not reading(0.9, 0.4).is_better(best, floor=0.85)
    assert reading(0.6, 0.1).is_better(reading(0.5, 0.9), floor=0.85)
    assert reading(0.1, 0.1).is_better(None, floor=0.85)


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_run(loss: float) -> None:
    with pytest.raises(VectorError, match="step 7"):
        check_loss(loss, 7)
    check_loss(None, 7)


@pytest.mark.parametrize("sts", [0.2, math.nan])
def test_collapsed_vectors_stop_the_run(sts: float) -> None:
    with pytest.raises(VectorError, match="collapsed"):
        check_sts(sts, stop_below=0.3, step=7, stage="main")
