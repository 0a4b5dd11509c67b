"""`RomaineEmbeddings`: any model that romaine can run, wherever LangChain takes embeddings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.load.serializable import Serializable
from numpy.typing import NDArray
from pydantic import ConfigDict, SecretStr, field_validator
from pydantic_core.core_schema import ValidationInfo
from typing_extensions import Self

from romaine import Embedder
from romaine.embedder import DEFAULT_MODEL

_ROWS_AT_ONCE = 256  # at 768 components about 4 ms


class RomaineEmbeddings(Serializable, Embeddings):
    """Embeds with a local model. Offline right after install, safe to share, never blocks an event loop.

    Every setting is checked when the object is made; the model is loaded at first use or by `warm_up`. The
    object is frozen: settings cannot drift away from the model in use. Vectors are lists of Python floats of
    unit length, in the order of the texts, and texts are never altered.

    Example:
        from langchain_core.vectorstores import InMemoryVectorStore
        from langchain_romaine import RomaineEmbeddings

        store = InMemoryVectorStore(RomaineEmbeddings(dim=64))
        store.add_texts(["I left the silver key under the third step.", "The soup is leek again."])
        store.similarity_search("Where is the key?", k=1)

    Raises:
        pydantic.ValidationError: If a setting is unknown or its value is not allowed.
    """

    # Inputs stay out of validation errors: a token may be among them. romaine's own messages name values.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, protected_namespaces=(), hide_input_in_errors=True
    )

    model: str | Path = DEFAULT_MODEL
    """The bundled model's name, a catalog name, a hub id or a folder."""

    backend: str = "auto"
    """"static", "onnx", "torch", "sentence-transformers", or "auto" for the lightest that fits."""

    dim: int | None = None
    """Matryoshka dimension of the vectors, one that the model was trained for; None for all of it."""

    query_prompt: str | None = None
    """Prepended to queries; None for the model's own."""

    document_prompt: str | None = None
    """Prepended to documents; None for the model's own."""

    truncate: str = "end"
    """For texts over the model's window: "end" keeps the beginning, "error" refuses, "pool" embeds all."""

    batch_tokens: int = 8192
    """Padded tokens that go through the model at once."""

    batch_size: int | None = None
    """Texts that go through the model at once, on top of `batch_tokens`; None for no limit."""

    threads: int | None = None
    """Threads of the runtime; None for the number of cores."""

    device: str | None = None
    """"cpu", "cuda", "cuda:1", "mps"; None for the CPU."""

    providers: Sequence[str] | None = None
    """ONNX Runtime execution providers, in order of preference; wins over `device`."""

    dtype: str = "float32"
    """Weights and arithmetic on torch: "float32", "float16" or "bfloat16"."""

    variant: str | None = None
    """Which ONNX file: "fp32" or "int8"; None for the model's best on this device."""

    cache_folder: str | Path | None = None
    """Where downloaded models are kept; None for the hub's own cache."""

    local_files_only: bool = False
    """Never use the network."""

    revision: str | None = None
    """Commit, tag or branch of a hub model."""

    token: SecretStr | None = None
    """Access token of the hub, for private and gated models; None for the one signed in with."""

    show_progress: bool = False
    """Whether to show a progress bar while embedding several texts."""

    allow_untrained_dim: bool = False
    """Whether `dim` may be one that the model was not trained for."""

    allow_rejected: bool = False
    """Whether a model that failed its evaluation may be loaded."""

    require_verified: bool = False
    """Whether only a model with a PASS of ``romaine verify`` for exactly these files and backend may be."""

    allow_pickle: bool = False
    """Whether weights may be read from a pickle (only its tensors are)."""

    trust_remote_code: bool = False
    """Whether the runtime may run code that comes with the model."""

    @field_validator("*", mode="before")
    @classmethod
    def _checked_by_romaine(cls, value: object, info: ValidationInfo) -> object:
        """Lets romaine refuse a value in its own words, before pydantic looks at the type."""
        given = value.get_secret_value() if isinstance(value, SecretStr) else value
        with suppress(TypeError):  # of a value of no fitting type; pydantic says which would be
            Embedder(**{str(info.field_name): given})  # type: ignore[arg-type]  # checking it is the point
        return value

    @field_validator("model", "cache_folder", mode="after")
    @classmethod
    def _path_as_text(cls, value: str | Path | None) -> str | None:
        """Keeps paths as text, which JSON can hold, and so that they cannot be taken for a model's name."""
        if value is None or isinstance(value, str):
            return value
        text = value.as_posix()
        return text if value.is_absolute() or text.startswith("~") else f"./{text}"

    @field_validator("providers", mode="after")
    @classmethod
    def _unchanging(cls, value: Sequence[str] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(value)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ARG002 - pydantic's signature
        """Makes the embedder at once: two threads that made it at first use could load two models."""
        _ = self.embedder

    # --- the model -----------------------------------------------------------------------------------------

    @cached_property
    def embedder(self) -> Embedder:
        """The `romaine.Embedder` that does the work; give it to a `RoleplayMemory` to share the model."""
        settings = {name: getattr(self, name) for name in type(self).model_fields}
        if self.token is not None:
            settings["token"] = self.token.get_secret_value()
        return Embedder(**settings)

    def warm_up(self) -> Self:
        """Loads the model if that has not happened yet.

        Returns:
            This object.

        Raises:
            romaine.errors.ModelError: If the model cannot be found, read or trusted.
            romaine.errors.MissingExtraError: If its backend is not installed; the message has the pip line.
            romaine.errors.DimensionError: If the model cannot give `dim`.
        """
        self.embedder.warm_up()
        return self

    # --- embedding -----------------------------------------------------------------------------------------

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embeds texts that are to be found.

        Args:
            texts: Any number of texts.

        Returns:
            One vector of `dim` floats for each text, in order; [] for no texts.

        Raises:
            romaine.errors.TextTypeError: If `texts` is not a list of str.
            romaine.errors.RomaineError: As `warm_up`.
        """
        return _as_lists(self.embedder.embed_documents(texts))

    def embed_query(self, text: str) -> list[float]:
        """Embeds one text that searches, with the query prompt. Raises as `embed_documents`."""
        vector: list[float] = self.embedder.embed_query(text).tolist()
        return vector

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """`embed_documents` in a worker thread; the event loop stays free."""
        return await asyncio.to_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """`embed_query` in a worker thread; the event loop stays free."""
        return await asyncio.to_thread(self.embed_query, text)

    # --- serialising and copying ---------------------------------------------------------------------------

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """`dumpd` and `load` work; load needs this class among its `allowed_objects`."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The token is written as a reference to this name, never as itself."""
        return {"token": "HF_TOKEN"}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copies with other settings, which are checked; without any, the copy shares the loaded model."""
        if not update:
            return super().model_copy(deep=deep)
        return type(self)(**{name: getattr(self, name) for name in self.model_fields_set} | dict(update))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self.__copy__()  # settings never change, and a second loaded model would be of no use

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        settings = {name: state["__dict__"][name] for name in type(self).model_fields}
        return state | {"__dict__": settings}  # the settings alone: a loaded model does not travel

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        _ = self.embedder


def _as_lists(vectors: NDArray[Any]) -> list[list[float]]:
    """Rows as Python floats, some at a time: converting all at once would hold up every other thread."""
    lists: list[list[float]] = []
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        lists += vectors[start : start + _ROWS_AT_ONCE].tolist()
    return lists
