"""`Embedder`: texts in, unit vectors of the dimension asked for out. All else in the package uses it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from romaine.arrays import FloatArray
from romaine.checks import one_text, text_list
from romaine.embedder_options import EmbedderOptions
from romaine.lazy_model import LazyModel
from romaine.options import explains, taken
from romaine.pipeline import Pipeline
from romaine.precision import Precision, encode
from romaine.progress import progress_bar
from romaine.side_by_side import in_thread
from romaine.truncation import Truncations
from romaine.unfamiliar import Familiarity, is_unfamiliar, sample_of

if TYPE_CHECKING:
    from romaine.backends.base import Backend
    from romaine.backends.registry import OpenModel
    from romaine.models.card import ModelCard
    from romaine.token_vectors import TokenVectors

DEFAULT_MODEL = "little-gem"


class Embedder:
    """Embeds texts with a local model. Safe to call from many threads; loads at first use.

    A copy shares the loaded model. A pickle holds the settings, a token among them, and loads it again.

    Args:
        model: The bundled model's name, a catalog name, a hub id or a folder.
        backend: "static", "onnx", "torch", "sentence-transformers", or "auto" for the lightest that fits.
        dim: Matryoshka dimension of the vectors returned, one of `dims`; None for `full_dim`.
        query_prompt: Prepended to queries; None for the model's own.
        document_prompt: Prepended to documents; None for the model's own.
        precision: Form of the vectors returned: "float32", "float16", "int8" or "binary" (see `Precision`).
        truncate: For texts over the model's window: "end" keeps its beginning, "error" refuses, "pool" embeds
            all of it in windows and averages them, weighted by tokens.
        batch_tokens: Padded tokens that go through the model at once.
        batch_size: Texts that go through the model at once, on top of `batch_tokens`; None for no limit.
        threads: Threads of the runtime; None for the number of cores.
        device: "cpu", "cuda", "cuda:1", "mps"; None for the CPU.
        providers: ONNX Runtime execution providers, in order of preference; wins over `device`.
        dtype: Weights and arithmetic on torch: "float32", "float16" or "bfloat16".
        variant: Which ONNX file: "fp32" or "int8"; None for the model's best on this device.
        cache_folder: Where downloaded models are kept; None for the hub's own cache.
        local_files_only: Never use the network.
        revision: Commit, tag or branch of a hub model.
        token: Access token of the hub, for private and gated models; None for the one signed in with.
        show_progress: Whether to show a progress bar while embedding several texts.
        allow_untrained_dim: Whether `dim` may be one that the model was not trained for.
        allow_rejected: Whether a model that failed its evaluation may be loaded.
        require_verified: Whether only a model with a PASS of ``romaine verify`` for exactly these files and
            this backend may be loaded.
        allow_pickle: Whether weights may be read from a pickle (only its tensors are).
        trust_remote_code: Whether the runtime may run code that comes with the model.

    Raises:
        OptionError: If an option's value is not allowed. Errors of the model itself come from `warm_up`.
    """

    @explains
    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        backend: str = "auto",
        dim: int | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        precision: str | Precision = Precision.FLOAT32,
        truncate: str = "end",
        batch_tokens: int = 8192,
        batch_size: int | None = None,
        threads: int | None = None,
        device: str | None = None,
        providers: Sequence[str] | None = None,
        dtype: str = "float32",
        variant: str | None = None,
        cache_folder: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        token: str | None = None,
        show_progress: bool = False,
        allow_untrained_dim: bool = False,
        allow_rejected: bool = False,
        require_verified: bool = False,
        allow_pickle: bool = False,
        trust_remote_code: bool = False,
    ) -> None:
        self._options = options = taken(EmbedderOptions, locals())
        self.model = model
        self.precision = Precision.parse(precision)
        self.show_progress = show_progress
        self._pipeline = Pipeline.of(options)
        self._truncations = Truncations()
        self._familiarity = Familiarity()
        self._model = LazyModel(model, options)

    def __repr__(self) -> str:
        return f"Embedder({str(self.model)!r}, dim={self._options.dim}, precision={self.precision.value!r})"

    # --- the model -----------------------------------------------------------------------------------------

    def warm_up(self) -> Embedder:
        """Loads the model if that has not happened yet. Called by everything that needs it.

        Returns:
            This embedder.

        Raises:
            ModelError: If the model cannot be found, read or trusted, or has no PASS where one is required.
            MissingExtraError: If its backend is not installed.
            DimensionError: If the model cannot give `dim`.
        """
        self.card.check_dim(self._options.dim, allow_untrained=self._options.allow_untrained_dim)
        return self

    @property
    def card(self) -> ModelCard:
        """What is known about the model."""
        return self._model.get().local.card

    @property
    def backend(self) -> str:
        """Name of the backend in use."""
        return self._model.get().backend_name

    @property
    def opened(self) -> OpenModel:
        """The model as its backend opened it: its files with their hashes, and what gives raw vectors."""
        return self._model.get()

    @property
    def full_dim(self) -> int:
        """Components of the model's own vectors."""
        return self.card.full_dim

    @property
    def dims(self) -> tuple[int, ...]:
        """The Matryoshka dimensions the model was trained for, ascending."""
        return self.card.dims

    @property
    def dim(self) -> int:
        """Components of the vectors returned, before any packing by `precision`."""
        return self.card.check_dim(self._options.dim, allow_untrained=self._options.allow_untrained_dim)

    @property
    def max_tokens(self) -> int | None:
        """The model's window in tokens, special tokens counted, or None."""
        return self._backend.max_tokens

    @property
    def token_dim(self) -> int | None:
        """Components of the vectors that `embed_tokens` gives, or None if the model gives none."""
        return getattr(self._backend, "token_dim", None)

    @property
    def fingerprint(self) -> str:
        """Identifies the vector space: a hash of the model's id, files and settings and of both prompts.

        Settings are full_dim, window, pooling and layer norm. Neither `dim` nor `truncate`, backend, device,
        dtype or batches enter it. Two embedders of one fingerprint may share stored vectors.
        """
        query, document = self._role_prompts()
        return self._model.get().fingerprint(query_prompt=query, document_prompt=document)

    @property
    def legacy_fingerprints(self) -> tuple[str, ...]:
        """What earlier versions of this package gave as the `fingerprint` of this embedder, the latest first.

        For opening what was stored under one of them. It covers id, weights, full_dim and prompts only.
        """
        query, document = self._role_prompts()
        return self._model.get().legacy_fingerprints(query_prompt=query, document_prompt=document)

    @property
    def int8_limit(self) -> float:
        """Size of a component that int8 vectors of this dim show as 127 (see `precision.int8_range`)."""
        return self._model.int8_limit(self.dim, self._sliced)

    @property
    def truncated(self) -> int:
        """How many texts have been cut to the window so far."""
        return self._truncations.count

    def knows(self, texts: Sequence[str]) -> bool:
        """Tells whether the model knows the script of texts, by a sample of them; Latin counts as known.

        Embedding gives an `UnfamiliarTextWarning` the first time that it does not.
        """
        sample, count = sample_of(texts), self.opened.count_unfamiliar
        return sample is None or count is None or not is_unfamiliar(sample, count)

    def with_dim(self, dim: int | None) -> Embedder:
        """The same embedder at another dimension; both share one loaded model.

        Raises:
            OptionError: If `dim` is not a positive int or None.
        """
        return self._with(dim=dim)

    def with_prompts(self, *, query: str | None = None, document: str | None = None) -> Embedder:
        """The same embedder with other role prompts, None for the model's own; both share one loaded model.

        Raises:
            OptionError: If a prompt is not a str or None.
        """
        return self._with(query_prompt=query, document_prompt=document)

    def on_threads(self, threads: int) -> Embedder:
        """The same embedder on so many threads unless it was told how many; it loads the model for itself."""
        if self._options.threads is not None:
            return self
        other = self._with(threads=threads)
        other._model = LazyModel(self.model, other._options)
        return other

    # --- embedding -----------------------------------------------------------------------------------------

    def embed_documents(self, texts: Iterable[str], *, workers: int = 1) -> NDArray[Any]:
        """Embeds texts that are to be found.

        Args:
            texts: Any number of texts. Lone surrogates and control characters are allowed.
            workers: Processes, each with the model in memory, that this call starts; 1 for none but this.

        Returns:
            float32 (n, dim) unit vectors in the order given, or what `precision` says. A text without tokens
            gives a zero vector where the model has no special tokens.

        Raises:
            TextTypeError: If `texts` is not an iterable of str.
            TextTooLongError: If `truncate="error"` and a text exceeds the window.
            WorkerError: If a worker ends before its work does.
            ModelError: As `warm_up`.
        """
        return self._embed(text_list(texts), self._role_prompts()[1], workers=workers)

    def embed_queries(self, texts: Iterable[str]) -> NDArray[Any]:
        """Embeds texts that search. As `embed_documents`, with the query prompt."""
        return self._embed(text_list(texts), self._role_prompts()[0])

    def embed_query(self, text: str) -> NDArray[Any]:
        """Embeds one text that searches.

        Returns:
            The one row that `embed_queries` would give, float32 (dim,).
        """
        return np.asarray(self._embed([one_text(text)], self._role_prompts()[0], quiet=True)[0])

    def embed_tokens(
        self, texts: Iterable[str], *, query: bool = False, previous: Sequence[str | None] | None = None
    ) -> list[TokenVectors]:
        """Embeds each token of texts, as late-interaction models do; float32, whatever `precision` says.

        Args:
            texts: n texts.
            query: Whether they search, for the prompt.
            previous: What was said before each, or None, n of them. The text is encoded after that, in a new
                line, and its own tokens are kept; what does not fit the window is that one's beginning.

        Raises:
            OptionError: If the model gives no vectors of tokens, or `previous` are not n.
            RomaineError: As `embed_documents`.
        """
        from romaine.token_vectors import token_vectors

        return token_vectors(
            *(self.opened, text_list(texts), previous, self._pipeline),
            prompt=self._role_prompts()[0 if query else 1],
            dim=self.dim,
            truncations=self._truncations,
        )

    async def aembed_documents(self, texts: Iterable[str]) -> NDArray[Any]:
        """`embed_documents` in a worker thread; the event loop stays free."""
        return await in_thread(self.embed_documents, texts)

    async def aembed_queries(self, texts: Iterable[str]) -> NDArray[Any]:
        """`embed_queries` in a worker thread."""
        return await in_thread(self.embed_queries, texts)

    async def aembed_query(self, text: str) -> NDArray[Any]:
        """`embed_query` in a worker thread."""
        return await in_thread(self.embed_query, text)

    def count_tokens(self, texts: Iterable[str]) -> list[int]:
        """Tokens of each text, special tokens counted, without prompts and without truncation."""
        return self._backend.count_tokens(text_list(texts))

    # --- inside --------------------------------------------------------------------------------------------

    def _with(self, **changed: Any) -> Embedder:
        other = copy.copy(self)
        other._options = replace(self._options, **changed)
        other._truncations = Truncations()
        return other

    @property
    def _backend(self) -> Backend:
        return self._model.get().backend

    def _role_prompts(self) -> tuple[str, str]:
        own = self.card.prompts
        query, document = self._options.query_prompt, self._options.document_prompt
        return own.query if query is None else query, own.document if document is None else document

    def _embed(self, texts: list[str], prompt: str, *, quiet: bool = False, workers: int = 1) -> NDArray[Any]:
        if (sample := self._familiarity.sample(texts)) and (count := self.opened.count_unfamiliar):
            self._familiarity.look(sample, count, model=self.card.id, stacklevel=3)
        if prompt:
            texts = [prompt + text for text in texts]
        with progress_bar("embedding", len(texts), show=self.show_progress and not quiet) as advance:
            vectors = self._sliced(texts, advance) if workers == 1 else self._shared(texts, advance, workers)
        limit = self.int8_limit if self.precision is Precision.INT8 else None
        return encode(vectors, self.precision, int8_limit=limit)

    def _sliced(self, texts: Sequence[str], advance: Callable[[int], None] = lambda _: None) -> FloatArray:
        vectors = np.empty((len(texts), dim := self.dim), dtype=np.float32)
        for chunk in self._pipeline.run(self._backend, texts, normalise_layer=self.card.layer_norm, dim=dim):
            vectors[chunk.start : chunk.start + len(chunk.vectors)] = chunk.vectors
            self._report(chunk.truncated)
            advance(len(chunk.vectors))
        return vectors

    def _shared(self, texts: Sequence[str], advance: Callable[[int], None], workers: int) -> FloatArray:
        from romaine.processes import cores_of_each
        from romaine.shares import Shares

        one = self.on_threads(cores_of_each(workers))
        shares = Shares(sliced=one._sliced, truncations=one._truncations)
        vectors, cut = shares.run(texts, self.dim, workers=workers, advance=advance)
        self._report(cut)
        return vectors

    def _report(self, cut: int) -> None:
        if cut:
            self._truncations.report(cut, max_tokens=self.max_tokens, model=self.card.id, stacklevel=5)
