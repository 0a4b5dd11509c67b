"""What a graph takes and gives, read from the graph itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from romaine.errors import ModelFormatError

METADATA_UNIFORM_ABOVE = "romaine.uniform_above"
METADATA_MAX_TOKENS = "romaine.max_tokens"

_MOST_DIGITS = 15  # more than any window has, and what int64 holds
_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
_POOLED_NAMES = ("sentence_embedding", "sentence_embeddings", "embedding", "embeddings")
_TOKENS_NAME = "token_embeddings"
_DTYPES: Mapping[str, type[np.generic]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What a graph takes and gives.

    Attributes:
        dtypes: Type of each of its inputs, by name.
        pooled: Name of the output with one vector a text, or None.
        states: Name of the output with a vector for each token, or None where that is not read.
        batch: Rows it was fixed to, or None.
        length: Tokens it was fixed to, or None.
    """

    dtypes: Mapping[str, type[np.generic]]
    pooled: str | None
    states: str | None
    batch: int | None
    length: int | None

    @property
    def outputs(self) -> list[str]:
        """The outputs that are read."""
        return [name for name in (self.pooled, self.states) if name is not None]

    def feeds(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The graph's inputs for one batch: token ids and 1 where there is one, both (n, length)."""
        positions = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
        given = dict(zip(_INPUTS, (ids, mask, np.zeros_like(ids), positions), strict=True))
        return {name: given[name].astype(dtype, copy=False) for name, dtype in self.dtypes.items()}


def read_contract(session: ort.InferenceSession, *, with_tokens: bool = False) -> Contract:
    """Reads what a graph takes and gives.

    Args:
        session: The graph.
        with_tokens: Whether the vectors of tokens are wanted, beside or in place of one of the text.

    Raises:
        ModelFormatError: If it needs what text does not give, or gives no vectors.
    """
    inputs = session.get_inputs()
    unknown = [item.name for item in inputs if item.name not in _INPUTS]
    odd = [f"{item.name} ({item.type})" for item in inputs if item.type not in _DTYPES]
    if unknown or odd or not any(item.name == "input_ids" for item in inputs):
        listed = ", ".join(f"{item.name} ({item.type})" for item in inputs) or "none"
        raise ModelFormatError(
            f"the graph's inputs cannot be made of text: {', '.join(unknown or odd) or 'no input_ids'}."
            f" It takes: {listed}. Allowed: {', '.join(_INPUTS)}, int64 or int32, with input_ids."
        )
    pooled, states = _choose_outputs(session, with_tokens=with_tokens)
    shape = next(item for item in inputs if item.name == "input_ids").shape
    if len(shape) != 2:
        raise ModelFormatError(f"input_ids has shape {list(shape)}; (texts, tokens) is needed")
    batch, length = (size if isinstance(size, int) and size > 0 else None for size in shape)
    dtypes = {item.name: _DTYPES[item.type] for item in inputs}
    return Contract(dtypes=dtypes, pooled=pooled, states=states, batch=batch, length=length)


def metadata_int(session: ort.InferenceSession, key: str) -> int | None:
    """A positive number the file carries under `key`, or None."""
    value = session.get_modelmeta().custom_metadata_map.get(key, "")
    return int(value) or None if value.isdecimal() and len(value) <= _MOST_DIGITS else None


def _choose_outputs(session: ort.InferenceSession, *, with_tokens: bool) -> tuple[str | None, str | None]:
    """A named sentence embedding, else the first that holds token states, else the first of two axes.

    With tokens, those called `token_embeddings`, else the first there are, and a named sentence embedding
    where there is one.
    """
    outputs = {item.name: len(item.shape) for item in session.get_outputs() if item.type != "tensor(string)"}
    pooled = next((name for name in _POOLED_NAMES if outputs.get(name) == 2), None)
    states = [name for name, axes in outputs.items() if axes == 3]
    if with_tokens and states:
        return pooled, _TOKENS_NAME if _TOKENS_NAME in states else states[0]
    if pooled is not None and not with_tokens:
        return pooled, None
    if states:
        return None, states[0]
    pooled = next((name for name, axes in outputs.items() if axes == 2), None)
    if pooled is None or with_tokens:
        needed = (
            "one of (texts, tokens, dim)" if with_tokens else "one of (texts, dim) or of (texts, tokens, dim)"
        )
        raise ModelFormatError(
            f"the graph gives no vectors{' of tokens' if with_tokens else ''}: its outputs have {outputs}"
            f" axes by name; {needed} is needed"
        )
    return pooled, None
