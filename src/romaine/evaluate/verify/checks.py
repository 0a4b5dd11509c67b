"""What `romaine verify` looks at. Each check catches its own kind of broken model; see the table.

| check | catches, for example |
|---|---|
| contract | vectors that depend on the batch, a pooling that counts padding |
| finite | a NaN row that only some texts meet |
| unit length | an export without the normalisation it claims |
| similarity | a shuffled table, layers in the wrong order |
| memory | a wrong pooling, a shuffled table |
| languages | a language that is claimed and not known |
| dims | a dimension that is claimed and was not trained |
| parity | an int8 file calibrated wrongly, an export of other weights |
| speed | nothing: it is told, not judged |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from romaine.errors import RomaineError
from romaine.evaluate import gate
from romaine.evaluate.contract import CONTRACT_CHECKS, TEXTS
from romaine.evaluate.gate import Limit, RoleFloors
from romaine.evaluate.parity import ParityRow
from romaine.evaluate.verify.bench import MEMORY, MEMORY_IN_CHAT, SIMILARITY, Bench
from romaine.models.tree import FileTree
from romaine.precision import Precision
from romaine.text.pieces import Truncate


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One figure or promise and whether it holds.

    Attributes:
        check: Name of the check that found it, which `Check.findings` sets.
        subject: What was looked at, e.g. "recall@5 at dim 384".
        passed: None if it is only told, or could not be looked at.
        found: What was found, in words.
        wanted: What is demanded, in words.
        value: What was found, as a figure, where it is one.
        limit: The floor or ceiling, where there is one.
    """

    check: str = ""
    subject: str
    passed: bool | None
    found: str
    wanted: str = ""
    value: float | None = None
    limit: float | None = None

    @property
    def name(self) -> str:
        """What was looked at by which check."""
        return f"{self.check}: {self.subject}"

    @property
    def reason(self) -> str:
        """Why this speaks against the model, in one sentence without a full stop."""
        wanted = f", wanted {self.wanted}" if self.wanted else ""
        return f"{self.name}: {self.found}{wanted}"

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON values; a figure that is not finite becomes null."""
        values = asdict(self)
        if self.value is not None and not np.isfinite(self.value):
            values["value"] = None
        return values


@dataclass(frozen=True, kw_only=True)
class Check:
    """One kind of defect that is looked for.

    Attributes:
        name: In a word or two.
        run: Looks for it.
        looks_at_files: Whether it can be made of a model that does not open.
    """

    name: str
    run: Callable[[Bench], Iterator[Finding]]
    looks_at_files: bool = False

    def findings(self, bench: Bench) -> list[Finding]:
        """Runs the check; that it could not be made speaks against the model, too."""
        found: list[Finding] = []
        try:
            found.extend(self.run(bench))
        except RomaineError as error:
            found.append(Finding(subject="could not be measured", passed=False, found=str(error)))
        return [replace(finding, check=self.name) for finding in found]


def check_contract(bench: Bench) -> Iterator[Finding]:
    """The promises of every backend, see `romaine.evaluate.contract`."""
    for promise in CONTRACT_CHECKS:
        error = bench.broken_promises.get(promise.name)
        found = "holds" if error is None else str(error)
        yield Finding(subject=promise.name, passed=error is None, found=found)


def check_finite(bench: Bench) -> Iterator[Finding]:
    """No weight and no token of the whole vocabulary gives NaN or infinity."""
    tensors = bench.unsound_tensors
    listed = ", ".join(tensors[:3]) + (f" and {len(tensors) - 3} more" if len(tensors) > 3 else "")
    sound = "all finite" if bench.has_readable_weights else "kept in no safetensors file"
    yield Finding(
        subject="weights",
        passed=not tensors if bench.has_readable_weights else None,
        found=f"NaN or infinite values in {listed}" if tensors else sound,
    )
    if tensors:
        return  # the model may not even open
    sweep = bench.sweep
    if sweep is not None and sweep.tokens:
        yield Finding(
            subject=f"vectors of {sweep.tokens:,} tokens",
            passed=not sweep.unsound,
            found=f"not finite near token {sweep.unsound[0]}" if sweep.unsound else "all finite",
        )


def check_unit_length(bench: Bench) -> Iterator[Finding]:
    """An ONNX file that claims unit vectors gives them."""
    if not _claims_unit_output(bench):
        yield Finding(subject="raw output", passed=None, found="not claimed")
        return
    backend = bench.opened.backend
    lengths = np.linalg.norm(backend.encode(backend.split(TEXTS, Truncate.END).inputs), axis=1)
    off = float(np.abs(lengths - 1).max())
    yield _figure("raw output, off one by", off, gate.UNIT_LENGTH, digits=6)


def check_similarity(bench: Bench) -> Iterator[Finding]:
    """Cosines rank the probe pairs as they are graded."""
    dim = bench.embedder.full_dim
    floor = _floors(bench).similarity
    yield _figure(f"{SIMILARITY} at dim {dim}", bench.similarity[dim], floor)


def check_memory(bench: Bench) -> Iterator[Finding]:
    """Questions find the turns that answer them."""
    dim = bench.embedder.full_dim
    yield _figure(f"{MEMORY} at dim {dim}", bench.memory[dim], _floors(bench).memory)


def check_languages(bench: Bench) -> Iterator[Finding]:
    """The same in every language that its card claims."""
    dim = bench.embedder.full_dim
    floors = gate.CONTEXTUAL_ELSEWHERE if bench.is_contextual else gate.STATIC_ELSEWHERE
    for code, quality in bench.languages.items():
        if quality is None:
            yield Finding(subject=code, passed=None, found="claimed; there are no probes in it")
            continue
        yield _figure(f"{code}, {SIMILARITY} at dim {dim}", quality.similarity[dim], floors.similarity)
        yield _figure(f"{code}, {MEMORY} at dim {dim}", quality.memory[dim], floors.memory)


def check_dims(bench: Bench) -> Iterator[Finding]:
    """Every claimed dim keeps what its size allows."""
    floors = _floors(bench)
    full_dim = bench.embedder.full_dim
    knows_memory = floors.memory.holds(bench.memory[full_dim])
    knows_similarity = floors.similarity.holds(bench.similarity[full_dim])
    for name, values, is_sound, limit in (
        (MEMORY_IN_CHAT, bench.memory_in_chat, knows_memory, gate.MEMORY_LOSS),
        (SIMILARITY, bench.similarity, knows_similarity, gate.SIMILARITY_LOSS),
    ):
        full = values[full_dim]
        if not is_sound:
            told = f"{full:.3f} at full dim is too little to lose"
            yield Finding(subject=f"{name} lost", passed=None, found=told)
            continue
        for dim in reversed(bench.embedder.dims[:-1]):
            lost = 1 - values[dim] / full
            allowed = gate.allowed_loss(limit, dim=dim, full_dim=full_dim)
            yield Finding(
                subject=f"{name} lost at dim {dim}",
                passed=lost <= allowed,
                found=f"{lost:.0%} of {full:.3f}",
                wanted=f"at most {allowed:.0%}",
                value=lost,
                limit=allowed,
            )


def check_parity(bench: Bench) -> Iterator[Finding]:
    """Backends, ONNX files and smaller forms of vectors agree with full precision."""
    report = bench.parity
    for row in report.rows:
        for part, value, limit in _parity_limits(row):
            yield _figure(f"{row.name} beside {report.reference}, {part}", value, limit, digits=5)
    if not report.runs:
        yield Finding(
            subject="backends",
            passed=None,
            found=f"only {report.reference} can run it here",
        )


def check_speed(bench: Bench) -> Iterator[Finding]:
    """How fast it is and what it takes; told, not judged."""
    speed = bench.speed
    told = {
        "load time": (speed.load_seconds, f"{speed.load_seconds:.2f} s"),
        "texts per second": (speed.texts_per_second, f"{speed.texts_per_second:,.0f}"),
        "one query": (speed.query_ms, f"{speed.query_ms:.2f} ms"),
    }
    if speed.peak_bytes is not None:
        told["peak memory"] = (float(speed.peak_bytes), f"{speed.peak_bytes / 1e6:,.0f} MB")
    for name, (value, words) in told.items():
        yield Finding(subject=name, passed=None, found=words, value=value)


CHECKS: tuple[Check, ...] = (
    Check(name="contract", run=check_contract),
    Check(name="finite", run=check_finite, looks_at_files=True),
    Check(name="unit length", run=check_unit_length),
    Check(name="similarity", run=check_similarity),
    Check(name="memory", run=check_memory),
    Check(name="languages", run=check_languages),
    Check(name="dims", run=check_dims),
    Check(name="parity", run=check_parity),
    Check(name="speed", run=check_speed),
)
"""Every check, in the order in which it helps to read them."""


def _floors(bench: Bench) -> RoleFloors:
    return gate.CONTEXTUAL if bench.is_contextual else gate.STATIC


def _claims_unit_output(bench: Bench) -> bool:
    """Whether an ONNX file gives one vector a text and the model's files say that it is of unit length."""
    local = bench.opened.local
    if bench.run.variant is None or not getattr(bench.opened.backend, "pools", False):
        return False
    normalises = any(module.kind == "Normalize" for module in FileTree.of_folder(local.folder).modules)
    return local.card.unit_output or normalises


def _parity_limits(row: ParityRow) -> Iterator[tuple[str, float, Limit]]:
    agreement = row.agreement
    nearest = f"nearest {agreement.k} kept"
    if row.precision is not Precision.FLOAT32:
        yield nearest, agreement.recall, gate.FORMS[row.precision]
    elif row.run.is_full_precision:
        yield "worst cosine", agreement.worst, gate.SAME_RUNTIME
        yield nearest, agreement.recall, gate.SAME_RUNTIME_RECALL
    else:
        yield "worst cosine", agreement.worst, gate.INT8_FILE
        yield "mean cosine", agreement.mean, gate.INT8_FILE_MEAN
        yield nearest, agreement.recall, gate.INT8_FILE_RECALL


def _figure(subject: str, value: float, limit: Limit, *, digits: int = 3) -> Finding:
    return Finding(
        subject=subject,
        passed=limit.holds(value),
        found=f"{value:.{digits}f}",
        wanted=str(limit),
        value=value,
        limit=limit.value,
    )
