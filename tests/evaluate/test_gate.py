from __future__ import annotations

import hashlib
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from romaine.evaluate import gate, probes
from romaine.evaluate.gate import Limit, allowed_loss
from romaine.models.verdicts import VERIFIER_VERSION
from romaine.precision import Precision

KNOWN = {1: "20dfc56cf02ed2d7"}
"""What each version of the verifier measured with and demanded."""


def limits() -> dict[str, Limit]:
    found: dict[str, Limit] = {}
    for name, value in sorted(vars(gate).items()):
        if isinstance(value, Limit):
            found[name] = value
        elif is_dataclass(value) and not isinstance(value, type):
            found |= {f"{name}.{item.name}": getattr(value, item.name) for item in fields(value)}
    return found | {f"FORMS.{form.value}": limit for form, limit in gate.FORMS.items()}


def test_a_limit_is_kept_on_its_side_only() -> None:
    assert Limit(value=0.5, why="x").holds(0.5)
    assert not Limit(value=0.5, why="x").holds(0.49)
    assert Limit(value=0.5, why="x", is_ceiling=True).holds(0.5)
    assert not Limit(value=0.5, why="x", is_ceiling=True).holds(0.51)
    assert str(Limit(value=0.5, why="x")) == "at least 0.5"
    assert str(Limit(value=0.001, why="x", is_ceiling=True)) == "at most 0.001"


@pytest.mark.parametrize("is_ceiling", [False, True])
def test_what_is_not_a_number_keeps_no_limit(is_ceiling: bool) -> None:
    assert not Limit(value=0, why="x", is_ceiling=is_ceiling).holds(float("nan"))


def test_every_limit_says_why() -> None:
    assert len(limits()) >= 12
    for name, limit in limits().items():
        assert len(limit.why) > 20, name
    assert set(gate.FORMS) == set(Precision) - {Precision.FLOAT32}


def test_shorter_vectors_may_lose_more() -> None:
    losses = [allowed_loss(gate.MEMORY_LOSS, dim=dim, full_dim=256) for dim in (256, 128, 64, 32)]
    assert losses == sorted(losses)
    assert losses[0] == pytest.approx(gate.LOSS_BY_CHANCE)
    assert losses[1] - losses[0] == pytest.approx(gate.MEMORY_LOSS.value)


def test_a_transformer_is_held_to_more_than_a_table() -> None:
    assert gate.CONTEXTUAL.similarity.value > gate.STATIC.similarity.value
    assert gate.CONTEXTUAL.memory.value > gate.STATIC.memory.value


def test_new_floors_or_probes_come_with_a_new_version() -> None:
    """A stored verdict is void when what it was measured with has changed: raise VERIFIER_VERSION."""
    digest = hashlib.sha256()
    folder = Path(probes.__file__).parent
    for path in sorted([folder / "pairs.jsonl", *folder.glob("chats/*.jsonl")]):
        digest.update(path.read_text(encoding="utf-8").encode())
    digest.update(repr([(name, limit.value) for name, limit in limits().items()]).encode())
    digest.update(repr(gate.LOSS_BY_CHANCE).encode())
    assert digest.hexdigest()[:16] == KNOWN[VERIFIER_VERSION]
