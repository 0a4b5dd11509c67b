"""The guard between LlamaIndex's `embeddings_cache` and vectors that are not what the key says.

`BaseEmbedding` looks vectors up by the raw text alone. A query then gets what was cached for the document of
the same words, and a model of 256 components what another left behind at 384.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from llama_index.core.base.embeddings.base import Embedding
from llama_index.core.storage.kvstore.types import DEFAULT_BATCH_SIZE, DEFAULT_COLLECTION, BaseKVStore

Role: TypeAlias = Literal["query", "document"]
Record: TypeAlias = dict[str, Any]

_COLLECTION = "embeddings"  # where BaseEmbedding keeps them, too
_FIELD = "embedding"


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """Whose vectors are meant: nothing is shared between two that differ in anything.

    Attributes:
        fingerprint: `Embedder.fingerprint`: model, weights, full_dim and prompts.
        dim: Components of the vectors.
        role: What the texts are embedded as.
        truncate: How over-long texts are cut, which changes their vectors.
        dtype: Arithmetic of the model, which changes them slightly.
        precision: Form of the vectors.
    """

    fingerprint: str
    dim: int
    role: Role
    truncate: str
    dtype: str
    precision: str = "float32"

    def key(self, text: str) -> str:
        """The key of a text: of one length, and without the text, which may be private or no valid UTF-8."""
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        form = "" if self.precision == "float32" else f":{self.precision}"  # the first keys had none
        return f"{self.fingerprint}:{self.dim}:{self.role}:{self.truncate}:{self.dtype}{form}:{digest}"


class GuardedCache(BaseKVStore):
    """A key-value store that keeps vectors by model, dimension and role.

    `RomaineEmbedding` puts it around whatever is given as `embeddings_cache`. As a store it passes everything
    on unchanged.

    Args:
        store: Where the vectors are kept, and what is to be persisted.
    """

    def __init__(self, store: BaseKVStore) -> None:
        self.store = store

    def __bool__(self) -> bool:
        """False: `BaseEmbedding` then does not look up by text but calls `_get_*`, which know the role."""
        return False

    def embed(
        self,
        namespace: Namespace,
        texts: list[str],
        embed: Callable[[list[str]], list[Embedding]],
    ) -> list[Embedding]:
        """Returns vectors of texts, from the store where it has them.

        Args:
            namespace: Whose vectors.
            texts: Any number of texts.
            embed: Embeds those that are missing, each once, and they are kept.

        Returns:
            One vector for each text, in order.
        """
        keys = [namespace.key(text) for text in texts]
        found = {key: self.store.get(key, collection=_COLLECTION) for key in dict.fromkeys(keys)}
        missing = _missing(keys, texts, found)
        if missing:
            for key, vector in zip(missing, embed(list(missing.values())), strict=True):
                found[key] = {_FIELD: vector}
                self.store.put(key, {_FIELD: vector}, collection=_COLLECTION)
        return _vectors(keys, found)

    async def aembed(
        self,
        namespace: Namespace,
        texts: list[str],
        embed: Callable[[list[str]], Awaitable[list[Embedding]]],
    ) -> list[Embedding]:
        """As `embed`, with the store's async methods."""
        keys = [namespace.key(text) for text in texts]
        found = {key: await self.store.aget(key, collection=_COLLECTION) for key in dict.fromkeys(keys)}
        missing = _missing(keys, texts, found)
        if missing:
            for key, vector in zip(missing, await embed(list(missing.values())), strict=True):
                found[key] = {_FIELD: vector}
                await self.store.aput(key, {_FIELD: vector}, collection=_COLLECTION)
        return _vectors(keys, found)

    # --- the store as it is --------------------------------------------------------------------------------

    def put(self, key: str, val: Record, collection: str = DEFAULT_COLLECTION) -> None:
        """Passed on to the store."""
        self.store.put(key, val, collection=collection)

    async def aput(self, key: str, val: Record, collection: str = DEFAULT_COLLECTION) -> None:
        """Passed on to the store."""
        await self.store.aput(key, val, collection=collection)

    def put_all(
        self,
        kv_pairs: list[tuple[str, Record]],
        collection: str = DEFAULT_COLLECTION,
        batch_size: int = DEFAULT_BATCH_SIZE,
    ) -> None:
        """Passed on to the store."""
        self.store.put_all(kv_pairs, collection=collection, batch_size=batch_size)

    async def aput_all(
        self,
        kv_pairs: list[tuple[str, Record]],
        collection: str = DEFAULT_COLLECTION,
        batch_size: int = DEFAULT_BATCH_SIZE,
    ) -> None:
        """Passed on to the store."""
        await self.store.aput_all(kv_pairs, collection=collection, batch_size=batch_size)

    def get(self, key: str, collection: str = DEFAULT_COLLECTION) -> Record | None:
        """Passed on to the store."""
        return self.store.get(key, collection=collection)

    async def aget(self, key: str, collection: str = DEFAULT_COLLECTION) -> Record | None:
        """Passed on to the store."""
        return await self.store.aget(key, collection=collection)

    def get_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, Record]:
        """Passed on to the store."""
        return self.store.get_all(collection=collection)

    async def aget_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, Record]:
        """Passed on to the store."""
        return await self.store.aget_all(collection=collection)

    def delete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        """Passed on to the store."""
        return self.store.delete(key, collection=collection)

    async def adelete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        """Passed on to the store."""
        return await self.store.adelete(key, collection=collection)


def _missing(keys: list[str], texts: list[str], found: dict[str, Record | None]) -> dict[str, str]:
    return {key: text for key, text in zip(keys, texts, strict=True) if found[key] is None}


def _vectors(keys: list[str], found: dict[str, Record | None]) -> list[Embedding]:
    return [record[_FIELD] for key in keys if (record := found[key]) is not None]
