# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""`RomaineRanker`: what ranks romaine's memory, over the documents that any retriever found."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import ComponentDevice, Secret
from romaine.checks import optional_positive_int, optional_str
from romaine.embedder import DEFAULT_MODEL
from romaine.memory import DocumentRanker, Passage
from romaine.options import explains

from haystack_integrations.common.romaine.settings import HUB_TOKEN, EmbedderSettings, WarmEmbedder

_WITHOUT = (
    *("query_prompt", "document_prompt", "dim", "precision", "batch_size", "progress_bar"),
    "allow_untrained_dim",
)


@component
class RomaineRanker:
    """Puts documents in the order in which a memory would recall them: by meaning, words, speaker and time.

    Needs no LLM and no cross-encoder; what takes time is embedding the documents. A score compares the
    documents of one call, and nothing else.

    ### Usage example

    ```python
    from haystack import Document
    from haystack_integrations.components.rankers.romaine import RomaineRanker

    ranker = RomaineRanker(top_k=1)
    documents = [Document(content="The soup is leek again."), Document(content="The key is under the step.")]
    print(ranker.run("Where is the key?", documents)["documents"][0].content)
    ```
    """

    @explains
    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        device: ComponentDevice | None = None,
        token: Secret | None = HUB_TOKEN,
        top_k: int | None = None,
        speaker_key: str | None = "speaker",
        time_key: str | None = "created_at",
        previous_key: str | None = "previous",
        backend: str = "auto",
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
        allow_rejected: bool = False,
        require_verified: bool = False,
        allow_pickle: bool = False,
    ) -> None:
        """Stores and checks the settings; nothing is loaded.

        The parameters not named here are those of `RomaineTextEmbedder`.

        :param model: What embeds query and documents.
        :param top_k: How many documents are returned at most; None for all of them.
        :param speaker_key: Where metadata tell who said it; None for nowhere.
        :param time_key: Where they tell when, as a datetime or ISO 8601; None for nowhere.
        :param previous_key: Where they tell what was said right before; None for nowhere.
        :raises OptionError: If a value is not allowed.
        """
        self.settings = EmbedderSettings.of(locals())
        self.top_k = optional_positive_int("top_k", top_k)
        self.speaker_key = optional_str("speaker_key", speaker_key)
        self.time_key = optional_str("time_key", time_key)
        self.previous_key = optional_str("previous_key", previous_key)
        self._embedder = WarmEmbedder(self.settings)

    def warm_up(self) -> None:
        """Loads the model, unless that has happened.

        :raises ModelError: If the model cannot be found, read or trusted.
        :raises MissingExtraError: If its backend is not installed; the message says what to install.
        """
        self._embedder.get()

    async def warm_up_async(self) -> None:
        """Does what `warm_up` does, in a worker thread; the event loop stays free."""
        await asyncio.to_thread(self.warm_up)

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Ranks documents.

        :param query: What is looked for.
        :param documents: Any number of documents; they stay as they are. Those without content come last.
        :param top_k: In place of the component's own.
        :returns: A dictionary with the key `documents`: copies with their `score`, the best first, equal ones
            in their order.
        :raises TypeError: If `documents` is not a list of Documents.
        :raises OptionError: If `top_k` is not allowed.
        """
        if not isinstance(documents, list) or not all(isinstance(each, Document) for each in documents):
            raise TypeError("RomaineRanker expects a list of Documents.")
        limit = self.top_k if top_k is None else optional_positive_int("top_k", top_k)
        passages = [
            Passage.from_metadata(
                document.content or "",
                document.meta,
                speaker=self.speaker_key,
                at=self.time_key,
                previous=self.previous_key,
            )
            for document in documents
        ]
        ranked = DocumentRanker(self._embedder.get()).rank(query, passages, k=limit)
        return {"documents": [replace(documents[item.index], score=item.score) for item in ranked]}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, documents: list[Document], top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Does what `run` does, in a worker thread; the event loop stays free.

        :param query: As for `run`.
        :param documents: As for `run`.
        :param top_k: As for `run`.
        :returns: What `run` returns.
        """
        return await asyncio.to_thread(self.run, query, documents, top_k)

    def to_dict(self) -> dict[str, Any]:
        """Serializes the component.

        :returns: A dictionary that `from_dict` takes.
        """
        return default_to_dict(
            self,
            top_k=self.top_k,
            speaker_key=self.speaker_key,
            time_key=self.time_key,
            previous_key=self.previous_key,
            **self.settings.init_parameters(without=_WITHOUT),
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RomaineRanker:
        """Makes a component of what `to_dict` gave.

        :param data: The dictionary.
        :returns: The component.
        """
        return default_from_dict(cls, data)
