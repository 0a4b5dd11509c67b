"""A verification as the page that `romaine eval` writes, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from romaine.errors import RomaineError
from romaine.evaluate.report import CheckRow, Report
from romaine.evaluate.separation import Separation, separation_of_pairs, separation_of_questions
from romaine.evaluate.verify.bench import Bench
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
    return Report(
        title="Verification",
        model=found.model,
        facts={
            "Run on": found.run,
            **_how_it_reads(bench),
            "Probes": f"{len(bench.probes.pairs)} pairs, {len(bench.probes.questions)} questions over"
            f" {len(bench.probes.turns)} turns",
            "Verifier": f"version {VERIFIER_VERSION}",
            "Took": f"{found.seconds:.0f} s",
        },
        passed=found.passed,
        reasons=found.reasons,
        checks=tuple(
            CheckRow(
                name=f"{finding.check}: {finding.subject}",
                passed=finding.passed,
                found=finding.found,
                wanted=finding.wanted,
            )
            for finding in found.findings
        ),
        matryoshka=tuple(_unless_broken(lambda: bench.matryoshka)),
        separations=tuple(_separations(bench)),
        parity=tuple(_unless_broken(lambda: bench.parity)),
        speed=tuple(_unless_broken(lambda: bench.speed)),
        command=command,
        created=found.at,
    )


def _how_it_reads(bench: Bench) -> dict[str, str]:
    """Nothing of a model that does not open."""
    words = _unless_broken(lambda: "whole texts" if bench.is_contextual else "sums of tokens")
    return dict(zip(("Read as",), words, strict=False))


def _separations(bench: Bench) -> Iterator[Separation]:
    yield from _unless_broken(lambda: separation_of_pairs(bench.probes.scored_pairs, bench.embedder))
    yield from _unless_broken(lambda: separation_of_questions(bench.probes.chats, bench.embedder))


def _unless_broken(measure: Callable[[], T]) -> Iterator[T]:
    try:
        yield measure()
    except RomaineError:
        return  # the checks say why
