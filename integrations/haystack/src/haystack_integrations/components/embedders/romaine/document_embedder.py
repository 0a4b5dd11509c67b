# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""`RomaineDocumentEmbedder`: documents that are to be found, each with its embedding."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import ComponentDevice, Secret
from romaine.checks import one_text, optional_str, optional_str_tuple
from romaine.embedder import DEFAULT_MODEL
from romaine.options import explains

from haystack_integrations.common.romaine.settings import (
    HUB_TOKEN,
    EmbedderSettings,
    WarmEmbedder,
)
from haystack_integrations.components.embedders.romaine.texts import document_texts


@component
class RomaineDocumentEmbedder:
    """Embeds documents with a local model. Works right after install, offline.

    ### Usage example

    ```python
    from haystack import Document
    from haystack_integrations.components.embedders.romaine import RomaineDocumentEmbedder

    embedder = RomaineDocumentEmbedder(dim=64)
    documents = embedder.run([Document(content="The silver key is under the third step.")])["documents"]
    print(documents[0].embedding)  # 64 floats, unit length
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
        meta_fields_to_embed: list[str] | None = None,
        embedding_separator: str = "\n",
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

        The parameters not named here are those of `RomaineTextEmbedder`.

        :param prefix: Prepended to every text. None for the model's own document prompt, "" for none at all.
        :param meta_fields_to_embed: Metadata whose values are embedded before the content.
        :param embedding_separator: Stands between those values and the content.
        :raises OptionError: If a value is not allowed.
        """
        given = locals() | {"document_prompt": optional_str("prefix", prefix)}
        self.settings = EmbedderSettings.of(given)
        self.prefix = prefix
        self.suffix = one_text(suffix)
        self.meta_fields_to_embed = list(
            optional_str_tuple("meta_fields_to_embed", meta_fields_to_embed) or ()
        )
        self.embedding_separator = one_text(embedding_separator)
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

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """Embeds documents.

        :param documents: Any number of documents; they stay as they are. One without content is embedded as
            the empty text.
        :returns: A dictionary with the key `documents`: copies in the order given, each with a unit vector of
            `dim` floats as its `embedding`.
        :raises TypeError: If `documents` is not a list of Documents.
        """
        texts = document_texts(
            documents, self.meta_fields_to_embed, self.embedding_separator, embedder="RomaineDocumentEmbedder"
        )
        if self.suffix:
            texts = [text + self.suffix for text in texts]
        vectors = self._embedder.get().embed_documents(texts)
        # row by row: tolist() of a large array would hold the interpreter, and so the event loop, for long
        return {
            "documents": [
                replace(document, embedding=vector.tolist())
                for document, vector in zip(documents, vectors, strict=True)
            ]
        }

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, list[Document]]:
        """Does what `run` does, in a worker thread; the event loop stays free.

        :param documents: As for `run`.
        :returns: What `run` returns.
        :raises TypeError: If `documents` is not a list of Documents.
        """
        return await asyncio.to_thread(self.run, documents)

    def to_dict(self) -> dict[str, Any]:
        """Serializes the component.

        :returns: A dictionary that `from_dict` takes.
        """
        parameters = self.settings.init_parameters(without=("query_prompt", "document_prompt"))
        return default_to_dict(
            self,
            prefix=self.prefix,
            suffix=self.suffix,
            meta_fields_to_embed=self.meta_fields_to_embed,
            embedding_separator=self.embedding_separator,
            **parameters,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RomaineDocumentEmbedder:
        """Makes a component of what `to_dict` gave.

        :param data: The dictionary.
        :returns: The component.
        """
        return default_from_dict(cls, data)
