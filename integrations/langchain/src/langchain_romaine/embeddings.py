"""`RomaineEmbeddings`: any model that romaine can run, wherever LangChain takes embeddings."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.embeddings import Embeddings
from langchain_core.load.serializable import Serializable
from langchain_core.stores import ByteStore
from numpy.typing import NDArray
from pydantic import ConfigDict, SecretStr, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo
from typing_extensions import Self

from langchain_romaine.checks import check_keywords
from romaine import Embedder
from romaine.embedder import DEFAULT_MODEL
from romaine.errors import ModelNotFoundError
from romaine.models.names import parse_name
from romaine.options import meanings

if TYPE_CHECKING:
    from langchain_classic.embeddings import CacheBackedEmbeddings

_ROWS_AT_ONCE = 256  # at 768 components about 4 ms


_REMEDIES = {
    "normalize_embeddings": "leave it out: vectors always have unit length",
    "multi_process": "leave it out; threads=... says how many cores are used",
    "embed_instruction": "write document_prompt=...",
    "model_kwargs": "write its entries as settings of their own: device=..., revision=...,"
    " trust_remote_code=..., and dim=... for truncate_dim",
    "encode_kwargs": "write its entries as settings of their own: batch_size=..., document_prompt=... for"
    " prompt; leave normalize_embeddings out, vectors always have unit length",
    "query_encode_kwargs": "write query_prompt=... for its prompt",
}


class RomaineEmbeddings(Serializable, Embeddings):
    """Embeds with a local model. Offline right after install, safe to share, never blocks an event loop.

    Its settings are the options of `romaine.Embedder`, which says what each means; so do the descriptions of
    its fields.

    Every setting is checked when the object is made, `dim` too if the model is one that `romaine models`
    lists. What depends on files, packages or the machine comes up when the model is loaded: at first use, or
    at once by `warm_up`. The object is frozen: settings cannot drift away from the model in use. Vectors are
    lists of Python floats of unit length, in the order of the texts, and texts are never altered.

    Example:
        from langchain_core.vectorstores import InMemoryVectorStore
        from langchain_romaine import RomaineEmbeddings

        store = InMemoryVectorStore(RomaineEmbeddings(dim=64))
        store.add_texts(["I left the silver key under the third step.", "The soup is leek again."])
        store.similarity_search("Where is the key?", k=1)

    Raises:
        romaine.errors.OptionError: If a setting is unknown; the message says which is meant.
        pydantic.ValidationError: If a value is not allowed.
    """

    # Inputs stay out of validation errors: a token may be among them. romaine's own messages name values.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, protected_namespaces=(), hide_input_in_errors=True
    )

    model: str | Path = DEFAULT_MODEL
    backend: str = "auto"
    dim: int | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    precision: str = "float32"
    truncate: str = "end"
    batch_tokens: int = 8192
    batch_size: int | None = None
    threads: int | None = None
    device: str | None = None
    providers: Sequence[str] | None = None
    dtype: str = "float32"
    variant: str | None = None
    cache_folder: str | Path | None = None
    local_files_only: bool = False
    revision: str | None = None
    token: SecretStr | None = None
    show_progress: bool = False
    allow_untrained_dim: bool = False
    allow_rejected: bool = False
    require_verified: bool = False
    allow_pickle: bool = False
    trust_remote_code: bool = False

    def __init__(self, **settings: Any) -> None:
        # not by a validator: what pydantic tells of its error would hold all settings, a token among them
        check_keywords(type(self), settings, _REMEDIES)
        super().__init__(**settings)

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

    @model_validator(mode="after")
    def _dim_of_a_known_model(self) -> Self:
        """What is known of a model without its files is not left for its first text."""
        name = None
        with suppress(ModelNotFoundError):  # which comes up when it is loaded; until then it may be there
            name = parse_name(self.model)
        if name is not None and name.card is not None:
            name.card.check_dim(self.dim, allow_untrained=self.allow_untrained_dim)
        return self

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

    # --- caching -------------------------------------------------------------------------------------------

    def cached(self, store: ByteStore, *, batch_size: int | None = None) -> CacheBackedEmbeddings:
        """Wraps these embeddings in a cache that tells queries from documents and models from each other.

        LangChain's own `CacheBackedEmbeddings.from_bytes_store(..., query_embedding_cache=True)` keeps both
        under the text alone, and so gives a document's vector for a query where the model has two prompts.

        Args:
            store: Where vectors are kept, e.g. a `LocalFileStore`; embeddings of other models and sizes may
                share it.
            batch_size: How many documents are embedded between two writes to the store; None for all.

        Raises:
            ImportError: If langchain-classic, where LangChain has its cache, is not installed.
            romaine.errors.RomaineError: As `warm_up`.
        """
        try:
            from langchain_classic.embeddings import CacheBackedEmbeddings
        except ModuleNotFoundError as error:
            raise ImportError("a cache needs: pip install 'langchain-romaine[cache]'") from error
        space = f"{self.embedder.fingerprint}-{self.embedder.dim}-{self.precision}-{self.truncate}"
        documents, queries = (
            CacheBackedEmbeddings.from_bytes_store(
                self, store, namespace=f"{space}-{role}-", key_encoder="sha256"
            ).document_embedding_store
            for role in ("document", "query")
        )
        return CacheBackedEmbeddings(self, documents, batch_size=batch_size, query_embedding_store=queries)

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


for _name, _meaning in meanings(Embedder).items():
    RomaineEmbeddings.model_fields[_name].description = _meaning
RomaineEmbeddings.model_rebuild(force=True)


def _as_lists(vectors: NDArray[Any]) -> list[list[float]]:
    """Rows as Python floats, some at a time: converting all at once would hold up every other thread."""
    lists: list[list[float]] = []
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        lists += vectors[start : start + _ROWS_AT_ONCE].tolist()
    return lists
