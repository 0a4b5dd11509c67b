# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""`RomaineTextEmbedder`: one text that searches, to one embedding."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from haystack import component, default_from_dict, default_to_dict
from haystack.utils import ComponentDevice, Secret
from romaine.checks import one_text, optional_str
from romaine.embedder import DEFAULT_MODEL
from romaine.options import explains

from haystack_integrations.common.romaine.settings import (
    HUB_TOKEN,
    EmbedderSettings,
    WarmEmbedder,
)
from haystack_integrations.components.embedders.romaine.texts import one_query


@component
class RomaineTextEmbedder:
    """Embeds a query with a local model. Works right after install, offline.

    ### Usage example

    ```python
    from haystack_integrations.components.embedders.romaine import RomaineTextEmbedder

    embedder = RomaineTextEmbedder(dim=64)
    print(embedder.run("Where is the silver key?")["embedding"])  # 64 floats, unit length
    ```
    """

    @explains
    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        device: ComponentDevice | None = None,
        token: Secret | None = HUB_TOKEN,
        prefix: str | None = None,
        suffix: str = "",
        batch_size: int | None = None,
        progress_bar: bool = False,
        backend: str = "auto",
        dim: int | None = None,
        precision: str = "float32",
        truncate: str = "end",
        batch_tokens: int = 8192,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
        dtype: str = "float32",
        variant: str | None = None,
        cache_folder: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        trust_remote_code: bool = False,
        allow_untrained_dim: bool = False,
        allow_rejected: bool = False,
        require_verified: bool = False,
        allow_pickle: bool = False,
    ) -> None:
        """Stores and checks the settings; nothing is loaded.

        :param model: The bundled model's name, a catalog name, a hub id or a folder.
        :param device: Where the model runs; None for the CPU.
        :param token: Access token of the hub, for private and gated models.
        :param prefix: Prepended to every text. None for the model's own query prompt, "" for none at all.
        :param suffix: Appended to every text.
        :param batch_size: Texts that go through the model at once; None for no limit but `batch_tokens`.
        :param progress_bar: Whether to show a progress bar while embedding several texts.
        :param backend: "static", "onnx", "torch", "sentence-transformers", or "auto" for the lightest that
            fits.
        :param dim: Matryoshka dimension of the embeddings, one the model was trained for; None for all.
        :param precision: Form of the vectors: "float32", or the codes of "float16", "int8" or "binary".
        :param truncate: For texts over the model's window: "end" keeps the beginning, "error" refuses, "pool"
            embeds all of it in windows and averages them.
        :param batch_tokens: Padded tokens that go through the model at once.
        :param threads: Threads of the runtime; None for the number of cores.
        :param providers: ONNX Runtime execution providers, in order of preference; wins over `device`.
        :param dtype: Weights and arithmetic on torch: "float32", "float16" or "bfloat16".
        :param variant: Which ONNX file: "fp32" or "int8"; None for the model's best on this device.
        :param cache_folder: Where downloaded models are kept; None for the hub's own cache.
        :param local_files_only: Never use the network.
        :param revision: Commit, tag or branch of a hub model.
        :param trust_remote_code: Whether the runtime may run code that comes with the model.
        :param allow_untrained_dim: Whether `dim` may be one that the model was not trained for.
        :param allow_rejected: Whether a model that failed its evaluation may be loaded.
        :param require_verified: Whether only a model that passed its evaluation may be loaded.
        :param allow_pickle: Whether weights may be read from a pickle (only its tensors are).
        :raises OptionError: If a value is not allowed.
        """
        given = locals() | {"query_prompt": optional_str("prefix", prefix)}
        self.settings = EmbedderSettings.of(given)
        self.prefix = prefix
        self.suffix = one_text(suffix)
        self._embedder = WarmEmbedder(self.settings)

    def warm_up(self) -> None:
        """Loads the model, unless that has happened.

        :raises ModelError: If the model cannot be found, read or trusted.
        :raises MissingExtraError: If its backend is not installed; the message says what to install.
        :raises DimensionError: If the model cannot give `dim`.
        """
        self._embedder.get()

    async def warm_up_async(self) -> None:
        """Does what `warm_up` does, in a worker thread; the event loop stays free."""
        await asyncio.to_thread(self.warm_up)

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, list[float]]:
        """Embeds a query.

        :param text: The text.
        :returns: A dictionary with the key `embedding`: a unit vector of `dim` floats.
        :raises TypeError: If `text` is not a str.
        """
        query = one_query(text, embedder="RomaineTextEmbedder") + self.suffix
        embedding: list[float] = self._embedder.get().embed_query(query).tolist()
        return {"embedding": embedding}

    @component.output_types(embedding=list[float])
    async def run_async(self, text: str) -> dict[str, list[float]]:
        """Does what `run` does, in a worker thread; the event loop stays free.

        :param text: The text.
        :returns: What `run` returns.
        :raises TypeError: If `text` is not a str.
        """
        return await asyncio.to_thread(self.run, text)

    def to_dict(self) -> dict[str, Any]:
        """Serializes the component.

        :returns: A dictionary that `from_dict` takes.
        """
        parameters = self.settings.init_parameters(without=("query_prompt", "document_prompt"))
        return default_to_dict(self, prefix=self.prefix, suffix=self.suffix, **parameters)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RomaineTextEmbedder:
        """Makes a component of what `to_dict` gave.

        :param data: The dictionary.
        :returns: The component.
        """
        return default_from_dict(cls, data)
