"""Which memories the SillyTavern extension puts into a prompt."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from tests.apps.tavern import EXTENSION

_SCRIPT = """
import { telling } from 'FILE';
const hits = JSON.parse(process.argv[1]).map(([confidence, pinned]) => ({ confidence, memory: { pinned } }));
console.log(JSON.stringify(telling(hits).map((hit) => hit.confidence)));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize(
    ("found", "told"),
    [
        # a question of a small chat, the turn that answers it, and what came along because there was room
        ([0.57, 0.11, 0.05, 0.02], [0.57, 0.11]),
        ([0.14, 0.08, 0.06], [0.14, 0.08]),
        ([], []),
    ],
)
def test_an_answer_behind_a_better_hit_is_told(found: list[float], told: list[float]) -> None:
    assert _told([(confidence, False) for confidence in found]) == told


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_what_is_pinned_is_told() -> None:
    assert _told([(0.5, False), (0.01, True), (0.02, False)]) == [0.5, 0.01]


def _told(found: list[tuple[float, bool]]) -> list[float]:
    script = _SCRIPT.replace("FILE", (EXTENSION / "prompt.js").as_uri())
    command = ["node", "--input-type=module", "--eval", script, "--", json.dumps(found)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told: list[float] = json.loads(done.stdout)
    return told
