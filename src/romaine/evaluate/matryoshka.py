"""What shorter vectors cost: any measurement, repeated at every dimension of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from romaine.errors import OptionError
from romaine.precision import Precision

if TYPE_CHECKING:
    from romaine.embedder import Embedder


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What one measurement found at one dimension.

    Attributes:
        dim: Components.
        metrics: Values by name, higher is better; the first is the one that is compared.
        latency_ms: Milliseconds from text to result, one at a time; None if it was not timed.
    """

    dim: int
    metrics: Mapping[str, float]
    latency_ms: float | None = None

    @property
    def bytes_per_vector(self) -> int:
        """Bytes of a float32 vector."""
        return 4 * self.dim


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
    rows: tuple[Figures, ...]

    def __post_init__(self) -> None:
        if not self.rows:
            raise OptionError("nothing was measured at any dimension; give at least one")

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of what was measured, the one that is compared first."""
        return tuple(self.rows[0].metrics)

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
                    **row.metrics,
                    "latency_ms": row.latency_ms,
                }
                for row in self.rows
            ],
        }


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
