"""`RomaineEmbedding`: romaine's `Embedder` under LlamaIndex's names."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from llama_index.core.base.embeddings.base import BaseEmbedding, Embedding
from llama_index.core.bridge.pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
    model_validator,
)
from llama_index.core.storage.kvstore.types import BaseKVStore
from llama_index.embeddings.romaine.cache import GuardedCache, Namespace, Role
from llama_index.embeddings.romaine.early import check_early, check_names
from typing_extensions import Self

from romaine import Embedder
from romaine.embedder import DEFAULT_MODEL
from romaine.embedder_options import EmbedderOptions
from romaine.options import meanings

T = TypeVar("T")

_MEANINGS = meanings(Embedder)
_NAMES = {  # options of `Embedder` that LlamaIndex users know under another name
    "model": "model_name",
    "batch_size": "embed_batch_size",
    "query_prompt": "query_instruction",
    "document_prompt": "text_instruction",
    "show_progress": "show_progress_bar",
}


class _Handle:
    """Holds the embedder and its threads: copies of a component share them, pickles leave them behind.

    Async calls have one thread for each role. More would only take the cores from each other, as the runtime
    uses all of them for one batch, and from the event loop; and a query does not queue behind documents.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self._executors: dict[Role, ThreadPoolExecutor] = {
            "query": ThreadPoolExecutor(1, thread_name_prefix="romaine-query"),
            "document": ThreadPoolExecutor(1, thread_name_prefix="romaine-document"),
        }

    async def run(self, role: Role, function: Callable[[], T]) -> T:
        """Runs a function in the role's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executors[role], function)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Handle:
        return self

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


class RomaineEmbedding(BaseEmbedding):
    """Embeds with a local model. Loads at first use; safe to call from many threads and event loops.

    Its settings are the options of `romaine.Embedder`, which says what each means; so do the descriptions of
    its fields. They cannot be changed afterwards: they are what a loaded model and cached vectors depend on.

    Examples:
        `pip install llama-index-embeddings-romaine`

        ```python
        from llama_index.core import Settings
        from llama_index.embeddings.romaine import RomaineEmbedding

        Settings.embed_model = RomaineEmbedding(dim=256)
        ```

    Raises:
        ValidationError: If a name is unknown, a value not allowed, `dim` not one of a model that is known by
            name, or the device not there; it says what is. Errors of the model itself
            (`romaine.errors.ModelError`, `MissingExtraError`) come when it is first used.
    """

    model_config = ConfigDict(
        extra="forbid",
        validate_assignment=True,  # a cache that is set later has to be guarded as well
        hide_input_in_errors=True,  # what was given may be a token
    )

    model_name: str = Field(default=DEFAULT_MODEL, frozen=True)
    embed_batch_size: int = Field(default=512, gt=0, le=2048, frozen=True, strict=True)
    backend: str = Field(default="auto", frozen=True)
    dim: int | None = Field(default=None, frozen=True, strict=True)
    query_instruction: str | None = Field(default=None, frozen=True)
    text_instruction: str | None = Field(default=None, frozen=True)
    precision: str = Field(default="float32", frozen=True)
    truncate: str = Field(default="end", frozen=True)
    batch_tokens: int = Field(default=8192, frozen=True, strict=True)
    threads: int | None = Field(default=None, frozen=True, strict=True)
    device: str | None = Field(default=None, frozen=True)
    providers: tuple[str, ...] | None = Field(default=None, frozen=True)
    dtype: str = Field(default="float32", frozen=True)
    variant: str | None = Field(default=None, frozen=True)
    cache_folder: str | None = Field(default=None, frozen=True)
    local_files_only: bool = Field(default=False, frozen=True, strict=True)
    revision: str | None = Field(default=None, frozen=True)
    # in no dict, hash or repr; in pickles, for worker processes
    token: SecretStr | None = Field(default=None, frozen=True, exclude=True, repr=False)
    show_progress_bar: bool = Field(default=False, frozen=True, strict=True)
    allow_untrained_dim: bool = Field(default=False, frozen=True, strict=True)
    allow_rejected: bool = Field(default=False, frozen=True, strict=True)
    require_verified: bool = Field(default=False, frozen=True, strict=True)
    allow_pickle: bool = Field(default=False, frozen=True, strict=True)
    trust_remote_code: bool = Field(default=False, frozen=True, strict=True)
    embeddings_cache: BaseKVStore | None = Field(
        default=None,
        exclude=True,  # a resource, not a setting: vectors are the same with and without it
        description="Where vectors are kept; by model, dimension and role, whatever else is in it.",
    )

    _handle: _Handle | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, values: object) -> object:
        check_names(cls, values)
        return values

    @field_validator("model_name", "cache_folder", mode="before")
    @classmethod
    def _path_as_str(cls, value: object) -> object:
        return os.fspath(value) if isinstance(value, os.PathLike) else value

    @field_validator("embeddings_cache", mode="after")
    @classmethod
    def _guard(cls, store: BaseKVStore | None) -> BaseKVStore | None:
        return store if store is None or isinstance(store, GuardedCache) else GuardedCache(store)

    @model_validator(mode="after")
    def _make_embedder(self) -> Self:
        if self._handle is None:  # assigning to a field validates again
            options = {name: getattr(self, _NAMES.get(name, name)) for name in _MEANINGS}
            options["token"] = None if self.token is None else self.token.get_secret_value()
            embedder = Embedder(**options)
            model = options.pop("model")
            check_early(model, EmbedderOptions(**options))
            self._handle = _Handle(embedder)
        return self

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised components."""
        return "RomaineEmbedding"

    @property
    def embedder(self) -> Embedder:
        """The `romaine.Embedder` behind it, e.g. for `RoleplayMemory(embedder=...)` or its `dims`."""
        return self._opened.embedder

    def warm_up(self) -> Self:
        """Loads the model if that has not happened yet, and returns this component.

        Raises:
            ModelError: If the model cannot be found, read or trusted.
            MissingExtraError: If its backend is not installed; the message has the pip line.
            DimensionError: If the model cannot give `dim`.
        """
        self.embedder.warm_up()
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copies with other settings, which are checked; without any, the copy shares the loaded model."""
        if not update:
            return super().model_copy(deep=deep)
        return type(self)(**{name: getattr(self, name) for name in self.model_fields_set} | dict(update))

    # --- what BaseEmbedding asks for -----------------------------------------------------------------------

    def _get_query_embedding(self, query: str) -> Embedding:
        return self._embed("query", [query])[0]

    def _get_text_embedding(self, text: str) -> Embedding:
        return self._embed("document", [text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return self._embed("document", texts)

    async def _aget_query_embedding(self, query: str) -> Embedding:
        return (await self._aembed("query", [query]))[0]

    async def _aget_text_embedding(self, text: str) -> Embedding:
        return (await self._aembed("document", [text]))[0]

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Embedding]:
        return await self._aembed("document", texts)

    # --- inside --------------------------------------------------------------------------------------------

    @property
    def _opened(self) -> _Handle:
        assert self._handle is not None  # every way to make a component validates it
        return self._handle

    def _embed(self, role: Role, texts: list[str]) -> list[Embedding]:
        cache = self.embeddings_cache
        if not isinstance(cache, GuardedCache):
            return self._vectors(role, texts)
        return cache.embed(self._namespace(role), texts, partial(self._vectors, role))

    async def _aembed(self, role: Role, texts: list[str]) -> list[Embedding]:
        handle = self._opened

        async def embed(some: list[str]) -> list[Embedding]:
            return await handle.run(role, partial(self._vectors, role, some))

        cache = self.embeddings_cache
        if not isinstance(cache, GuardedCache):
            return await embed(texts)
        namespace = await handle.run(role, partial(self._namespace, role))  # loads the model
        return await cache.aembed(namespace, texts, embed)

    def _vectors(self, role: Role, texts: list[str]) -> list[Embedding]:
        embedder = self.embedder
        if role == "query":
            return [embedder.embed_query(text).tolist() for text in texts]
        vectors: list[Embedding] = embedder.embed_documents(texts).tolist()
        return vectors

    def _namespace(self, role: Role) -> Namespace:
        embedder = self.embedder
        return Namespace(
            fingerprint=embedder.fingerprint,
            dim=embedder.dim,
            role=role,
            truncate=self.truncate,
            dtype=self.dtype,
            precision=self.precision,
        )


for _name, _meaning in _MEANINGS.items():
    RomaineEmbedding.model_fields[_NAMES.get(_name, _name)].description = _meaning
RomaineEmbedding.model_rebuild(force=True)
