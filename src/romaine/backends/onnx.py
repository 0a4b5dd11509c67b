"""The ONNX backend: any encoder graph on ONNX Runtime, with `tokenizers` and nothing else.

The graph says what it takes and gives. Pooled vectors are returned as they are; token states are pooled here
by the card. Files written by `romaine.export` also carry, as metadata, what no graph can say by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from romaine.arrays import FloatArray, Pooling, pool
from romaine.backends.base import LoadOptions, Pieces, Truncate
from romaine.errors import BackendError, ModelFormatError, OptionError, UnknownNameError
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel
from romaine.text.batching import batches
from romaine.text.ragged import Ragged
from romaine.text.tokenizer import Tokenizer
from romaine.text.windows import split

METADATA_UNIFORM_ABOVE = "romaine.uniform_above"
METADATA_MAX_TOKENS = "romaine.max_tokens"

_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
_POOLED_NAMES = ("sentence_embedding", "sentence_embeddings", "embedding", "embeddings")
_DTYPES: Mapping[str, type[np.generic]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "mps": "CoreMLExecutionProvider",
    "dml": "DmlExecutionProvider",
}
_CPU = "CPUExecutionProvider"
_CACHED_TOKENS = 512  # with more, MiniLM's states outgrow a core's cache and a text takes half as long again
_ERRORS_ONLY = 3  # ORT's severities: 0 verbose ... 3 error, 4 fatal


@dataclass(frozen=True, kw_only=True)
class _Contract:
    """What a graph takes and gives.

    Attributes:
        dtypes: Type of each of its inputs, by name.
        output: Name of the output that is read.
        pooled: Whether that holds one vector a text, rather than token states.
        batch: Rows it was fixed to, or None.
        length: Tokens it was fixed to, or None.
    """

    dtypes: Mapping[str, type[np.generic]]
    output: str
    pooled: bool
    batch: int | None
    length: int | None


class OnnxBackend:
    """An ONNX graph with its tokenizer. Safe to call from many threads: `Session.run` is.

    Args:
        session: The graph, loaded.
        tokenizer: The model's own.
        pooling: How token states become one vector, where the graph gives those.
        max_tokens: Tokens of the window with special tokens counted, or None.

    Attributes:
        full_dim: Components of every vector.
        max_tokens: The window.
        pads: True: shorter texts of a batch are padded.
        uniform_above: Read from the file's metadata, else None.
    """

    pads = True

    def __init__(
        self, session: ort.InferenceSession, tokenizer: Tokenizer, *, pooling: Pooling, max_tokens: int | None
    ) -> None:
        self.session = session
        self.tokenizer = tokenizer
        self.pooling = pooling
        self._contract = _read_contract(session)
        limits = (max_tokens, self._contract.length, _metadata_int(session, METADATA_MAX_TOKENS))
        self.max_tokens = min((limit for limit in limits if limit is not None), default=None)
        self.uniform_above = _metadata_int(session, METADATA_UNIFORM_ABOVE)
        self.full_dim = self._probe()

    def split(self, texts: Sequence[str], truncate: Truncate) -> Pieces:
        """Cuts texts to the window; see `Backend.split`."""
        return split(
            self.tokenizer.encode(texts, add_special_tokens=False),
            max_tokens=self.max_tokens,
            truncate=truncate,
            prefix=self.tokenizer.prefix,
            suffix=self.tokenizer.suffix,
        )

    def encode(self, inputs: Ragged) -> FloatArray:
        """Runs the model on one batch.

        Args:
            inputs: Token ids, special tokens included.

        Returns:
            float32 (len(inputs), full_dim): the graph's own vectors, or token states pooled.

        Raises:
            BackendError: If ONNX Runtime fails, e.g. for lack of memory.
        """
        if not len(inputs) or not inputs.lengths.max():
            return np.zeros((len(inputs), self.full_dim), dtype=np.float32)
        vectors = np.empty((len(inputs), self.full_dim), dtype=np.float32)
        for indices in self._portions(inputs.lengths):
            vectors[indices] = self._encode_portion(inputs.take(indices))
        return vectors

    def _portions(self, lengths: NDArray[np.int64]) -> Iterable[NDArray[np.intp]]:
        """Parts of a batch whose states stay in a CPU's cache; a GPU gets all at once."""
        if self.session.get_providers() != [_CPU]:
            return (np.arange(len(lengths)),)
        return batches(lengths, batch_tokens=_CACHED_TOKENS, uniform_above=self.uniform_above)

    def _encode_portion(self, inputs: Ragged) -> FloatArray:
        ids, mask = inputs.padded(self.tokenizer.pad_id)
        if not ids.shape[1]:
            return np.zeros((len(inputs), self.full_dim), dtype=np.float32)
        try:
            vectors = self._run(ids, mask)
        except Exception as error:  # ORT's exceptions have no public base class
            raise BackendError(
                f"ONNX Runtime failed on a batch of {len(ids)} texts of up to {ids.shape[1]} tokens"
                f" ({_first_line(error)}). If memory ran out, lower batch_tokens; if the texts are longer"
                " than the model's position table, its max_tokens is not in its configuration."
            ) from error
        # A row of padding alone has no meaning, whatever the graph makes of it.
        return np.where(mask.any(axis=1, keepdims=True), vectors, np.float32(0))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens counted, nothing truncated."""
        return self.tokenizer.count(texts)

    def _run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> FloatArray:
        size = self._contract.batch
        if size is None:
            return self._run_rows(ids, mask)
        parts = [
            self._run_rows(_rows(ids, start, size), _rows(mask, start, size))
            for start in range(0, len(ids), size)
        ]
        return np.concatenate(parts)[: len(ids)]

    def _run_rows(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> FloatArray:
        if self._contract.length is not None:
            missing = ((0, 0), (0, self._contract.length - ids.shape[1]))
            ids = np.pad(ids, missing, constant_values=self.tokenizer.pad_id)
            mask = np.pad(mask, missing)
        feeds = {
            name: _feed(name, ids, mask).astype(dtype, copy=False)
            for name, dtype in self._contract.dtypes.items()
        }
        (found,) = self.session.run([self._contract.output], feeds)
        states = np.asarray(found, dtype=np.float32)
        return states if self._contract.pooled else pool(states, mask, self.pooling)

    def _probe(self) -> int:
        """Runs the highest token id once: finds a table too small for the tokenizer, and the dimension."""
        ids = np.full((1, 1), max(self.tokenizer.vocab_size - 1, 0), dtype=np.int64)
        try:
            vectors = self._run(ids, np.ones_like(ids))
        except Exception as error:
            raise ModelFormatError(
                f"the graph does not run on token id {ids[0, 0]}, the tokenizer's highest"
                f" ({_first_line(error)}). Tokenizer and ONNX file do not belong together, or the file is"
                " damaged: download both again."
            ) from error
        if vectors.ndim != 2 or vectors.shape[0] != 1 or not vectors.shape[1]:
            raise ModelFormatError(
                f"output {self._contract.output!r} has shape {vectors.shape} for one text; (1, dim) or"
                " (1, tokens, dim) is needed. Export the model again with pooling inside (romaine export)."
            )
        return int(vectors.shape[1])


def load(model: LocalModel, card: ModelCard, options: LoadOptions) -> OnnxBackend:
    """Loads a model for `Embedder`.

    Args:
        model: Its files: "tokenizer" and "onnx:fp32" or "onnx:int8".
        card: What is known about it.
        options: `variant`, `threads`, `device` and `providers` apply.

    Raises:
        ModelFormatError: If files are missing, damaged or do not fit each other, or the graph needs inputs
            that text does not give.
        OptionError: If the variant, the device or a provider is unknown or not there.
    """
    providers = parse_providers(options)
    tokenizer = Tokenizer.from_file(model.path("tokenizer"))
    path = model.path(_variant(model, card, options, on_cpu=providers == [_CPU]))
    session = open_session(path, providers=providers, threads=options.threads)
    return OnnxBackend(session, tokenizer, pooling=card.pooling, max_tokens=card.max_tokens)


def open_session(
    path: Path, *, providers: Sequence[Any] = (_CPU,), threads: int | None = None
) -> ort.InferenceSession:
    """Loads a graph with the settings that suit batches of varying shape.

    Args:
        path: The .onnx file; tensors it keeps in other files must be inside its folder.
        providers: ONNX Runtime's execution providers.
        threads: Intra-op threads, or None for the number of physical cores.

    Raises:
        ModelFormatError: If ONNX Runtime cannot read it.
    """
    settings = ort.SessionOptions()
    settings.log_severity_level = _ERRORS_ONLY
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.intra_op_num_threads = threads or physical_cores()
    settings.inter_op_num_threads = 1
    # Memory plans are kept for every shape ever seen, and every batch has another shape.
    settings.enable_mem_pattern = False
    # Threads wait for the next operator awake, but sleep once a batch is done.
    settings.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return ort.InferenceSession(str(path), settings, providers=list(providers))
    except Exception as error:
        raise ModelFormatError(
            f"{path} cannot be loaded by ONNX Runtime {ort.__version__} ({_first_line(error)})."
            " It is damaged, cut off, made for a newer version, or keeps tensors in files that are missing or"
            " outside its folder. Download it again, or export it (romaine export)."
        ) from error


def parse_providers(options: LoadOptions) -> list[Any]:
    """Turns `providers`, else `device`, into what ONNX Runtime takes.

    Raises:
        OptionError: If one is not in this build of ONNX Runtime, naming those that are.
        UnknownNameError: If the device is none that ONNX Runtime has.
    """
    available = ort.get_available_providers()
    if options.providers is not None:
        absent = [name for name in options.providers if name not in available]
        if absent or not options.providers:
            raise _not_available(f"providers={list(options.providers)!r}", available)
        return list(options.providers)
    kind, _, index = (options.device or "cpu").partition(":")
    if kind not in _PROVIDERS or (index and not index.isdecimal()):
        raise UnknownNameError("device", options.device, _PROVIDERS)
    name = _PROVIDERS[kind]
    if name not in available:
        raise _not_available(f"device={options.device!r} (provider {name})", available)
    if name == _CPU:
        return [_CPU]
    return [(name, {"device_id": index}) if index else name, _CPU]


def physical_cores() -> int:
    """Cores this process may use, hardware threads of one core counted once."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        doubled = Path("/sys/devices/system/cpu/smt/active").read_text(encoding="ascii").strip() == "1"
    except OSError:
        doubled = False
    return max(1, usable // 2 if doubled else usable)


def _variant(model: LocalModel, card: ModelCard, options: LoadOptions, *, on_cpu: bool) -> str:
    if options.variant is not None:
        if options.variant not in ("fp32", "int8"):
            raise UnknownNameError("variant", options.variant, ("fp32", "int8"))
        return f"onnx:{options.variant}"
    order = ("onnx:int8", "onnx:fp32") if card.int8_holds and on_cpu else ("onnx:fp32", "onnx:int8")
    return next((use for use in order if use in model.files), order[0])


def _not_available(asked: str, available: Sequence[str]) -> OptionError:
    return OptionError(
        f"{asked} is not available to ONNX Runtime {ort.__version__} here; available: {', '.join(available)}."
        " For another, install the build of onnxruntime that has it (e.g. onnxruntime-gpu)."
    )


def _read_contract(session: ort.InferenceSession) -> _Contract:
    inputs = session.get_inputs()
    unknown = [item.name for item in inputs if item.name not in _INPUTS]
    odd = [f"{item.name} ({item.type})" for item in inputs if item.type not in _DTYPES]
    if unknown or odd or not any(item.name == "input_ids" for item in inputs):
        listed = ", ".join(f"{item.name} ({item.type})" for item in inputs) or "none"
        raise ModelFormatError(
            f"the graph's inputs cannot be made of text: {', '.join(unknown or odd) or 'no input_ids'}."
            f" It takes: {listed}. Allowed: {', '.join(_INPUTS)}, int64 or int32, with input_ids."
        )
    output, pooled = _choose_output(session)
    shape = next(item for item in inputs if item.name == "input_ids").shape
    batch, length = (size if isinstance(size, int) and size > 0 else None for size in _as_pair(shape))
    dtypes = {item.name: _DTYPES[item.type] for item in inputs}
    return _Contract(dtypes=dtypes, output=output, pooled=pooled, batch=batch, length=length)


def _choose_output(session: ort.InferenceSession) -> tuple[str, bool]:
    """A named sentence embedding, else the first that holds token states, else the first of two axes."""
    outputs = {item.name: len(item.shape) for item in session.get_outputs() if item.type != "tensor(string)"}
    for name in _POOLED_NAMES:
        if outputs.get(name) == 2:
            return name, True
    for axes, pooled in ((3, False), (2, True)):
        for name, count in outputs.items():
            if count == axes:
                return name, pooled
    raise ModelFormatError(
        f"the graph gives no vectors: its outputs have {outputs} axes by name; one of (texts, dim) or of"
        " (texts, tokens, dim) is needed"
    )


def _as_pair(shape: Sequence[Any]) -> tuple[Any, Any]:
    if len(shape) != 2:
        raise ModelFormatError(f"input_ids has shape {list(shape)}; (texts, tokens) is needed")
    return shape[0], shape[1]


def _metadata_int(session: ort.InferenceSession, key: str) -> int | None:
    value = session.get_modelmeta().custom_metadata_map.get(key, "")
    return int(value) if value.isdecimal() and int(value) else None


def _feed(name: str, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[Any]:
    if name == "input_ids":
        return ids
    if name == "attention_mask":
        return mask
    if name == "token_type_ids":
        return np.zeros_like(ids)
    return np.broadcast_to(np.arange(ids.shape[1]), ids.shape)


def _rows(array: NDArray[np.int64], start: int, size: int) -> NDArray[np.int64]:
    """`size` rows from `start` on, the first row again where there are no more."""
    chosen = array[start : start + size]
    return np.concatenate([chosen, np.repeat(array[:1], size - len(chosen), axis=0)])


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
