"""`ModelCard`: what is known about a model, as frozen data. Nothing is decided by a model's name in code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from romaine.arrays import Pooling
from romaine.errors import DimensionError, OptionError

STS_FLOOR = 0.5
"""Spearman on STS Benchmark under which a model is rejected: LEAF v1, which is unusable, has 0.223, the
smallest model anyone should use is well above 0.6."""

_TOLD = 5
"""How many figures a rejection tells; the telling ones stand first."""


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """Prefixes by role, prepended to the text as they are."""

    query: str = ""
    document: str = ""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One figure, published or measured.

    Attributes:
        name: E.g. "STSBenchmark Spearman".
        value: In the metric's own unit, most often 0 to 1.
        source: Where it was published, for a figure of others.
        command: The command that measures it again, for a figure of our own.
    """

    name: str
    value: float
    source: str = ""
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Facts about one model.

    Attributes:
        id: Name in the catalog: a hub id, or the bundled model's name.
        kind: Architecture in words, e.g. "static", "NomicBERT", "ModernBERT", "BERT", "SSE".
        full_dim: Components of the model's own vectors.
        dims: Matryoshka dimensions it was trained for, ascending, full_dim included.
        max_tokens: Its window in tokens, special tokens counted, or None if there is none.
        token_dim: Components of the vector that it gives for each token, or None if it gives none.
        pooling: How token states become one vector.
        layer_norm: Whether vectors are layer-normalised before slicing.
        unit_output: Whether its ONNX files give unit vectors, so that other programs need not normalise them.
        prompts: Its role prompts.
        files: Path inside the model's folder by use: "weights", "tokenizer", "onnx:fp32", "onnx:int8", ...
        backends: Backends that can run it, the preferred one first.
        int8_holds: Whether its int8 file's quality was measured to hold, so that "auto" may pick it on a CPU.
        size: Bytes of the largest file a user has to download, or 0 if unknown.
        license: SPDX identifier.
        languages: Two-letter codes of the languages that it is said to know; none if nobody said. `romaine
            verify` holds it to floors in those that there are probes in.
        quality: Published figures, each with its source, the telling ones first.
        measured: Figures measured by this project, each with its command.
        sha256: Expected hash by path inside the folder, checked at every load.
        int8_ranges: By dim, the component size that maps to int8 code 127 (see `precision.int8_range`).
        duplicate_threshold: Cosine from which two facts count as the same.
        note: One sentence for people.
        bundled: Whether the files are in the wheel.
    """

    id: str
    kind: str
    full_dim: int
    dims: tuple[int, ...]
    max_tokens: int | None = None
    token_dim: int | None = None
    pooling: Pooling = Pooling.MEAN
    layer_norm: bool = False
    unit_output: bool = False
    prompts: Prompts = Prompts()
    files: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    backends: tuple[str, ...] = ()
    int8_holds: bool = False
    size: int = 0
    license: str = ""
    languages: tuple[str, ...] = ()
    quality: tuple[Measure, ...] = ()
    measured: tuple[Measure, ...] = ()
    sha256: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    int8_ranges: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    duplicate_threshold: float = 0.95
    note: str = ""
    bundled: bool = False

    def __post_init__(self) -> None:
        if self.full_dim < 1:
            raise OptionError(
                f"{self.id}: full_dim={self.full_dim} is not a dimension; it must be at least 1"
            )
        if tuple(sorted(set(self.dims))) != self.dims or not self.dims or self.dims[-1] != self.full_dim:
            raise OptionError(
                f"{self.id}: dims={self.dims} must be ascending and end with full_dim={self.full_dim}"
            )

    @property
    def rejection(self) -> str | None:
        """Why this model is refused, with its figures, or None if nothing speaks against it."""
        known = (*self.quality, *self.measured)
        failed = [m for m in known if m.name.startswith("STSBenchmark") and m.value < STS_FLOOR]
        if not failed:
            return None
        figures = ", ".join(f"{m.name} {m.value:g}" for m in known[:_TOLD])
        whose = "published" if failed[0] in self.quality else "measured"
        return f"its {whose} quality is under the floor of {STS_FLOOR:g} ({figures})"

    def check_dim(self, dim: int | None, *, allow_untrained: bool = False) -> int:
        """Returns the dimension to slice to.

        Args:
            dim: The dimension asked for, or None for full_dim.
            allow_untrained: Whether dims the model was not trained for are let through.

        Raises:
            DimensionError: If `dim` is impossible, or untrained and not allowed.
        """
        if dim is None:
            return self.full_dim
        if isinstance(dim, bool) or not isinstance(dim, int) or not 1 <= dim <= self.full_dim:
            raise DimensionError(f"dim={dim!r} is not possible with {self.id}: choose 1 to {self.full_dim}")
        if dim not in self.dims and not allow_untrained:
            raise DimensionError(
                f"{self.id} was not trained for dim={dim}; it was for {', '.join(map(str, self.dims))}."
                " Choose one of these, or pass allow_untrained_dim=True to slice all the same."
            )
        return dim
