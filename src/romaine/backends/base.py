"""What a backend is: the one Protocol that every runtime implements.

A backend turns texts into pieces (what fits the model's window, with its token count) and pieces into vectors
of the model's full dimension. Prompts, batching, slicing and normalising are the `Embedder`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from romaine.arrays import FloatArray
from romaine.errors import UnknownNameError
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel
from romaine.models.layouts import VARIANTS
from romaine.text.pieces import PieceBatch, Pieces, Truncate

__all__ = ["Backend", "LoadOptions", "Loader", "PieceBatch", "Pieces", "Truncate"]

DEVICES = ("cpu", "cuda", "mps", "coreml", "dml")
"""Kinds of device; "cuda" and the like may be followed by a number, e.g. "cuda:1"."""

DTYPES = ("float32", "float16", "bfloat16")
"""What weights and arithmetic may be on torch."""


@runtime_checkable
class Backend(Protocol):
    """A loaded model on one runtime. Safe to call from many threads.

    Attributes:
        full_dim: Components of every vector it returns.
        max_tokens: Tokens of the window with special tokens counted, or None if there is no limit.
        pads: Whether a batch costs (pieces x longest piece), so that batches should hold pieces of like
            length.
        uniform_above: Pieces with more tokens than this may only share a batch with pieces of the very same
            length (rotary scaling that depends on the length of the batch), or None.
    """

    full_dim: int
    max_tokens: int | None
    pads: bool
    uniform_above: int | None

    def split(self, texts: Sequence[str], truncate: Truncate) -> Pieces:
        """Cuts texts to the window.

        Args:
            texts: Any str, lone surrogates and control characters included.
            truncate: END keeps the first window, POOL makes as many windows as needed, ERROR refuses.

        Raises:
            TextTooLongError: With `Truncate.ERROR`, naming the first text over the limit and its token count.
        """
        ...

    def encode(self, inputs: Any) -> FloatArray:
        """Runs the model.

        Args:
            inputs: What `split` gave as `Pieces.inputs`, or a `take` of it.

        Returns:
            float32 (len(inputs), full_dim), pooled, not necessarily unit length.

        Raises:
            BackendError: If the runtime fails.
        """
        ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens counted, nothing truncated."""
        ...


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What a backend's loader may need besides the model. Each backend uses what applies to it.

    Attributes:
        threads: Intra-op threads, or None for the number of physical cores.
        device: "cpu", "cuda", "cuda:1", "mps" or None for the runtime's own choice (CPU).
        providers: ONNX Runtime execution providers in order of preference, or None.
        dtype: "float32", "float16" or "bfloat16" for torch.
        variant: "fp32" or "int8" ONNX file, or None for the model's best on this device.
        trust_remote_code: Passed to the runtimes that know it. Never set by romaine itself.
        allow_pickle: Whether a .pt/.bin file may be opened (with `weights_only=True`).
    """

    threads: int | None = None
    device: str | None = None
    providers: tuple[str, ...] | None = None
    dtype: str = "float32"
    variant: str | None = None
    trust_remote_code: bool = False
    allow_pickle: bool = False

    def __post_init__(self) -> None:
        """Refuses names that no backend knows. Whether a device is there, its backend says when it loads.

        Raises:
            UnknownNameError: If `device`, `dtype` or `variant` is such a name.
        """
        kind, _, number = str(self.device).partition(":")
        if self.device is not None and (kind not in DEVICES or not (number or "0").isdecimal()):
            raise UnknownNameError("device", self.device, DEVICES)
        if self.dtype not in DTYPES:
            raise UnknownNameError("dtype", self.dtype, DTYPES)
        if self.variant is not None and self.variant not in VARIANTS:
            raise UnknownNameError("variant", self.variant, VARIANTS)


class Loader(Protocol):
    """The function every backend module exports as `load`."""

    def __call__(self, model: LocalModel, card: ModelCard, options: LoadOptions) -> Backend:
        """Loads `model`.

        Raises:
            ModelFormatError: If its files are damaged or do not fit this backend.
            OptionError: If an option has no meaning or no device behind it.
        """
        ...
