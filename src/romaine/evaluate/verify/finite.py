"""Weights that are not numbers: one NaN row in a table spoils only the texts that use its token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from romaine.models.files import LocalModel
from romaine.models.soundness import read_header
from romaine.text.pieces import Truncate
from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from romaine.backends.base import Backend

_STRETCH = 1 << 22  # values looked at together: 16 MB of float32
_ROW_TOKENS = 64
MAX_TOKENS = 65_536
"""Tokens run through a model at most; of larger vocabularies, evenly spread ones."""

# How safetensors calls the types that can hold NaN, and how to read them. numpy knows no bfloat16: it is
# looked at as integers, NaN and infinity being those with all eight exponent bits set.
_FLOATS = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2"}
_BF16_EXPONENT = 0x7F80


def unsound_tensors(local: LocalModel) -> list[str]:
    """Names of the safetensors tensors among a model's files that hold NaN or infinite values.

    Raises:
        ModelFormatError: If a file cannot be read.
    """
    paths = sorted({path for path in local.files.values() if path.suffix == ".safetensors"})
    return [name for path in paths for name in _unsound(path)]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What running the vocabulary through a model found.

    Attributes:
        tokens: How many were run; 0 where the backend takes texts, not tokens.
        unsound: The first token of each row of neighbours one of which gives no finite vector.
    """

    tokens: int
    unsound: tuple[int, ...]


def sweep_vocabulary(backend: Backend, tokenizer: Path, *, max_tokens: int = MAX_TOKENS) -> Sweep:
    """Runs every token of the vocabulary through a model and looks for vectors that are not finite.

    Args:
        backend: The loaded model.
        tokenizer: Its `tokenizer.json`.
        max_tokens: How many tokens to run at most.

    Raises:
        BackendError: If the runtime fails.
    """
    known = backend.split(["a"], Truncate.END).inputs
    if not isinstance(known, Ragged):
        return Sweep(tokens=0, unsound=())
    vocab = Tokenizer.from_file(tokenizer).vocab_size
    ids = np.unique(np.linspace(0, vocab - 1, min(vocab, max_tokens)).astype(known.ids.dtype))
    size = min(_ROW_TOKENS, backend.max_tokens or _ROW_TOKENS)
    unsound: list[int] = []
    rows = [ids[start : start + size] for start in range(0, len(ids), size)]
    for start in range(0, len(rows), _ROW_TOKENS):
        batch = rows[start : start + _ROW_TOKENS]
        vectors = backend.encode(Ragged.from_lists([row.tolist() for row in batch]))
        unsound += [int(batch[index][0]) for index in np.flatnonzero(~np.isfinite(vectors).all(axis=1))]
    return Sweep(tokens=len(ids), unsound=tuple(unsound))


def _unsound(path: Path) -> Iterator[str]:
    for name, kind, begin, end in _tensors(path):
        dtype = np.dtype(_FLOATS[kind])
        values = np.memmap(
            path, dtype=dtype, mode="r", offset=begin, shape=((end - begin) // dtype.itemsize,)
        )
        parts = (values[start : start + _STRETCH] for start in range(0, len(values), _STRETCH))
        if not all(_is_finite(part, kind) for part in parts):
            yield name


def _is_finite(values: Any, kind: str) -> bool:
    if kind == "BF16":
        return bool(((values & _BF16_EXPONENT) != _BF16_EXPONENT).all())
    return bool(np.isfinite(values).all())


def _tensors(path: Path) -> Iterator[tuple[str, str, int, int]]:
    """Name, type, first byte and end of each tensor of floats that is not empty."""
    header, start = read_header(path, repair="Download the model's files again.")
    for name, entry in header.items():
        if entry["dtype"] in _FLOATS:
            begin, end = (start + offset for offset in entry["data_offsets"])
            if end > begin:
                yield name, entry["dtype"], begin, end
