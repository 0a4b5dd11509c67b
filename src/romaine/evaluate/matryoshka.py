"""What shorter vectors cost: any measurement, repeated at every dimension of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from romaine.errors import OptionError
from romaine.precision import Precision

if TYPE_CHECKING:
    from romaine.embedder import Embedder

FLOAT32_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one measurement found at one dimension.

    Attributes:
        metrics: Values by name, higher is better; the first is the one that is compared.
        latency_ms: Milliseconds from text to result, one at a time; None if it was not timed.
    """

    metrics: Mapping[str, float]
    latency_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class DimRow:
    """One dimension.

    Attributes:
        dim: Components.
        bytes_per_vector: Of a float32 vector.
        figures: What was measured.
    """

    dim: int
    bytes_per_vector: int
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class MatryoshkaReport:
    """One measurement across the dimensions of a model.

    Attributes:
        model: The model's id.
        benchmark: What was measured, e.g. "memory, dense".
        rows: One for each dimension, ascending, at least one.
    """

    model: str
    benchmark: str
    rows: tuple[DimRow, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what was measured, the one that is compared first."""
        return tuple(self.rows[0].figures.metrics)

    @property
    def metric(self) -> str:
        """Name of what is compared."""
        return self.metrics[0]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "model": self.model,
            "benchmark": self.benchmark,
            "metric": self.metric,
            "rows": [
                {
                    "dim": row.dim,
                    "bytes": row.bytes_per_vector,
                    **row.figures.metrics,
                    "latency_ms": row.figures.latency_ms,
                }
                for row in self.rows
            ],
        }


def across_dims(
    embedder: Embedder,
    measure: Callable[[Embedder], Figures],
    *,
    benchmark: str,
    dims: Sequence[int] | None = None,
) -> MatryoshkaReport:
    """Repeats a measurement at several dimensions.

    Args:
        embedder: The model; its own `dim` does not matter.
        measure: Takes an embedder of one dimension, must give the same metrics each time.
        benchmark: What is measured, for people.
        dims: At which dimensions; None for all the model was trained for.

    Raises:
        OptionError: If `dims` is empty.
        DimensionError: If the model cannot give one of `dims`.
    """
    wanted = wanted_dims(embedder, dims)
    found = {dim: measure(embedder.with_dim(dim)) for dim in wanted}
    return report_of(found, model=embedder.card.id, benchmark=benchmark)


def report_of(found: Mapping[int, Figures], *, model: str, benchmark: str) -> MatryoshkaReport:
    """Makes a report of figures by dimension.

    Raises:
        OptionError: If there are none.
    """
    if not found:
        raise OptionError("nothing was measured at any dimension; give at least one")
    return MatryoshkaReport(
        model=model,
        benchmark=benchmark,
        rows=tuple(
            DimRow(dim=dim, bytes_per_vector=dim * FLOAT32_BYTES, figures=found[dim]) for dim in sorted(found)
        ),
    )


def check_float32(embedder: Embedder, what: str) -> None:
    """Refuses packed vectors, which would be compared as if they were plain numbers.

    Raises:
        OptionError: If the embedder packs its vectors.
    """
    if embedder.precision is not Precision.FLOAT32:
        raise OptionError(
            f"precision={embedder.precision.value!r} packs vectors; {what} is measured with"
            " precision='float32'"
        )


def wanted_dims(embedder: Embedder, dims: Sequence[int] | None) -> list[int]:
    """The dimensions to measure at, ascending, each checked and once.

    Raises:
        OptionError: If `dims` is empty.
        DimensionError: If the model cannot give one of `dims`.
    """
    chosen = sorted({embedder.with_dim(dim).dim for dim in (embedder.dims if dims is None else dims)})
    if not chosen:
        raise OptionError("dims=[] leaves nothing to measure; give at least one, or None for all")
    return chosen
