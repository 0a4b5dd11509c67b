"""What a backend is: the one Protocol that every runtime implements.

A backend turns texts into pieces (what fits the model's window, with its token count) and pieces into vectors
of the model's full dimension. Prompts, batching, slicing and normalising are the `Embedder`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from romaine.arrays import FloatArray
from romaine.backends.options import LoadOptions
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel
from romaine.text.pieces import PieceBatch, Pieces, Truncate

if TYPE_CHECKING:
    from romaine.text.ragged import Ragged
    from romaine.text.tokenizer import Tokenizer

__all__ = ["Backend", "LoadOptions", "Loader", "PieceBatch", "Pieces", "TokenBackend", "Truncate"]


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

    One that does not use several cores by itself may have an attribute `side_by_side`, an int: how many
    threads may feed it at once. Large lists then go through in as many. One whose model gives a vector for
    each token is a `TokenBackend`.
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


class TokenBackend(Backend, Protocol):
    """What a backend has besides where its model gives vectors of tokens, for late interaction.

    Attributes:
        token_dim: Components of a token's vector; None if this model gives none.
        tokenizer: Its tokenizer, whose token ids `encode_tokens` takes.
    """

    token_dim: int | None
    tokenizer: Tokenizer

    def encode_tokens(self, inputs: Ragged) -> tuple[FloatArray, list[FloatArray]]:
        """Runs the model once for both: what `encode` gives, and each token's unit vector.

        Args:
            inputs: Token ids of n texts, special tokens included.

        Returns:
            float32 (n, full_dim), and n of float32 (tokens, token_dim).

        Raises:
            BackendError: If the runtime fails.
        """
        ...


class Loader(Protocol):
    """The function every backend module exports as `load`."""

    def __call__(self, model: LocalModel, card: ModelCard, options: LoadOptions) -> Backend:
        """Loads `model`.

        Raises:
            ModelFormatError: If its files are damaged or do not fit this backend.
            OptionError: If an option has no meaning or no device behind it.
        """
        ...
