"""How fast a model opens and embeds and how much memory it takes, measured in a process of its own.

A process of its own, because whatever else runs here (other models, their runtimes, pages already read)
would be counted in, and because it is a new process that a user starts.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from romaine.checks import positive_int
from romaine.errors import BackendError
from romaine.evaluate.speed_worker import CHARACTERS
from romaine.evaluate.subject import Subject

# Nothing is imported from the current folder, which Python puts first for a program given by -c.
_WORKER = (
    "import sys; sys.path = [path for path in sys.path if path]; "
    "from time import perf_counter; started = perf_counter(); "
    "from romaine.evaluate.speed_worker import main; main(started)"
)
_TIMEOUT = 600  # seconds: no model anybody waits for takes longer to open and to embed a few thousand texts


@dataclass(frozen=True, kw_only=True)
class SpeedReport:
    """What was measured.

    Attributes:
        model: The model's id.
        backend: The backend that ran it.
        variant: Which ONNX file was asked for, or None.
        dim: Components of the vectors.
        threads: Threads it was given, None for the default.
        load_seconds: From before ``import romaine`` to the first vector in a new process, median.
        texts_per_second: Texts of `characters` characters embedded a second in large batches, median.
        query_ms: Milliseconds to embed one query alone, median.
        query_ms_p95: The same, 95th percentile.
        peak_bytes: The most memory of the process, None where the system does not tell.
        texts: Texts of one call.
        characters: Characters of a text.
        rounds: Rounds, and processes that were started.
    """

    model: str
    backend: str
    variant: str | None
    dim: int
    threads: int | None
    load_seconds: float
    texts_per_second: float
    query_ms: float
    query_ms_p95: float
    peak_bytes: int | None
    texts: int
    characters: int
    rounds: int

    @property
    def run(self) -> str:
        """How it was run, for people, e.g. "onnx int8"."""
        return self.backend if self.variant is None else f"{self.backend} {self.variant}"

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON values."""
        return asdict(self)


def measure_speed(subject: Subject, *, rounds: int = 3) -> SpeedReport:
    """Measures one model.

    Args:
        subject: The model and how to run it. Its files are downloaded first if they are not here and the
            network may be used.
        rounds: Processes that open it and rounds of embedding, of which the medians are told.

    Raises:
        OptionError: If `rounds` or an option of `subject` is not allowed.
        ModelError: If the model cannot be found, read, trusted, or failed its evaluation.
        MissingExtraError: If its backend is not installed.
        BackendError: If the process that measures fails.
    """
    positive_int("rounds", rounds)
    local = subject.fetched()
    timed = _in_new_process(local, rounds=rounds)
    others = [_in_new_process(local, rounds=0) for _ in range(rounds - 1)]
    return SpeedReport(
        model=timed["model"],
        backend=timed["backend"],
        variant=subject.variant,
        dim=timed["dim"],
        threads=subject.threads,
        load_seconds=statistics.median(answer["load_seconds"] for answer in [timed, *others]),
        texts_per_second=statistics.median(timed["texts_per_second"]),
        query_ms=statistics.median(timed["query_ms"]),
        query_ms_p95=float(np.percentile(timed["query_ms"], 95, method="inverted_cdf")),
        peak_bytes=timed["peak_bytes"],
        texts=timed["texts"],
        characters=CHARACTERS,
        rounds=rounds,
    )


def _in_new_process(subject: Subject, *, rounds: int) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and program
            [sys.executable, "-c", _WORKER],
            input=json.dumps({"subject": subject.to_json(), "rounds": rounds}),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackendError(
            f"{subject.label} was not measured after {_TIMEOUT} seconds; choose a smaller model"
        ) from None
    answer: Any = None
    with suppress(IndexError, ValueError):  # the last line, as a runtime may have printed something before it
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    figures: dict[str, Any] = answer if isinstance(answer, dict) else {}
    if not figures or "error" in figures or done.returncode:
        last_words = done.stderr.strip().splitlines()[-1:] or ["it gave no figures"]
        why = figures.get("error", last_words[0])
        raise BackendError(f"the process that measures {subject.label} failed: {why}")
    return figures
