"""Whether a model may be used: `verify` runs every check and says PASS or REJECT with its reasons.

from romaine.evaluate.subject import Subject
from romaine.evaluate.verify import verify

verify(Subject(model="path/to/model")).reasons  # empty for a sound model
"""

from __future__ import annotations

from romaine.evaluate.verify.bench import Bench
from romaine.evaluate.verify.checks import CHECKS, Check, Finding
from romaine.evaluate.verify.verification import Verification, judge, verify

__all__ = ["CHECKS", "Bench", "Check", "Finding", "Verification", "judge", "verify"]
