"""A verification as the page that `romaine eval` writes, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from romaine.errors import RomaineError
from romaine.evaluate.report import Report
from romaine.evaluate.separation import separation_of_pairs, separation_of_questions
from romaine.evaluate.verify.verification import Verification
from romaine.models.verdicts import VERIFIER_VERSION

T = TypeVar("T")


def report_of(found: Verification, *, command: str = "") -> Report:
    """Everything that was found, with charts of what was measured; what a broken model refused is left out.

    Args:
        found: The verification.
        command: What was typed, to do it again.
    """
    bench = found.bench
    separations = (
        lambda: separation_of_pairs(bench.probes.scored_pairs, bench.embedder),
        lambda: separation_of_questions(bench.probes.chats, bench.embedder),
    )
    reading = _unless_broken(lambda: "whole texts" if bench.is_contextual else "sums of tokens")
    return Report(
        title="Verification",
        model=found.model,
        facts={
            "Run on": found.run,
            **({"Read as": reading[0]} if reading else {}),
            "Probes": f"{len(bench.probes.pairs)} pairs, {len(bench.probes.questions)} questions over"
            f" {len(bench.probes.turns)} turns",
            "Verifier": f"version {VERIFIER_VERSION}",
            "Took": f"{found.seconds:.0f} s",
        },
        passed=found.passed,
        reasons=found.reasons,
        checks=found.findings,
        matryoshka=_unless_broken(lambda: bench.matryoshka),
        separations=tuple(each for measure in separations for each in _unless_broken(measure)),
        parity=_unless_broken(lambda: bench.parity),
        speed=_unless_broken(lambda: bench.speed),
        command=command,
        created=found.at,
    )


def _unless_broken(measure: Callable[[], T]) -> tuple[T, ...]:
    try:
        return (measure(),)
    except RomaineError:
        return ()  # the checks say why
