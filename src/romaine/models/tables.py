"""Static tables on disk: one vector a token, in every layout they are published in, read without torch.

| layout | tensors |
|---|---|
| sentence-transformers StaticEmbedding | `embedding.weight` |
| Model2Vec | `embeddings`, optional `weights` and `mapping` per token; `max_length` in config.json |
| SSE | `embedding.weight`, `dyt.alpha`, `dyt.beta` (gain), `dyt.bias` (shift) |
| SSE, 4-bit | `model_rest.safetensors` (the `dyt.*`) beside `embedding.q4_k_m.bin` (codes, then scales) |
| romaine | `table`, or `codes`, `scales` and, in 4 bits, `levels` (see `lowbit`); optional `dyt.*` |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray, as_float_array
from romaine.errors import ModelFormatError, OptionError, VectorError
from romaine.models import lowbit
from romaine.models.layouts import SSE_CODES
from romaine.models.tree import read_json_object

BITS = (4, 8, 16, 32)
"""Bits a component may be stored in."""

_MODEL2VEC_MAX_LENGTH = 512  # what Model2Vec assumes where a config says nothing
_LONGEST = 2**53
_MOST_BYTES = 16 << 30
"""Of a table in memory. The largest published one, 500,000 tokens of 1024 components, has 2 GB."""

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class DyT:
    """Dynamic tanh with parameters for each dimension: ``gain * tanh(alpha * x + shift)``.

    Zhu et al. 2025, "Transformers without Normalization"; SSE calls this form SeparableDyT. Each of `alpha`,
    `gain` and `shift` is float32 (dim,).
    """

    alpha: FloatArray
    gain: FloatArray
    shift: FloatArray

    def __call__(self, vectors: FloatArray) -> FloatArray:
        """Applies it along the last axis."""
        return np.asarray(self.gain * np.tanh(self.alpha * vectors + self.shift), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class StaticTable:
    """A static model's parameters, ready to use.

    Attributes:
        matrix: The vector of each token id, weights folded in, float32 (vocab, dim).
        dyt: What follows the mean, or None.
        drops_unknown: Whether unknown tokens take no part in the mean (Model2Vec), rather than having a
            vector.
        max_tokens: How many tokens of a text count, or None for all.
    """

    matrix: FloatArray
    dyt: DyT | None = None
    drops_unknown: bool = False
    max_tokens: int | None = None


def read_table(
    path: str | Path, *, config: str | Path | None = None, codes: str | Path | None = None
) -> StaticTable:
    """Reads a static table.

    Args:
        path: The safetensors file.
        config: The model's config.json, where it has one.
        codes: The 4-bit codes of a quantised SSE model, if they are not beside `path`.

    Raises:
        ModelFormatError: If the file is missing, damaged, not a static table or not finite.
    """
    path = Path(path)
    tensors = _tensors(path)
    try:
        matrix, is_model2vec = _matrix(path, tensors, Path(codes or path.with_name(SSE_CODES)))
        return StaticTable(
            matrix=matrix,
            dyt=_dyt(tensors, matrix.shape[1]),
            drops_unknown=is_model2vec,
            max_tokens=_max_length(config) if is_model2vec else None,
        )
    except MemoryError:
        raise ModelFormatError(f"{path} needs more memory than there is; use a smaller model") from None
    except (VectorError, TypeError, ValueError, OverflowError) as error:  # odd dtypes and shapes
        raise ModelFormatError(f"{path} is damaged: {error}. Download the model's files again.") from error


def write_table(
    folder: str | Path,
    *,
    matrix: FloatArray,
    bits: int,
    weights: FloatArray | None = None,
    dyt: DyT | None = None,
) -> Path:
    """Writes romaine's own layout and returns the file.

    Args:
        folder: Where `model.safetensors` goes; it is made if it is not there.
        matrix: The vector of each token id, (vocab, dim), finite.
        bits: 4, 8, 16 or 32.
        weights: How much each token counts, (vocab,), or None. They are folded into the vectors: the mean
            vector points the same way, and there is nothing more to store.
        dyt: What follows the mean, or None.

    Raises:
        OptionError: If `bits` is not one of those, or 4 and dim is odd.
        VectorError: If `matrix` is not a table of finite numbers.
    """
    from safetensors.numpy import save_file

    if bits not in BITS:
        raise OptionError(f"bits={bits!r} is not possible; choose one of {', '.join(map(str, BITS))}")
    table = _as_table(matrix)
    if weights is not None:
        table = table * as_float_array(weights)[:, None]
    table = np.ascontiguousarray(table)
    tensors: dict[str, NDArray[Any]]
    if bits == 4:
        tensors = dict(zip(("codes", "scales", "levels"), lowbit.to_4_bits(table), strict=True))
    elif bits == 8:
        tensors = dict(zip(("codes", "scales"), lowbit.to_8_bits(table), strict=True))
    else:
        tensors = {"table": table.astype(np.float16 if bits == 16 else np.float32)}
    if dyt is not None:
        tensors |= {"dyt.alpha": dyt.alpha, "dyt.gamma": dyt.gain, "dyt.beta": dyt.shift}
    path = Path(folder) / "model.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, path)
    return path


def _tensors(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is not a dict)
    except Exception as error:  # SafetensorError, OSError, and TypeError for a dtype numpy does not know
        raise ModelFormatError(
            f"{path} is not a readable safetensors file of numbers ({error})."
            " Download the model's files again."
        ) from error


def _matrix(path: Path, tensors: Tensors, codes: Path) -> tuple[FloatArray, bool]:
    """The table, and whether it is Model2Vec's."""
    if "codes" in tensors:
        return _decoded(tensors), False
    for name in ("table", "embedding.weight", "embeddings.weight"):
        if name in tensors:
            return _as_table(tensors[name]), False
    if "embeddings" in tensors:
        return _folded(tensors), True
    if codes.is_file():
        return _sse_codes(codes, tensors), False
    raise ModelFormatError(
        f"{path} holds no static table: none of 'table', 'codes', 'embedding.weight' and 'embeddings' is"
        f" among {', '.join(map(repr, sorted(tensors)[:8])) or 'its tensors (there are none)'}"
    )


def _as_table(values: NDArray[Any]) -> FloatArray:
    if values.ndim != 2 or not values.size:
        raise VectorError(f"a table has the shape (vocab, dim), not {values.shape}")
    return as_float_array(values)


def _decoded(tensors: Tensors) -> FloatArray:
    codes, scales = tensors["codes"], as_float_array(_needed(tensors, "scales"))
    if codes.ndim != 2 or not codes.size:
        raise VectorError(f"codes have the shape (vocab, ...), not {codes.shape}")
    if codes.dtype == np.int8:
        return lowbit.from_8_bits(codes, scales)
    if codes.dtype == np.uint8:
        return lowbit.from_4_bits(codes, scales, as_float_array(_needed(tensors, "levels")))
    raise VectorError(
        f"codes are {codes.dtype}; they must be int8 (8 bits) or uint8 (two 4-bit codes a byte)"
    )


def _needed(tensors: Tensors, name: str) -> NDArray[Any]:
    if name not in tensors:
        raise VectorError(f"the tensor {name!r} is missing")
    return tensors[name]


def _folded(tensors: Tensors) -> FloatArray:
    """Model2Vec: `mapping` leads from token ids to shared rows, `weights` say how much each token counts."""
    matrix = _as_table(tensors["embeddings"])
    if (mapping := tensors.get("mapping")) is not None:
        if mapping.ndim != 1 or not np.issubdtype(mapping.dtype, np.integer) or not mapping.size:
            raise VectorError(
                f"'mapping' must be integers of the shape (vocab,), not {mapping.dtype} {mapping.shape}"
            )
        if mapping.min() < 0 or mapping.max() >= len(matrix):
            raise VectorError(f"'mapping' leads to rows {mapping.min()} to {mapping.max()} of {len(matrix)}")
        if (size := 4 * mapping.size * matrix.shape[1]) > _MOST_BYTES:
            raise VectorError(
                f"'mapping' makes a table of {size} bytes of {mapping.size} tokens; {_MOST_BYTES} are allowed"
            )
        matrix = matrix[mapping]
    if (weights := tensors.get("weights")) is not None:
        if weights.shape != (len(matrix),):
            raise VectorError(
                f"'weights' has the shape {weights.shape}, not one for each of {len(matrix)} tokens"
            )
        matrix = matrix * as_float_array(weights)[:, None]
    return matrix


def _sse_codes(path: Path, tensors: Tensors) -> FloatArray:
    """SSE's 4-bit file: codes (vocab, dim / 2), high nibble first, then float32 scales (vocab,)."""
    if (alpha := _dyt_tensors(tensors).get("alpha")) is None or alpha.ndim != 1 or alpha.size % 2:
        raise VectorError("the dimension of 4-bit codes is that of 'dyt.alpha', which is missing or odd")
    dim = alpha.size
    raw = np.fromfile(path, dtype=np.uint8)
    vocab, rest = divmod(raw.size, dim // 2 + 4)
    if rest or not vocab:
        raise VectorError(f"{path.name} has {raw.size} bytes, which are not whole rows of {dim // 2 + 4}")
    codes = raw[: vocab * dim // 2].reshape(vocab, dim // 2)
    scales = as_float_array(raw[vocab * dim // 2 :].view("<f4").reshape(vocab, 1))
    evenly_spaced = np.arange(16, dtype=np.float32) / np.float32(7.5) - 1
    return lowbit.from_4_bits(codes, scales, evenly_spaced, high_first=True)


def _dyt_tensors(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """Tensors below a module called dyt, by their last name."""
    parts = {name: name.split(".") for name in tensors}
    return {path[-1]: tensors[name] for name, path in parts.items() if "dyt" in path[:-1]}


def _dyt(tensors: Tensors, dim: int) -> DyT | None:
    """Reads either naming: gamma * tanh(alpha x + beta), or SSE's own beta * tanh(alpha x + bias)."""
    found = _dyt_tensors(tensors)
    if not found:
        return None
    gain, shift = ("gamma", "beta") if "gamma" in found else ("beta", "bias")
    if unknown := found.keys() - {"alpha", gain, shift}:
        raise VectorError(f"unknown parameters {', '.join(sorted(unknown))} of a dynamic tanh")

    def parameter(name: str, default: float) -> FloatArray:
        values = as_float_array(np.atleast_1d(found.get(name, np.float32(default))))
        if values.shape not in {(1,), (dim,)}:
            raise VectorError(f"'dyt.{name}' has the shape {values.shape}, not ({dim},)")
        return np.broadcast_to(values, (dim,)).copy()

    return DyT(alpha=parameter("alpha", 1), gain=parameter(gain, 1), shift=parameter(shift, 0))


def _max_length(config: str | Path | None) -> int | None:
    if config is None:
        return _MODEL2VEC_MAX_LENGTH
    length = read_json_object(Path(config)).get("max_length", _MODEL2VEC_MAX_LENGTH)
    if length is not None and (type(length) is not int or not 0 < length <= _LONGEST):
        raise ModelFormatError(
            f"{config}: max_length is {str(length)[:80]}; it must be a whole number from 1 to {_LONGEST},"
            " or null"
        )
    return length
