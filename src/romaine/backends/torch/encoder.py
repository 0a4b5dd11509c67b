"""`TorchBackend`: token batches through a transformers module, pooled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from romaine.arrays import FloatArray, Pooling
from romaine.backends.base import LoadOptions, Pieces, Truncate
from romaine.backends.torch.module import load_module
from romaine.backends.torch.rotary import DynamicRotary
from romaine.errors import BackendError, ModelFormatError, one_line
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel
from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer

_POSITION_TABLES = ("position_embeddings", "embed_positions", "wpe")


class TorchBackend:
    """A transformers encoder with its tokenizer; see `Backend`. Safe to call from many threads.

    Args:
        module: In eval mode, on its device; gives `last_hidden_state`.
        tokenizer: The model's own.
        pooling: How token states become one vector.
        max_tokens: Tokens of the window with special tokens counted, or None.
    """

    pads = True

    def __init__(
        self, module: nn.Module, tokenizer: Tokenizer, *, pooling: Pooling, max_tokens: int | None
    ) -> None:
        self.module = module
        self.tokenizer = tokenizer
        self.pooling = pooling
        self.max_tokens = max_tokens
        self.full_dim = int(module.config.hidden_size)  # type: ignore[union-attr, arg-type]
        rotary = getattr(module, "rotary_emb", None)
        # where rotary scaling depends on the length of the batch
        self.uniform_above = rotary.trained if isinstance(rotary, DynamicRotary) else None
        self._device = next(module.parameters()).device

    def split(self, texts: Sequence[str], truncate: Truncate) -> Pieces:
        """Cuts texts to the window; see `Backend.split`."""
        return self.tokenizer.split(texts, max_tokens=self.max_tokens, truncate=truncate)

    def encode(self, inputs: Ragged) -> FloatArray:
        """Runs the model on token ids, special tokens included.

        Returns:
            float32 (len(inputs), full_dim), pooled, not normalised.

        Raises:
            BackendError: If torch fails, e.g. for lack of memory.
        """
        if not len(inputs) or not inputs.lengths.max():
            return np.zeros((len(inputs), self.full_dim), dtype=np.float32)
        ids, mask = (
            torch.from_numpy(array).to(self._device) for array in inputs.padded(self.tokenizer.pad_id)
        )
        try:
            with torch.inference_mode():
                states = self.module(input_ids=ids, attention_mask=mask).last_hidden_state
                vectors = pool(states, mask, self.pooling)
                return np.asarray(vectors.cpu().numpy(), dtype=np.float32)
        except (RuntimeError, ValueError, IndexError, TypeError, AttributeError) as error:
            raise BackendError(
                f"torch failed on a batch of {len(ids)} texts of up to {ids.shape[1]} tokens"
                f" ({one_line(error)}). If memory ran out, lower batch_tokens."
            ) from error

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens counted, nothing truncated."""
        return self.tokenizer.count(texts)


def load(model: LocalModel, card: ModelCard, options: LoadOptions) -> TorchBackend:
    """Loads a model with the files "config", "tokenizer" and "weights" for `Embedder`.

    Of `options`, `device`, `dtype`, `threads`, `allow_pickle` and `trust_remote_code` apply. The threads are
    set for the whole process, as torch has it; None leaves torch's own choice alone.

    Raises:
        ModelFormatError: If files are missing, damaged or do not fit each other.
        UnsafeModelError: If loading would run code from the folder and that is not allowed.
        OptionError: If the device or the dtype is unknown or not there.
    """
    tokenizer = Tokenizer.from_file(model.path("tokenizer"))
    module = load_module(model, card, options)
    table = module.get_input_embeddings()  # type: ignore[operator]
    if isinstance(table, nn.Embedding) and tokenizer.vocab_size > table.num_embeddings:
        raise ModelFormatError(
            f"the tokenizer of {model.id} has ids up to {tokenizer.vocab_size - 1}, the model has"
            f" {table.num_embeddings} embeddings: they do not belong together"
        )
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    limits = [limit for limit in (card.max_tokens, _position_limit(module)) if limit is not None]
    return TorchBackend(module, tokenizer, pooling=card.pooling, max_tokens=min(limits, default=None))


def _position_limit(module: nn.Module) -> int | None:
    """Rows of a learned position table, without those for padding; None where there is no table."""
    for name, table in module.named_modules():
        if isinstance(table, nn.Embedding) and name.rpartition(".")[2] in _POSITION_TABLES:
            return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return None


def pool(states: torch.Tensor, mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Makes one vector of each text's token states, as `romaine.arrays.pool` does.

    It is made of operations that ONNX has, so that an exported graph does the very same.

    Args:
        states: Shape (n, length, dim), any float dtype.
        mask: Shape (n, length), 1 where there is a token, padding on the right.
        pooling: How.

    Returns:
        float32 (n, dim), not normalised; a text without tokens gives a zero vector.
    """
    states = states.float()
    weights = mask.unsqueeze(-1).float()
    counts = weights.sum(dim=1)
    if pooling is Pooling.MEAN:
        return (states * weights).sum(dim=1) / counts.clamp(min=1)
    if pooling is Pooling.MAX:
        peaks = states.masked_fill(weights == 0, float("-inf")).amax(dim=1)
        return torch.where(counts > 0, peaks, torch.zeros_like(peaks))
    if pooling is Pooling.CLS:
        return states[:, 0] * (counts > 0)
    last = (counts - 1).clamp(min=0).long().unsqueeze(-1).expand(-1, 1, states.shape[-1])
    return states.gather(1, last).squeeze(1) * (counts > 0)
