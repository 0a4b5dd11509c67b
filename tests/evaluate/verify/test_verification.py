"""Sound models pass; each broken one is rejected by the check that is meant to catch it, and by no other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from romaine.evaluate.subject import Subject
from romaine.evaluate.verify import CHECKS, Bench, Verification, judge
from tests.evaluate.verify import broken as broken_models
from tests.evaluate.verify.conftest import BenchOf

pytestmark = pytest.mark.filterwarnings("ignore::romaine.UnfamiliarTextWarning")

JUDGING = tuple(check for check in CHECKS if check.name != "speed")
SOUND = (
    "bundled",
    "bundled, 8 bits",
    "bundled, float32",
    "Esperanto claimed",
    "MiniLM",
    "MiniLM, fp32",
    "MiniLM, pooled and normalised inside",
)


@dataclass(frozen=True)
class Broken:
    name: str
    checks: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return self.name


BROKEN = (
    Broken("shuffled table", ("similarity", "memory"), "similarity: Spearman at dim"),
    Broken("swapped layers", ("similarity", "memory"), "similarity: Spearman at dim"),
    Broken("wrong pooling", ("memory",), "memory: recall@5 in all chats at dim"),
    Broken("un-normalised export", ("unit length",), "unit length: raw output, off one by"),
    Broken("int8 file calibrated wrongly", ("parity",), "parity: onnx int8 beside torch, worst cosine"),
    Broken("NaN row", ("finite",), "finite: vectors of 500 tokens: not finite near token"),
    Broken("pooling that counts padding", ("contract",), "contract: batch invariance"),
    Broken("Korean claimed", ("languages",), "languages: ko, recall@5 in all chats at dim 384"),
    Broken("untrained dims", ("dims",), "dims: recall@5 in its chat lost at dim 32"),
    Broken("int8 vectors clipped", ("parity",), "parity: static, int8 vectors"),
)


def failed_checks(found: Verification) -> set[str]:
    return {finding.check for finding in found.findings if finding.passed is False}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_model_passes(name: str, bench_of: BenchOf) -> None:
    found = judge(bench_of(name), checks=JUDGING)
    assert found.reasons == ()
    assert found.passed


def test_a_language_without_probes_is_only_told(bench_of: BenchOf) -> None:
    found = judge(
        bench_of("Esperanto claimed"), checks=[check for check in CHECKS if check.name == "languages"]
    )
    assert [(finding.subject, finding.passed) for finding in found.findings] == [("eo", None)]


def test_the_probes_are_hard_for_a_good_model(bench_of: BenchOf) -> None:
    bench = bench_of("MiniLM, fp32")
    assert 0.55 < bench.similarity[384] < 0.8
    assert 0.32 < bench.memory[384] < 0.6


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_a_broken_model_is_rejected_by_its_check_and_no_other(broken: Broken, bench_of: BenchOf) -> None:
    bench = bench_of(broken.name)
    found = judge(bench, checks=JUDGING)
    assert not found.passed
    assert failed_checks(found) == set(broken.checks), found.reasons
    assert any(reason.startswith(broken.reason) for reason in found.reasons), found.reasons
    others = [check for check in JUDGING if check.name not in broken.checks]
    assert judge(bench, checks=others).passed
    for name in broken.checks:
        without = judge(bench, checks=[check for check in JUDGING if check.name != name])
        assert name not in failed_checks(without)
        assert without.passed == (broken.checks == (name,))


def test_weights_in_a_pickle_are_not_called_finite_unseen(minilm_folder: Path, tmp_path: Path) -> None:
    folder = broken_models.nan_in_a_pickle(minilm_folder, tmp_path / "pickled", token=0)
    subject = Subject(model=folder, backend="torch", allow_pickle=True, threads=1)
    finite = [check for check in CHECKS if check.name == "finite"]
    weights, vectors = judge(Bench(subject, swept_tokens=50), checks=finite).findings
    assert (weights.subject, weights.passed) == ("weights", None)
    assert (vectors.subject, vectors.passed) == ("vectors of 50 tokens", False)
