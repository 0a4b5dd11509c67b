# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""The memory's words as Haystack's sparse embeddings, for hybrid search in a document store of your own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.dataclasses import SparseEmbedding
from romaine import SparseEncoder
from romaine.checks import one_text, optional_str_tuple
from romaine.errors import OptionError
from romaine.memory.sparse import SparseVector
from romaine.options import explains

from haystack_integrations.components.embedders.romaine.texts import document_texts, one_query


@component
class RomaineSparseTextEmbedder:
    """Makes a sparse embedding of a query: its words, as romaine's memory finds them. Loads no model.

    ### Usage example

    ```python
    from haystack_integrations.components.embedders.romaine import RomaineSparseTextEmbedder

    embedder = RomaineSparseTextEmbedder()
    print(embedder.run("Where is the silver key?")["sparse_embedding"].indices)  # a number for each word
    ```
    """

    @explains
    def __init__(self, encoder: SparseEncoder | None = None) -> None:
        """Stores the encoder.

        :param encoder: What finds and weighs the words, the same as for the documents. None for romaine's
            own, for stores that weigh rare words by themselves, as Qdrant does with `sparse_idf=True`; for
            others `SparseEncoder().fit(texts)`.
        :raises OptionError: If it is something else.
        """
        self.encoder = _encoder(encoder)

    @component.output_types(sparse_embedding=SparseEmbedding)
    def run(self, text: str) -> dict[str, SparseEmbedding]:
        """Embeds a query.

        :param text: The text.
        :returns: A dictionary with the key `sparse_embedding`.
        :raises TypeError: If `text` is not a str.
        """
        query = one_query(text, embedder="RomaineSparseTextEmbedder")
        return {"sparse_embedding": _sparse(self.encoder.encode_query(query))}

    @component.output_types(sparse_embedding=SparseEmbedding)
    async def run_async(self, text: str) -> dict[str, SparseEmbedding]:
        """Does what `run` does, in a worker thread; the event loop stays free.

        :param text: The text.
        :returns: What `run` returns.
        :raises TypeError: If `text` is not a str.
        """
        return await asyncio.to_thread(self.run, text)

    def to_dict(self) -> dict[str, Any]:
        """Serializes the component, with what its encoder was fitted on.

        :returns: A dictionary that `from_dict` takes.
        """
        return default_to_dict(self, encoder=self.encoder)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RomaineSparseTextEmbedder:
        """Makes a component of what `to_dict` gave.

        :param data: The dictionary.
        :returns: The component.
        """
        return default_from_dict(cls, _with_encoder(data))


@component
class RomaineSparseDocumentEmbedder:
    """Gives documents sparse embeddings: their words, as romaine's memory finds them. Loads no model.

    ### Usage example

    ```python
    from haystack import Document
    from haystack_integrations.components.embedders.romaine import RomaineSparseDocumentEmbedder

    embedder = RomaineSparseDocumentEmbedder()
    documents = embedder.run([Document(content="The silver key is under the third step.")])["documents"]
    print(documents[0].sparse_embedding.values)
    ```
    """

    @explains
    def __init__(
        self,
        encoder: SparseEncoder | None = None,
        *,
        meta_fields_to_embed: Sequence[str] | None = None,
        embedding_separator: str = "\n",
    ) -> None:
        """Stores the settings.

        :param encoder: As for `RomaineSparseTextEmbedder`.
        :param meta_fields_to_embed: Metadata whose values are embedded before the content.
        :param embedding_separator: Stands between those values and the content.
        :raises OptionError: If a value is not allowed.
        """
        self.encoder = _encoder(encoder)
        self.meta_fields_to_embed = list(
            optional_str_tuple("meta_fields_to_embed", meta_fields_to_embed) or ()
        )
        self.embedding_separator = one_text(embedding_separator)

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """Embeds documents.

        :param documents: Any number of documents; they stay as they are.
        :returns: A dictionary with the key `documents`: copies in the order given, each with its
            `sparse_embedding`, which has no components where there are no words.
        :raises TypeError: If `documents` is not a list of Documents.
        """
        texts = document_texts(
            documents,
            self.meta_fields_to_embed,
            self.embedding_separator,
            embedder="RomaineSparseDocumentEmbedder",
        )
        vectors = self.encoder.encode_documents(texts)
        return {
            "documents": [
                replace(document, sparse_embedding=_sparse(vector))
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
        """Serializes the component, with what its encoder was fitted on.

        :returns: A dictionary that `from_dict` takes.
        """
        return default_to_dict(
            self,
            encoder=self.encoder,
            meta_fields_to_embed=self.meta_fields_to_embed,
            embedding_separator=self.embedding_separator,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RomaineSparseDocumentEmbedder:
        """Makes a component of what `to_dict` gave.

        :param data: The dictionary.
        :returns: The component.
        """
        return default_from_dict(cls, _with_encoder(data))


def _encoder(encoder: object) -> SparseEncoder:
    if encoder is None:
        return SparseEncoder()
    if not isinstance(encoder, SparseEncoder):
        raise OptionError(f"encoder={encoder!r} must be a romaine.SparseEncoder or None")
    return encoder


def _with_encoder(data: dict[str, Any]) -> dict[str, Any]:
    given = data.get("init_parameters", {})
    if given.get("encoder") is None:
        return data
    return {**data, "init_parameters": {**given, "encoder": SparseEncoder.from_dict(given["encoder"])}}


def _sparse(vector: SparseVector) -> SparseEmbedding:
    return SparseEmbedding(indices=vector.indices.tolist(), values=vector.values.tolist())
