"""One measurement of an encoder in training, and which checkpoint is released."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from romaine.errors import VectorError
from romaine.train.watch import Reading, is_better


@dataclass(frozen=True, kw_only=True)
class EncoderReading:
    """One measurement; figures by dimension, as JSON has it ("384"), or by data.

    Attributes:
        step: Steps done over all stages.
        stage: The stage it was made in.
        loss: Mean loss since the reading before.
        sts: Spearman.
        late: Recall of held-out evidence by token vectors, by data.
        pooled: The same by pooled vectors in full.
        alignment: Of a distilled model with its teacher, see `distilling.alignment`; None for others.
    """

    step: int
    stage: str
    loss: float | None
    sts: dict[str, float] = field(default_factory=dict)
    late: dict[str, float] = field(default_factory=dict)
    pooled: dict[str, float] = field(default_factory=dict)
    alignment: float | None = None

    @property
    def recall(self) -> float | None:
        """Mean recall by token vectors over all data; None without held-out chats."""
        return float(np.mean(list(self.late.values()))) if self.late else None

    def is_better(self, best: EncoderReading | None, *, floor: float) -> bool:
        """Whether this checkpoint is released instead of `best`: see `romaine.train.watch.is_better`."""
        return is_better(self._plain(), None if best is None else best._plain(), floor=floor)

    def _plain(self) -> Reading:
        recall = {"0": self.recall} if self.recall is not None else {}
        return Reading(step=self.step, loss=self.loss, sts=self.sts, recall=recall)


def check_loss(loss: float | None, step: int) -> None:
    """Refuses a loss that is no number.

    Raises:
        VectorError: If it is not finite.
    """
    if loss is not None and not math.isfinite(loss):
        raise VectorError(
            f"training has diverged at step {step}: loss {loss}; lower learning_rate or raise warm_up"
        )


def check_sts(sts: float, *, stop_below: float, step: int, stage: str) -> None:
    """Refuses vectors that have lost what texts mean.

    Raises:
        VectorError: If Spearman is below `stop_below`, or no number.
    """
    if not sts >= stop_below:
        raise VectorError(
            f"STS is {sts:.3f} at step {step} (stage {stage!r}), below stop_below={stop_below:g}: the vectors"
            " have collapsed; lower learning_rate"
        )
