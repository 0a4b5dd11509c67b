"""The sentence-transformers backend: any model of that library, all of its modules included.

Texts reach the library with their prompt already in front, so its own prompts are switched off. Its
tokenizers keep settings between calls and are not safe to share, so that calls of several threads run one
after another; torch uses all of its threads in each.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.backends.base import LoadOptions
from romaine.errors import (
    BackendError,
    MissingExtraError,
    ModelFormatError,
    OptionError,
    UnsafeModelError,
    one_line,
)
from romaine.models.card import ModelCard
from romaine.models.files import LocalModel
from romaine.models.layouts import is_pickle
from romaine.models.tree import FileTree, Module, check_inside, read_json_object
from romaine.text.growth import check_growth
from romaine.text.pieces import Pieces, Truncate
from romaine.text.tokenizer import Tokenizer
from romaine.text.windows import char_windows, too_long

try:
    import torch
    from sentence_transformers import SentenceTransformer

    from romaine.backends.torch import nomic
    from romaine.backends.torch.settings import DTYPES, parse_device, quiet_loading
except ModuleNotFoundError as error:
    if error.name not in {"torch", "transformers", "sentence_transformers"}:
        raise
    raise MissingExtraError("backend 'sentence-transformers'", "sentence-transformers") from error

_OWN_MODULES = "sentence_transformers."
_LEFT_OVERS = re.compile(r"(training_args|optimizer|scheduler|scaler|rng_state\w*|openvino_model\w*)\.\w+")
"""Files of a training or of another runtime that may lie beside a model. Its loaders never look at them."""

_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_LARGEST_WINDOW = 10**7  # beyond it, the library means "no limit"
_LONE_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")


@dataclass(frozen=True)
class Texts:
    """Texts that each fit the window, in the form the library takes."""

    texts: list[str]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: NDArray[np.intp]) -> Texts:
        """The texts at `indices`, in that order."""
        return Texts([self.texts[index] for index in indices])


class SentenceTransformersBackend:
    """A model of sentence-transformers; see `Backend`. Safe to call from many threads, which take turns.

    Args:
        model: The library's model, in eval mode on its device.
        max_tokens: Tokens of the window with special tokens counted, or None.
    """

    uniform_above: int | None = None

    def __init__(self, model: SentenceTransformer, *, max_tokens: int | None) -> None:
        self.model = model
        self.max_tokens = max_tokens
        self.full_dim = _full_dim(model)
        self.pads = type(model[0]).__name__ != "StaticEmbedding"
        self._lock = threading.Lock()
        self._rust = _private_tokenizer(model)
        self.tokenizer = Tokenizer(self._rust)  # asked about pieces only
        self._special = _count_special(model)

    def split(self, texts: Sequence[str], truncate: Truncate) -> Pieces:
        """Counts tokens and cuts texts at the characters where a window ends.

        A window is cut before a word that does not fit as a whole. Lone surrogates count as U+FFFD.

        Args:
            texts: Any str.
            truncate: END keeps whole texts, of which the library itself reads the first window.

        Raises:
            TextTooLongError: With `Truncate.ERROR`, if a text exceeds the window.
        """
        clean = [_without_surrogates(text) for text in texts]
        encodings = self._tokenise(clean)
        counts = np.array([len(e.ids) + self._special for e in encodings], dtype=np.int64)
        limit = self.max_tokens
        over = np.flatnonzero(counts > limit) if limit is not None else np.empty(0, dtype=np.intp)
        owner = np.arange(len(clean), dtype=np.int64)
        if limit is None or not over.size:
            return Pieces(inputs=Texts(clean), lengths=counts, owner=owner)
        if truncate is Truncate.ERROR:
            raise too_long(over, counts, limit)
        if truncate is Truncate.END:
            kept = np.minimum(counts, limit)
            return Pieces(inputs=Texts(clean), lengths=kept, owner=owner, truncated=len(over))
        return self._windows(clean, encodings, counts)

    def encode(self, inputs: Texts) -> FloatArray:
        """Runs the model, all of its modules included.

        Returns:
            float32 (len(inputs), full_dim), normalised only if the model does so itself.

        Raises:
            BackendError: If the library or torch fails, e.g. for lack of memory.
        """
        if not len(inputs):
            return np.zeros((0, self.full_dim), dtype=np.float32)
        try:
            with self._lock:
                vectors = self.model.encode(
                    inputs.texts,
                    prompt="",
                    batch_size=len(inputs),
                    show_progress_bar=False,
                    convert_to_numpy=True,
                    normalize_embeddings=False,
                )
        except (RuntimeError, ValueError, IndexError, TypeError, KeyError, AttributeError) as error:
            raise BackendError(
                f"sentence-transformers failed on a batch of {len(inputs)} texts ({one_line(error)})."
                " If memory ran out, lower batch_tokens."
            ) from error
        return np.asarray(vectors, dtype=np.float32)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens counted, nothing truncated."""
        return [len(e.ids) + self._special for e in self._tokenise([_without_surrogates(t) for t in texts])]

    def _tokenise(self, texts: list[str]) -> list[Any]:
        return list(self._rust.encode_batch(texts, add_special_tokens=False))

    def _windows(self, texts: list[str], encodings: list[Any], counts: NDArray[np.int64]) -> Pieces:
        assert self.max_tokens is not None
        room = max(self.max_tokens - self._special, 1)
        pieces: list[str] = []
        owner: list[int] = []
        for index, (text, encoding) in enumerate(zip(texts, encodings, strict=True)):
            cuts = [(0, len(text))]
            if counts[index] > self.max_tokens:
                cuts = char_windows(encoding.offsets, encoding.word_ids, length=len(text), room=room)
            pieces += [text[begin:end] for begin, end in cuts]
            owner += [index] * len(cuts)
        lengths = np.array([len(e.ids) + self._special for e in self._tokenise(pieces)], dtype=np.int64)
        return Pieces(
            inputs=Texts(pieces),
            lengths=np.minimum(lengths, self.max_tokens),
            owner=np.array(owner, dtype=np.int64),
        )


def load(model: LocalModel, card: ModelCard, options: LoadOptions) -> SentenceTransformersBackend:
    """Loads a model for `Embedder`: the library gets its folder; nothing else is read, and no network used.

    The card's `max_tokens` bounds the window where the library names none. Of `options`, `device`, `dtype`,
    `threads`, `allow_pickle` and `trust_remote_code` apply. The threads are set for the whole process, as
    torch has it; None leaves torch's own choice alone.

    Raises:
        ModelFormatError: If files are missing, damaged or do not fit each other.
        UnsafeModelError: If loading would run code from the folder and that is not allowed.
        OptionError: If the device is not there.
    """
    device, dtype = parse_device(options.device), DTYPES[options.dtype]
    modules = FileTree.of_folder(model.folder).modules
    if not options.trust_remote_code:
        _refuse_foreign_code(model, modules)
    _check_files(model, modules, allow_pickle=options.allow_pickle)
    try:
        with quiet_loading():
            loaded = SentenceTransformer(
                str(model.folder),
                device=str(device),
                local_files_only=True,
                trust_remote_code=options.trust_remote_code,
                model_kwargs={"dtype": dtype, "use_safetensors": None if options.allow_pickle else True},
            )
    except Exception as error:  # the library, transformers, torch and safetensors each raise their own
        raise ModelFormatError(
            f"sentence-transformers cannot load {model.id} ({one_line(error)})."
            " Download the model again if a file is damaged."
        ) from error
    _refuse_hidden_prompt(model, loaded)
    loaded.truncate_dim = None  # slicing is the embedder's, which makes vectors unit length after it
    loaded.default_prompt_name = None
    if dtype is not torch.float32:
        for module in list(loaded)[1:]:
            module.to(dtype)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    stated = loaded.max_seq_length
    window = card.max_tokens if stated is None or stated > _LARGEST_WINDOW else int(stated)
    return SentenceTransformersBackend(loaded.eval(), max_tokens=window)


# --- what the folder asks for ------------------------------------------------------------------------------


def _refuse_foreign_code(model: LocalModel, modules: tuple[Module, ...]) -> None:
    foreign = sorted({module.type for module in modules if not module.type.startswith(_OWN_MODULES)})
    if foreign:
        raise UnsafeModelError(
            f"{model.id} names classes outside sentence-transformers ({', '.join(foreign)}), whose code would"
            " have to run. Pass trust_remote_code=True if you trust it."
        )
    path = model.folder / (modules[0].path if modules else "") / "config.json"
    config = read_json_object(path) if path.is_file() else {}
    if config.get("model_type") == nomic.MODEL_TYPE and nomic.has_original_keys(config):
        raise ModelFormatError(
            f"{model.id} has its config in NomicBERT's original keys, which sentence-transformers reads only"
            " with the model's own code. Use backend='torch', or pass trust_remote_code=True if you trust it."
        )


def _check_files(model: LocalModel, modules: tuple[Module, ...], *, allow_pickle: bool) -> None:
    """Refuses files that the library, which looks for them itself, could open and should not.

    Raises:
        UnsafeModelError: If it would open a pickle, and that is not allowed.
        ModelFormatError: If one is really outside the folder, or a tokenizer makes texts grow without bound.
    """
    first = model.folder / (modules[0].path if modules else "")
    for parent, folders, names in os.walk(model.folder):
        for name in (*folders, *names):
            check_inside(Path(parent, name), model.folder)
        if "tokenizer.json" in names:
            check_growth(Path(parent, "tokenizer.json"))
        is_first = Path(parent) == first
        exposed = [name for name in names if is_pickle(name) and not _is_passed_over(name, names, is_first)]
        if exposed and not allow_pickle:
            raise UnsafeModelError(
                f"{Path(parent, exposed[0])} is a pickle without the safetensors file that would be opened in"
                " its place, and opening one can run code that came with it. Use a model with safetensors"
                " files, delete the file if nothing needs it, or pass allow_pickle=True to read its tensors."
            )


def _is_passed_over(pickle: str, beside: list[str], is_first: bool) -> bool:
    """Whether the library opens another file in place of a pickle, or never opens one of this name.

    It looks for `model.safetensors` in each module's own folder and takes `pytorch_model.bin` where that is
    not there, whatever else is. Only the first module, which is told to, reads safetensors in shards.
    """
    stem = _SHARD.sub("", pickle.removesuffix(".index.json").rpartition(".")[0])
    safe = f"{'model' if stem == 'pytorch_model' else stem}.safetensors"
    in_place = safe in beside or (is_first and f"{safe}.index.json" in beside)
    return in_place or _LEFT_OVERS.fullmatch(pickle) is not None


def _refuse_hidden_prompt(model: LocalModel, loaded: SentenceTransformer) -> None:
    """Some models leave the prompt's tokens out of the pooling; that needs the prompt apart from the text."""
    hides = any(getattr(module, "include_prompt", True) is False for module in loaded)
    if hides and any(loaded.prompts.values()):
        raise ModelFormatError(
            f"{model.id} leaves its prompts' tokens out of the pooling (include_prompt=false), which is not"
            " supported: its vectors would not be the published ones. Export it to ONNX with its own library."
        )


def _full_dim(model: SentenceTransformer) -> int:
    named = getattr(model, "get_embedding_dimension", None)  # its name since sentence-transformers 6
    dim = named() if named is not None else model.get_sentence_embedding_dimension()
    if dim is not None:
        return int(dim)
    return int(np.asarray(model.encode(["."], prompt="", show_progress_bar=False)).shape[-1])


# --- its tokenizer -----------------------------------------------------------------------------------------


def _private_tokenizer(model: SentenceTransformer) -> Any:
    """A copy of the model's tokenizer that never cuts or pads; the library changes these settings."""
    tokenizer = model.tokenizer
    rust = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(rust, "encode_batch"):
        raise OptionError(
            f"the tokenizer {type(tokenizer).__name__} gives no character positions; a model with a"
            " tokenizer.json is needed"
        )
    copy = type(rust).from_str(rust.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def _count_special(model: SentenceTransformer) -> int:
    tokenizer = model.tokenizer
    count = getattr(tokenizer, "num_special_tokens_to_add", None)
    if count is None or not hasattr(tokenizer, "backend_tokenizer"):
        return 0  # a static table's tokenizer, whose special tokens the library leaves out
    return int(count())


def _without_surrogates(text: str) -> str:
    return text if text.isascii() else text.translate(_LONE_SURROGATES)
