from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from romaine.errors import VectorError
from romaine.evaluate.sts import ScoredPairs
from romaine.train.encoder.chat_files import ChatTurn, EvidenceChat, EvidenceQuestion
from romaine.train.encoder.model import new_student, token_weights
from romaine.train.encoder.recipe import EncoderWatch
from romaine.train.encoder.watch import EncoderObserver
from tests.train.conftest import THINGS

CHAT = EvidenceChat(
    tuple(ChatTurn("Ann", thing) for thing in THINGS),
    (
        EvidenceQuestion("Ann: violin", (THINGS.index("violin"),)),
        EvidenceQuestion("Ann: violin", (0, THINGS.index("violin"))),
    ),
)
PAIRS = ScoredPairs(
    left=tuple(THINGS[:4]), right=(*THINGS[:2], *THINGS[6:8]), scores=np.array([5.0, 4.0, 0.0, 1.0])
)


def observer(folder: Path, *, cutoff: int = 1, **watch: float) -> tuple[EncoderObserver, object]:
    model = new_student(folder, token_dim=8, frozen=0, max_tokens=32)
    weights = token_weights(model, [turn.document for turn in CHAT.turns])
    return EncoderObserver(
        {"chats": [CHAT], "nothing asked": [EvidenceChat(CHAT.turns, ())]},
        PAIRS,
        watch=EncoderWatch(cutoff=cutoff, **watch),  # type: ignore[arg-type]
        dims=(16, 48),
        weights=weights,
        max_tokens=32,
    ), model


def test_recall_counts_the_evidence_found(small_teacher_folder: Path) -> None:
    found, model = observer(small_teacher_folder, stop_below=-1.0)
    reading = found.read(model, step=3, stage="main", loss=1.0)  # type: ignore[arg-type]
    assert list(reading.late) == list(reading.pooled) == ["chats"]
    assert reading.late["chats"] in (0.0, 0.25, 0.75)  # one of the turns of each question, or none
    assert list(reading.sts) == ["48", "16"]
    found, model = observer(small_teacher_folder, cutoff=len(THINGS), stop_below=-1.0)
    assert found.read(model, step=3, stage="main", loss=1.0).recall == 1  # type: ignore[arg-type]


def test_collapsed_vectors_stop_the_run(small_teacher_folder: Path) -> None:
    found, model = observer(small_teacher_folder, stop_below=1.1)
    with pytest.raises(VectorError, match="collapsed"):
        found.read(model, step=3, stage="main", loss=1.0)  # type: ignore[arg-type]
