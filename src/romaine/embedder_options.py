"""What may be asked of an `Embedder`, checked once."""

from __future__ import annotations

from dataclasses import dataclass

from romaine.backends.options import LoadOptions
from romaine.checks import optional_positive_int, optional_str, positive_int
from romaine.precision import Precision
from romaine.text.pieces import Truncate


@dataclass(frozen=True, kw_only=True)
class EmbedderOptions(LoadOptions):
    """How to embed; `Embedder` says what each means.

    Raises:
        OptionError: If a value is not allowed.
    """

    dim: int | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    precision: str | Precision = Precision.FLOAT32
    truncate: str | Truncate = Truncate.END
    batch_tokens: int = 8192
    batch_size: int | None = None
    show_progress: bool = False
    allow_untrained_dim: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("dim", "batch_size"):
            optional_positive_int(name, getattr(self, name))
        for name in ("query_prompt", "document_prompt"):
            optional_str(name, getattr(self, name))
        positive_int("batch_tokens", self.batch_tokens)
        object.__setattr__(self, "precision", Precision.parse(self.precision))
        object.__setattr__(self, "truncate", Truncate.parse(self.truncate))
