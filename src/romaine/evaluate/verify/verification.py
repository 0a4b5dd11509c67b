"""`verify`: runs the checks, says PASS or REJECT, and keeps the verdict beside the model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from romaine.errors import ModelFormatError
from romaine.evaluate.subject import Subject
from romaine.evaluate.verify.bench import Bench
from romaine.evaluate.verify.checks import CHECKS, Check, Finding
from romaine.models import verdicts
from romaine.models.files import LocalModel
from romaine.models.verdicts import VERIFIER_VERSION, Verdict, verdict_key


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found about one model.

    Attributes:
        model: The model's id.
        run: How it was run, e.g. "onnx int8".
        findings: Everything that was looked at.
        key: Identifies the model in this state, see `romaine.models.verdicts`.
        local: Its files.
        seconds: How long it took.
        at: When.
        stored: Where the verdict is kept, or None.
        bench: What was measured, for a report.
    """

    model: str
    run: str
    findings: tuple[Finding, ...]
    key: str
    local: LocalModel = field(repr=False, compare=False)
    seconds: float
    at: datetime
    stored: Path | None = None
    bench: Bench = field(repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """PASS or REJECT: whether nothing speaks against the model."""
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """What speaks against it, one sentence each: which check, what was found, what is demanded."""
        return tuple(finding.reason for finding in self.findings if finding.passed is False)

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "model": self.model,
            "run": self.run,
            "verdict": "PASS" if self.passed else "REJECT",
            "reasons": list(self.reasons),
            "findings": [finding.to_json() for finding in self.findings],
            "verifier": VERIFIER_VERSION,
            "key": self.key,
            "seconds": round(self.seconds, 2),
            "at": self.at.isoformat(timespec="seconds"),
            "stored": str(self.stored) if self.stored is not None else None,
        }


def verify(subject: Subject, *, store: bool = True) -> Verification:
    """Verifies a model that is on this machine, with every check on the whole probe set.

    Args:
        subject: The model and how to open it; its `dim` does not matter. The network is never used.
        store: Whether the verdict is kept, where ``Embedder(..., require_verified=True)`` looks for it.

    Raises:
        RejectedModelError: If the catalog rejects it by its published figures.
        ModelError: If it cannot be found, read or trusted.
        MissingExtraError: If its backend is not installed.
    """
    found = judge(Bench(subject))
    if not store:
        return found
    verdict = Verdict(
        key=found.key,
        passed=found.passed,
        reasons=found.reasons,
        model=found.model,
        backend=found.bench.run.backend,
        at=found.at.isoformat(timespec="seconds"),
    )
    return replace(found, stored=verdicts.save(verdict, found.local))


def judge(bench: Bench, *, checks: Sequence[Check] = CHECKS) -> Verification:
    """Runs some checks and keeps nothing.

    Args:
        bench: The model; what it has measured before is not measured again.
        checks: Which checks. Where the model does not open and a look at its files says why, those.

    Raises:
        ModelError: If the model cannot be opened for another reason.
        MissingExtraError: If its backend is not installed.
    """
    started = time.perf_counter()
    try:
        local = bench.opened.local
    except ModelFormatError:
        checks = [check for check in checks if check.looks_at_files]
        local = bench.resolved.local
        if not any(finding.passed is False for check in checks for finding in check.findings(bench)):
            raise
    findings = tuple(finding for check in checks for finding in check.findings(bench))
    return Verification(
        model=local.card.id,
        run=str(bench.run),
        findings=findings,
        key=verdict_key(local, bench.run.backend),
        local=local,
        seconds=time.perf_counter() - started,
        at=datetime.now(timezone.utc),
        bench=bench,
    )
