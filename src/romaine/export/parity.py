"""Whether a graph gives the vectors torch gives, over texts of all lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import ModelFormatError
from romaine.export.graph import INPUTS, OUTPUT, TOKENS, EmbeddingGraph
from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer
from romaine.text.windows import wrap

_BATCH_TOKENS = 8192
_LONGEST = 4096  # texts above that are not tried: attention grows with the square of the length
_LENGTHS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 1000)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The lowest cosines to torch at which a file is good enough.

    Attributes:
        worst: Of any text.
        mean: Of all texts on average.
        tokens: Of all token vectors on average.
    """

    worst: float
    mean: float
    tokens: float = -1.0


FP32 = Limits(worst=0.9999, mean=0.9999, tokens=0.9999)
INT8 = Limits(worst=0.98, mean=0.995, tokens=0.98)


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How close a graph's vectors are to torch's.

    Attributes:
        worst: Lowest cosine of any text.
        mean: Mean cosine.
        texts: Texts compared.
        longest: Tokens of the longest of them.
        tokens: Mean cosine of token vectors, or None where the model has none.
    """

    worst: float
    mean: float
    texts: int
    longest: int
    tokens: float | None = None

    def holds(self, limits: Limits) -> bool:
        """Whether all limits are kept; not-a-number never does."""
        tokens = self.mean if self.tokens is None else self.tokens
        return self.worst >= limits.worst and self.mean >= limits.mean and tokens >= limits.tokens


Batch = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Batches of token ids and what torch makes of them.

    Attributes:
        batches: ids and mask of each.
        vectors: float32 (rows, full_dim) of each; where the model has token vectors, theirs (tokens,
            token_dim) after them, those of padding left out.
    """

    batches: tuple[Batch, ...]
    vectors: tuple[tuple[FloatArray, ...], ...]

    def compare(self, session: ort.InferenceSession) -> Parity:
        """Runs the batches through a graph.

        Raises:
            ModelFormatError: If the graph fails on one of them.
        """
        texts: list[NDArray[np.float32]] = []
        tokens: list[NDArray[np.float32]] = []
        for batch, vectors in zip(self.batches, self.vectors, strict=True):
            found = [
                np.einsum("ij,ij->i", own, wanted)
                for own, wanted in zip(self._run(session, batch), vectors, strict=True)
            ]
            texts.append(found[0])
            tokens += found[1:]
        joined = np.concatenate(texts)
        of_tokens = np.concatenate(tokens) if tokens else None
        return Parity(
            worst=float(joined.min()),
            mean=float(joined.mean()),
            texts=len(joined),
            longest=max(ids.shape[1] for ids, _ in self.batches),
            tokens=None if of_tokens is None else float(of_tokens.mean()),
        )

    @staticmethod
    def _run(session: ort.InferenceSession, batch: Batch) -> tuple[FloatArray, ...]:
        names = [item.name for item in session.get_outputs() if item.name in (OUTPUT, TOKENS)]
        try:
            vectors, *tokens = session.run(names, dict(zip(INPUTS, batch, strict=True)))
        except Exception as error:  # ORT's exceptions have no public base class
            rows, length = batch[0].shape
            raise ModelFormatError(
                f"the exported graph fails on a batch of {rows} texts of up to {length} tokens"
                f" ({str(error).strip()[:300]})"
            ) from error
        return _flat(vectors, tokens, batch[1])


def make_reference(graph: EmbeddingGraph, tokenizer: Tokenizer, *, max_tokens: int | None) -> Reference:
    """Runs torch over texts of 1 token to the window (at most 4,096), short ones padded in batches.

    Args:
        graph: In eval mode, on the CPU.
        tokenizer: The model's own.
        max_tokens: The window, or None.
    """
    batches = tuple(_batches(tokenizer, max_tokens))
    return Reference(batches=batches, vectors=tuple(_torch_vectors(graph, batch) for batch in batches))


def _torch_vectors(graph: EmbeddingGraph, batch: Batch) -> tuple[FloatArray, ...]:
    with torch.inference_mode():
        found = graph(*map(torch.from_numpy, batch))
    vectors, *tokens = (part.numpy() for part in (found if isinstance(found, tuple) else (found,)))
    return _flat(vectors, tokens, batch[1])


def _flat(vectors: Any, tokens: Sequence[Any], mask: NDArray[np.int64]) -> tuple[FloatArray, ...]:
    """Vectors of texts, and of tokens in one row without padding."""
    kept = [found[mask == 1] for found in tokens]
    return tuple(np.asarray(found, dtype=np.float32) for found in (vectors, *kept))


def _batches(tokenizer: Tokenizer, max_tokens: int | None) -> Sequence[Batch]:
    texts = resources.files("romaine.models").joinpath("calibration.txt").read_text("utf-8").splitlines()
    window = min(max_tokens or _LONGEST, _LONGEST)
    room = max(window - len(tokenizer.prefix) - len(tokenizer.suffix), 1)
    plain = tokenizer.encode(["", *texts], add_special_tokens=False)
    whole = plain.cut(plain.offsets[:-1], np.minimum(plain.lengths, room))
    lengths = np.array([*(size for size in _LENGTHS if size < room), room], dtype=np.int64)
    # One long run of all texts, over and over, cut to each length from another place.
    run = np.tile(plain.ids, -(-int(lengths.sum()) // len(plain.ids)))
    spread = Ragged(run, np.array([0, len(run)])).cut(np.cumsum(lengths) - lengths, lengths)
    wrapped = [wrap(part, tokenizer.prefix, tokenizer.suffix) for part in (whole, spread)]
    return [
        part.take(indices).padded(tokenizer.pad_id)
        for part, uniform in zip(wrapped, (False, True), strict=True)
        for indices in _groups(part.lengths, uniform=uniform)
    ]


def _groups(lengths: NDArray[np.int64], *, uniform: bool) -> Sequence[NDArray[np.intp]]:
    """Rows of each batch, in the order given, so that short texts are padded beside long ones."""
    present = np.flatnonzero(lengths)
    if uniform:
        return np.split(present, len(present))
    size = max(_BATCH_TOKENS // max(int(lengths.max(initial=1)), 1), 1)
    return np.split(present, range(size, len(present), size))
