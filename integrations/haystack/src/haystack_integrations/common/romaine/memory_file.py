# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""`RomaineMemoryFile`: a memory's file with its embedder's settings, opened at first use."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from haystack import default_from_dict, default_to_dict
from haystack.utils import ComponentDevice, Secret
from romaine import RoleplayMemory
from romaine.embedder import DEFAULT_MODEL
from romaine.errors import OptionError, UnknownNameError
from romaine.memory import Ranker, Reranker, WeightedRanker, Weights
from romaine.options import explains

from haystack_integrations.common.romaine.settings import HUB_TOKEN, EmbedderSettings

FIRST_STAGE = 64
"""Components of the first stage of search where none are named and the model was trained for these."""


class RomaineMemoryFile:
    """The SQLite file of a `romaine.RoleplayMemory` and the settings to open it with.

    Components that are given the same object share one opened memory and its indexes. Several may also open
    one file by its name, in one process or many.

    ### Usage example

    ```python
    from haystack_integrations.common.romaine import RomaineMemoryFile
    from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever
    from haystack_integrations.components.writers.romaine import RomaineMemoryWriter

    file = RomaineMemoryFile("memories.db", model="little-gem", dim=64)
    writer = RomaineMemoryWriter(file, user="ana")
    retriever = RomaineMemoryRetriever(file, user="ana")
    ```
    """

    @explains
    def __init__(
        self,
        path: str | Path,
        *,
        model: str | Path = DEFAULT_MODEL,
        backend: str = "auto",
        dim: int | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        truncate: str = "end",
        batch_tokens: int = 8192,
        batch_size: int | None = None,
        threads: int | None = None,
        device: ComponentDevice | None = None,
        providers: Sequence[str] | None = None,
        dtype: str = "float32",
        variant: str | None = None,
        cache_folder: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        token: Secret | None = HUB_TOKEN,
        progress_bar: bool = False,
        allow_untrained_dim: bool = False,
        allow_rejected: bool = False,
        require_verified: bool = False,
        allow_pickle: bool = False,
        trust_remote_code: bool = False,
        vector_format: str | None = None,
        analyzer: str | None = None,
        late_interaction: str | None = None,
        cache_bytes: int = 2 << 30,
        lock_timeout: float = 60.0,
        read_only: bool = False,
        ranker: Ranker | Mapping[str, float] | None = None,
        reranker: Reranker | None = None,
        rerank: int = 20,
    ) -> None:
        """Stores the settings; nothing is opened or loaded.

        The parameters not named here are those of `RomaineTextEmbedder`.

        :param path: The file, made if it is not there, or ":memory:" for one that ends with this object.
        :param dim: Components of the first stage of search; vectors are kept whole. None for 64 where the
            model was trained for it, else all.
        :param query_prompt: Prepended to queries; None for the model's own.
        :param document_prompt: Prepended to what is stored; None for the model's own.
        :param vector_format: "float32", "float16" or "int8" for a new file; an old file keeps its own.
        :param analyzer: Name of what makes of texts the terms they are found by; None for the file's own.
        :param late_interaction: Where vectors of tokens come from: "stored", "computed" or "off"; None for
            the file's own, in a new file "stored" if the model gives such vectors.
        :param cache_bytes: How much the indexes of scopes may hold in memory together.
        :param lock_timeout: Seconds to wait for other processes.
        :param read_only: Never write; for files without write permission.
        :param ranker: What decides the order, or weights of the default ranker by name; None for the default
            one. To be serialized, any other object needs `to_dict` and `from_dict`.
        :param reranker: What looks at the first hits again; None for nothing. Likewise.
        :param rerank: How many of the best memories the reranker looks at.
        :raises OptionError: If a value is not allowed.
        """
        if not isinstance(path, (str, Path)):
            raise OptionError(f"path must be a str or Path, got {type(path).__name__}")
        self.path = os.fspath(path)
        self.vector_format = vector_format
        self.analyzer = analyzer
        self.late_interaction = late_interaction
        self.cache_bytes = cache_bytes
        self.lock_timeout = lock_timeout
        self.read_only = read_only
        self.ranker = _weighted(ranker) if isinstance(ranker, Mapping) else ranker
        self.reranker = reranker
        self.rerank = rerank
        self.settings = EmbedderSettings.of(locals())
        self._lock = threading.Lock()
        self._memory: RoleplayMemory | None = None

    @classmethod
    def of(cls, file: RomaineMemoryFile | RoleplayMemory | str | Path) -> RomaineMemoryFile:
        """Returns a memory's file by its name, as it is, or around a memory that is open.

        :param file: The object, the path of a file to open with the bundled model, or a memory that stays
            its maker's: closing the component leaves it open, and it cannot be serialized.
        :returns: The object.
        :raises OptionError: If it is none of these.
        """
        if isinstance(file, RomaineMemoryFile):
            return file
        if isinstance(file, RoleplayMemory):
            return _GivenMemory(file)
        if not isinstance(file, (str, Path)):
            raise OptionError(
                "memory_file must be a path, a RomaineMemoryFile or an open RoleplayMemory, got"
                f" {type(file).__name__}" + ("; give its memory_file" if hasattr(file, "memory_file") else "")
            )
        return cls(file)

    def open(self) -> RoleplayMemory:
        """Opens the file and loads the model, unless that has happened.

        :returns: The memory, the same one until `close`.
        :raises StorageError: If the file cannot be used.
        :raises ModelError: If the model cannot be found, read or trusted.
        :raises MissingExtraError: If the model's backend is not installed.
        """
        if self._memory is None:
            with self._lock:
                if self._memory is None:
                    self._memory = self._opened()
        return self._memory

    async def open_async(self) -> RoleplayMemory:
        """Does what `open` does, in a worker thread; the event loop stays free.

        :returns: The memory.
        """
        return await asyncio.to_thread(self.open)

    def close(self) -> None:
        """Closes the file; what uses it next opens it again."""
        with self._lock:
            memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()

    async def close_async(self) -> None:
        """Does what `close` does, in a worker thread."""
        await asyncio.to_thread(self.close)

    def to_dict(self) -> dict[str, Any]:
        """Serializes the settings.

        :returns: A dictionary that `from_dict` takes.
        :raises OptionError: If the ranker or reranker has no `to_dict`.
        """
        ranker: Any = self.ranker
        if type(ranker) is WeightedRanker:
            ranker = asdict(ranker.weights)
        for name, value in (("ranker", ranker), ("reranker", self.reranker)):
            if value is not None and not isinstance(value, dict) and not hasattr(value, "to_dict"):
                raise OptionError(f"{name}={value!r} cannot be serialized: give it to_dict and from_dict")
        return default_to_dict(
            self,
            path=self.path,
            vector_format=self.vector_format,
            analyzer=self.analyzer,
            late_interaction=self.late_interaction,
            cache_bytes=self.cache_bytes,
            lock_timeout=self.lock_timeout,
            read_only=self.read_only,
            ranker=ranker,
            reranker=self.reranker,
            rerank=self.rerank,
            **self.settings.init_parameters(without=("precision",)),
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RomaineMemoryFile:
        """Makes one of what `to_dict` gave.

        :param data: The dictionary.
        :returns: A memory's file, not opened.
        """
        return default_from_dict(cls, data)

    def _opened(self) -> RoleplayMemory:
        embedder = self.settings.make()
        if self.settings.options.dim is None and FIRST_STAGE in embedder.dims:
            embedder = embedder.with_dim(FIRST_STAGE)
        return RoleplayMemory(
            self.path,
            embedder=embedder.warm_up(),
            vector_format=self.vector_format,
            analyzer=self.analyzer,
            late_interaction=self.late_interaction,
            cache_bytes=self.cache_bytes,
            lock_timeout=self.lock_timeout,
            read_only=self.read_only,
            ranker=self.ranker,
            reranker=self.reranker,
            rerank=self.rerank,
        )


class _GivenMemory(RomaineMemoryFile):
    """A memory that someone else opened, and will close."""

    def __init__(self, memory: RoleplayMemory) -> None:
        super().__init__(memory.path)
        self._memory = memory

    def close(self) -> None:
        """Leaves it open."""

    def to_dict(self) -> dict[str, Any]:
        """Tells what would be needed.

        :raises OptionError: Always.
        """
        raise OptionError(
            f"the open memory {self.path!r} cannot be serialized: its embedder and ranker are objects; give"
            " the component the file's path, or a RomaineMemoryFile(path, ...) with the settings"
        )


def _weighted(weights: Mapping[str, float]) -> WeightedRanker:
    known = [field.name for field in fields(Weights)]
    for name in weights:
        if name not in known:
            raise UnknownNameError("weight", name, known)
    return WeightedRanker(Weights(**weights))
