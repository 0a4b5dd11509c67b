"""How far the backends and precisions that can run one model agree with its full precision.

Two figures for each: the cosine of a text's vectors (mean and worst), and how many of the nearest texts of a
query stay the same, which is what a search notices. A backend or an ONNX file is compared with the most exact
way to run the model that is installed (torch, else sentence-transformers, else the static table, else the
fp32 ONNX file); a smaller form of the vectors with the float32 vectors it was made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray, top_k
from romaine.checks import positive_int, text_list
from romaine.embedder import Embedder
from romaine.errors import OptionError
from romaine.evaluate.contract import cosines
from romaine.evaluate.runs import Run, find_runs
from romaine.evaluate.subject import Subject
from romaine.precision import Precision, encode, similarity

NEAREST = 10
"""Nearest texts that are compared by default."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far two sets of vectors of the same texts agree.

    Attributes:
        mean: Mean cosine of the vectors of one text.
        worst: Lowest of them.
        recall: Share of each query's `k` nearest texts that are the same, mean over the queries.
        k: How many nearest texts were compared.
        texts: How many texts.
    """

    mean: float
    worst: float
    recall: float
    k: int
    texts: int


@dataclass(frozen=True, kw_only=True)
class ParityRow:
    """One way to run a model, or one form of its vectors, beside the reference.

    Attributes:
        run: The way; for a form of vectors, the reference's.
        precision: The form of the vectors.
        agreement: With the float32 vectors of the reference.
    """

    run: Run
    precision: Precision
    agreement: Agreement

    @property
    def name(self) -> str:
        """E.g. "onnx int8" or "torch, binary vectors"."""
        form = "" if self.precision is Precision.FLOAT32 else f", {self.precision.value} vectors"
        return f"{self.run}{form}"

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values."""
        return {
            "backend": self.run.backend,
            "variant": self.run.variant,
            "precision": self.precision.value,
            "cosine_mean": self.agreement.mean,
            "cosine_worst": self.agreement.worst,
            f"recall@{self.agreement.k}": self.agreement.recall,
            "texts": self.agreement.texts,
        }


@dataclass(frozen=True, kw_only=True)
class ParityReport:
    """All ways to run one model beside its full precision.

    Attributes:
        model: The model's id.
        dim: Components compared.
        reference: What the others were compared with.
        rows: The others, and the reference's own vectors in smaller forms.
        refused: Why a backend could not run it, by its name.
    """

    model: str
    dim: int
    reference: Run
    rows: tuple[ParityRow, ...]
    refused: Mapping[str, str]

    @property
    def runs(self) -> tuple[ParityRow, ...]:
        """The rows of other backends and files."""
        return tuple(row for row in self.rows if row.precision is Precision.FLOAT32)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "model": self.model,
            "dim": self.dim,
            "reference": {"backend": self.reference.backend, "variant": self.reference.variant},
            "rows": [row.to_json() for row in self.rows],
            "refused": dict(self.refused),
        }


def measure_parity(
    subject: Subject,
    *,
    texts: Iterable[str],
    queries: Iterable[str] | None = None,
    runs: Sequence[Run] | None = None,
    precisions: Sequence[str | Precision] = (Precision.FLOAT16, Precision.INT8, Precision.BINARY),
    k: int = NEAREST,
) -> ParityReport:
    """Runs one model in every way that is installed and compares the vectors.

    Args:
        subject: The model; how it is to be run does not matter, see `runs`.
        texts: Embedded as documents; at least two.
        queries: Embedded as queries, their nearest texts are compared; None to take each text as a query for
            the others.
        runs: The ways to run it, the reference first; None for all there are.
        precisions: Smaller forms of the reference's vectors.
        k: How many nearest texts are compared; at most as many as there are others.

    Raises:
        OptionError: If there are fewer than two texts or no queries, or nothing installed can run the model.
        ModelError: If the model cannot be found, read or trusted.
        BackendError: If a runtime fails.
    """
    documents = text_list(texts)
    asked = None if queries is None else text_list(queries)
    if len(documents) < 2 or asked == []:
        raise OptionError(
            f"{len(documents)} texts and {'no' if asked == [] else 'their own'} queries cannot be compared:"
            " give at least 2 texts and, if any, at least 1 query"
        )
    forms = [Precision.parse(precision) for precision in precisions]
    positive_int("k", k)
    refused: Mapping[str, str] = {}
    if runs is None:
        known = find_runs(subject)
        runs, refused = known.found, known.refused
    if not runs:
        listed = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        raise OptionError(
            f"nothing that is installed can run {subject.model}: {listed or 'no runs were given'}"
        )
    reference = runs[0].of(subject).embedder()
    exact = _embed(reference, documents, asked)
    rows = [
        ParityRow(
            run=run,
            precision=Precision.FLOAT32,
            agreement=compare(exact, _embed(run.of(subject).embedder(), documents, asked), k=k),
        )
        for run in runs[1:]
    ]
    rows += [
        ParityRow(run=runs[0], precision=form, agreement=compare_form(exact, form, embedder=reference, k=k))
        for form in forms
        if form is not Precision.FLOAT32
    ]
    return ParityReport(
        model=reference.card.id, dim=reference.dim, reference=runs[0], rows=tuple(rows), refused=refused
    )


@dataclass(frozen=True, kw_only=True)
class TextVectors:
    """Texts, and queries if they are other texts, as vectors.

    Attributes:
        documents: float32 (n, dim), unit length.
        queries: float32 (m, dim); None where each document queries the others.
    """

    documents: FloatArray
    queries: FloatArray | None = None


def compare(exact: TextVectors, other: TextVectors, *, k: int = NEAREST) -> Agreement:
    """Compares the vectors of two ways to run a model, row by row."""
    pairs = [(exact.documents, other.documents)]
    if exact.queries is not None and other.queries is not None:
        pairs.append((exact.queries, other.queries))
    found = np.concatenate([cosines(a, b) for a, b in pairs])
    return _agreement(found, _scores(exact), _scores(other), k)


def compare_form(exact: TextVectors, form: Precision, *, embedder: Embedder, k: int = NEAREST) -> Agreement:
    """Compares float32 vectors with a smaller form of themselves, as `embedder` would return it."""
    limit = embedder.int8_limit if form is Precision.INT8 else None
    codes = encode(exact.documents, form, int8_limit=limit)
    dim = exact.documents.shape[1]
    if exact.queries is None:
        scores = _without_itself(similarity(codes, codes, form, dim=dim))
    else:
        scores = similarity(encode(exact.queries, form, int8_limit=limit), codes, form, dim=dim)
    return _agreement(cosines(exact.documents, _decoded(codes, form, dim)), _scores(exact), scores, k)


def _decoded(codes: NDArray[Any], form: Precision, dim: int) -> FloatArray:
    """Codes as vectors of the same direction, as far as they keep it."""
    if form is Precision.BINARY:
        return 2 * np.unpackbits(codes, axis=-1, count=dim).astype(np.float32) - 1
    return codes.astype(np.float32)


def _agreement(found: NDArray[np.float64], exact: FloatArray, other: FloatArray, k: int) -> Agreement:
    k = min(k, int(np.isfinite(exact[0]).sum()))
    same = [len(np.intersect1d(top_k(a, k), top_k(b, k))) / k for a, b in zip(exact, other, strict=True)]
    return Agreement(
        mean=float(found.mean()),
        worst=float(found.min()),
        recall=float(np.mean(same)),
        k=k,
        texts=len(found),
    )


def _scores(vectors: TextVectors) -> FloatArray:
    """Cosine of each query with each document, (m, n)."""
    if vectors.queries is None:
        return _without_itself(vectors.documents @ vectors.documents.T)
    return vectors.queries @ vectors.documents.T


def _without_itself(scores: FloatArray) -> FloatArray:
    np.fill_diagonal(scores, -np.inf)
    return scores


def _embed(embedder: Embedder, documents: list[str], queries: list[str] | None) -> TextVectors:
    return TextVectors(
        documents=embedder.embed_documents(documents),
        queries=None if queries is None else embedder.embed_queries(queries),
    )
