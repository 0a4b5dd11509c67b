"""`OnnxBackend`: token batches through an ONNX graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from romaine.arrays import FloatArray, Pooling, l2_normalize, pool
from romaine.backends.base import LoadOptions, Pieces, Truncate
from romaine.backends.onnx.contract import (
    METADATA_MAX_TOKENS,
    METADATA_UNIFORM_ABOVE,
    metadata_int,
    read_contract,
)
from romaine.backends.onnx.projection import projection
from romaine.backends.onnx.session import CPU, open_session, parse_providers
from romaine.errors import BackendError, ModelFormatError, one_line
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel
from romaine.models.layouts import VARIANTS
from romaine.text.batching import batches
from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer

_CACHED_TOKENS = 512  # with more, MiniLM's states outgrow a core's cache and a text takes half as long again


class OnnxBackend:
    """An ONNX graph with its tokenizer; see `Backend`. Safe for many threads: `Session.run` is.

    Args:
        session: The graph, loaded.
        tokenizer: The model's own.
        pooling: How token states become one vector, where the graph gives those.
        max_tokens: Tokens of the window with special tokens counted, or None. What the graph was fixed to
            and what the file's metadata says bound it, too.
        with_tokens: Whether it gives a vector for each token as well. Where the graph gives nothing else, the
            text's vector is their mean.
        layer: What makes of the graph's token states the vectors of tokens, float32 (states_dim, token_dim),
            where the graph ends before that; None where it does not.

    Attributes:
        token_dim: Components of a token's vector; None if it gives none.
    """

    pads = True

    def __init__(
        self,
        session: ort.InferenceSession,
        tokenizer: Tokenizer,
        *,
        pooling: Pooling,
        max_tokens: int | None,
        with_tokens: bool = False,
        layer: FloatArray | None = None,
    ) -> None:
        self.session = session
        self.tokenizer = tokenizer
        self.pooling = pooling
        self._with_tokens, self._layer = with_tokens, layer
        self._contract = read_contract(session, with_tokens=with_tokens)
        limits = (max_tokens, self._contract.length, metadata_int(session, METADATA_MAX_TOKENS))
        self.max_tokens = min((limit for limit in limits if limit is not None), default=None)
        self.uniform_above = metadata_int(session, METADATA_UNIFORM_ABOVE)
        self.full_dim, self.token_dim = self._probe()

    @property
    def pools(self) -> bool:
        """Whether the graph gives one vector a text, rather than token states that are pooled here."""
        return self._contract.pooled is not None

    def split(self, texts: Sequence[str], truncate: Truncate) -> Pieces:
        """Cuts texts to the window; see `Backend.split`."""
        return self.tokenizer.split(texts, max_tokens=self.max_tokens, truncate=truncate)

    def encode(self, inputs: Ragged) -> FloatArray:
        """Runs the model on token ids, special tokens included.

        Returns:
            float32 (len(inputs), full_dim): the graph's own vectors, or token states pooled.

        Raises:
            BackendError: If ONNX Runtime fails, e.g. for lack of memory.
        """
        vectors = np.zeros((len(inputs), self.full_dim), dtype=np.float32)
        for indices in self._portions(inputs.lengths):
            if inputs.lengths[indices].any():
                vectors[indices], _ = self._encode_portion(inputs.take(indices))
        return vectors

    def encode_tokens(self, inputs: Ragged) -> tuple[FloatArray, list[FloatArray]]:
        """As `encode`, and the unit vectors of all tokens: of n sequences, n of float32 (length, token_dim).

        Only where `token_dim` is not None.
        """
        vectors = np.zeros((len(inputs), self.full_dim), dtype=np.float32)
        tokens = [np.zeros((0, self.token_dim or 0), dtype=np.float32)] * len(inputs)
        for indices in self._portions(inputs.lengths):
            if inputs.lengths[indices].any():
                vectors[indices], states = self._encode_portion(inputs.take(indices))
                for index, found in zip(indices.tolist(), states, strict=True):
                    tokens[index] = found[: inputs.lengths[index]]
        return vectors, tokens

    def _portions(self, lengths: NDArray[np.int64]) -> Iterable[NDArray[np.intp]]:
        """Parts of a batch whose states stay in a CPU's cache; a GPU gets all at once."""
        if self.session.get_providers() != [CPU]:
            return (np.arange(len(lengths)),)
        return batches(lengths, batch_tokens=_CACHED_TOKENS, uniform_above=self.uniform_above)

    def _encode_portion(self, inputs: Ragged) -> tuple[FloatArray, FloatArray]:
        ids, mask = inputs.padded(self.tokenizer.pad_id)
        try:
            vectors, tokens = self._run(ids, mask)
        except Exception as error:  # ORT's exceptions have no public base class
            raise BackendError(
                f"ONNX Runtime failed on a batch of {len(ids)} texts of up to {ids.shape[1]} tokens"
                f" ({one_line(error)}). If memory ran out, lower batch_tokens; if the texts are longer"
                " than the model's position table, its max_tokens is not in its configuration."
            ) from error
        # A row of padding alone has no meaning, whatever the graph makes of it.
        return np.where(mask.any(axis=1, keepdims=True), vectors, np.float32(0)), tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens counted, nothing truncated."""
        return self.tokenizer.count(texts)

    def _run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        """Vectors of texts, and of their tokens, (n, length, token_dim), or nothing of use."""
        size = self._contract.batch
        if size is None:
            return self._run_rows(ids, mask)
        # the first row again where there are no more
        rows = np.concatenate([np.arange(len(ids)), np.zeros(-len(ids) % size, dtype=np.intp)])
        runs = [self._run_rows(ids[part], mask[part]) for part in rows.reshape(-1, size)]
        vectors, tokens = (np.concatenate(parts)[: len(ids)] for parts in zip(*runs, strict=True))
        return vectors, tokens

    def _run_rows(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        contract = self._contract
        if contract.length is not None:
            missing = ((0, 0), (0, contract.length - ids.shape[1]))
            ids = np.pad(ids, missing, constant_values=self.tokenizer.pad_id)
            mask = np.pad(mask, missing)
        found = self.session.run(contract.outputs, contract.feeds(ids, mask))
        first, last = (np.asarray(each, dtype=np.float32) for each in (found[0], found[-1]))
        if not self._with_tokens:
            return first if self.pools else pool(first, mask, self.pooling), last
        tokens = l2_normalize(last if self._layer is None else last @ self._layer)
        return first if self.pools else pool(tokens, mask, Pooling.MEAN), tokens

    def _probe(self) -> tuple[int, int | None]:
        """Runs the highest token id once: finds a table too small for the tokenizer, and the dimensions."""
        ids = np.full((1, 1), max(self.tokenizer.vocab_size - 1, 0), dtype=np.int64)
        try:
            vectors, tokens = self._run(ids, np.ones_like(ids))
        except Exception as error:
            raise ModelFormatError(
                f"the graph does not run on token id {ids[0, 0]}, the tokenizer's highest"
                f" ({one_line(error)}). Tokenizer and ONNX file do not belong together, or the file is"
                " damaged: download both again."
            ) from error
        if vectors.ndim != 2 or vectors.shape[0] != 1 or not vectors.shape[1]:
            raise ModelFormatError(
                f"output {self._contract.outputs[0]!r} has shape {vectors.shape} for one text; (1, dim) or"
                " (1, tokens, dim) is needed. Export the model again with pooling inside (romaine export)."
            )
        return int(vectors.shape[1]), int(tokens.shape[-1]) if self._with_tokens else None


def load(model: LocalModel, card: ModelCard, options: LoadOptions) -> OnnxBackend:
    """Loads a model with the files "tokenizer" and "onnx:fp32" or "onnx:int8" for `Embedder`.

    Of `options`, `variant`, `threads`, `device` and `providers` apply.

    Raises:
        ModelFormatError: If files are missing, damaged or do not fit each other, or the graph needs inputs
            that text does not give.
        OptionError: If the device or a provider is not there.
    """
    providers = parse_providers(options)
    with_tokens = card.token_dim is not None
    markers = [prompt for prompt in (card.prompts.query, card.prompts.document) if prompt and with_tokens]
    tokenizer = Tokenizer.from_file(model.path("tokenizer"), markers=markers)
    # which one is best was decided when the model was found, and only that is among its files
    variant = options.variant or next(
        (name for name in VARIANTS if f"onnx:{name}" in model.files), VARIANTS[0]
    )
    session = open_session(model.path(f"onnx:{variant}"), providers=providers, threads=options.threads)
    return OnnxBackend(
        session,
        tokenizer,
        pooling=card.pooling,
        max_tokens=card.max_tokens,
        with_tokens=with_tokens,
        layer=_missing_layer(session, model, card),
    )


def _missing_layer(session: ort.InferenceSession, model: LocalModel, card: ModelCard) -> FloatArray | None:
    """The projection of a late-interaction model whose graph has none: its states are of another size."""
    if card.token_dim is None or not any(use.startswith("module:") for use in model.files):
        return None
    states = read_contract(session, with_tokens=True).states
    (width,) = (item.shape[-1] for item in session.get_outputs() if item.name == states)
    return None if width == card.token_dim else projection(model)
