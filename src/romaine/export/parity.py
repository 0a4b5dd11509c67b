"""Whether a graph gives the vectors torch gives, over texts of all lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.errors import ModelFormatError
from romaine.export.graph import INPUTS, OUTPUT, EmbeddingGraph
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
    """

    worst: float
    mean: float


FP32 = Limits(worst=0.9999, mean=0.9999)
INT8 = Limits(worst=0.98, mean=0.995)


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How close a graph's vectors are to torch's.

    Attributes:
        worst: Lowest cosine of any text.
        mean: Mean cosine.
        texts: Texts compared.
        longest: Tokens of the longest of them.
    """

    worst: float
    mean: float
    texts: int
    longest: int

    def holds(self, limits: Limits) -> bool:
        """Whether both limits are kept; not-a-number never does."""
        return self.worst >= limits.worst and self.mean >= limits.mean


Batch = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Batches of token ids and what torch makes of them.

    Attributes:
        batches: ids and mask of each.
        vectors: float32 (rows, full_dim) of each.
    """

    batches: tuple[Batch, ...]
    vectors: tuple[FloatArray, ...]

    def compare(self, session: ort.InferenceSession) -> Parity:
        """Runs the batches through a graph.

        Raises:
            ModelFormatError: If the graph fails on one of them.
        """
        cosines = [
            np.einsum("ij,ij->i", self._run(session, batch), vectors)
            for batch, vectors in zip(self.batches, self.vectors, strict=True)
        ]
        joined = np.concatenate(cosines)
        return Parity(
            worst=float(joined.min()),
            mean=float(joined.mean()),
            texts=len(joined),
            longest=max(ids.shape[1] for ids, _ in self.batches),
        )

    @staticmethod
    def _run(session: ort.InferenceSession, batch: Batch) -> FloatArray:
        try:
            (vectors,) = session.run([OUTPUT], dict(zip(INPUTS, batch, strict=True)))
        except Exception as error:  # ORT's exceptions have no public base class
            rows, length = batch[0].shape
            raise ModelFormatError(
                f"the exported graph fails on a batch of {rows} texts of up to {length} tokens"
                f" ({str(error).strip()[:300]})"
            ) from error
        return np.asarray(vectors, dtype=np.float32)


def make_reference(graph: EmbeddingGraph, tokenizer: Tokenizer, *, max_tokens: int | None) -> Reference:
    """Runs torch over texts of 1 token to the window (at most 4,096), short ones padded in batches.

    Args:
        graph: In eval mode, on the CPU.
        tokenizer: The model's own.
        max_tokens: The window, or None.
    """
    batches = tuple(_batches(tokenizer, max_tokens))
    return Reference(batches=batches, vectors=tuple(_torch_vectors(graph, batch) for batch in batches))


def _torch_vectors(graph: EmbeddingGraph, batch: Batch) -> FloatArray:
    with torch.inference_mode():
        return np.asarray(graph(*map(torch.from_numpy, batch)).numpy(), dtype=np.float32)


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
