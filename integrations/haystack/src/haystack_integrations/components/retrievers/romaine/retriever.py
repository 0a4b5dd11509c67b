# SPDX-FileCopyrightText: 2026 the romaine authors
#
# SPDX-License-Identifier: Apache-2.0

"""`RomaineMemoryRetriever`: from a query to what a character remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.components.agents.state import State
from haystack.core.errors import SerializationError
from haystack.document_stores.types import FilterPolicy, apply_filter_policy
from haystack.utils import deserialize_callable, serialize_callable
from romaine import Memory, RoleplayMemory, Scope
from romaine.checks import positive_int
from romaine.errors import OptionError
from romaine.memory.options import RecallOptions
from romaine.memory.plain import hit_metadata
from romaine.options import explains, keywords, taken

from haystack_integrations.common.romaine.memory_file import RomaineMemoryFile
from haystack_integrations.common.romaine.scope import BoundScope
from haystack_integrations.common.romaine.times import as_datetime
from haystack_integrations.document_stores.romaine.documents import found_document, matching

# `top_k` is k, a function is written as its path, a run names the sources, and only documents are returned
_OPTIONS = tuple(
    option.name
    for option in fields(RecallOptions)
    if option.name not in ("k", "where", "without_sources", "explain")
)


@component
class RomaineMemoryRetriever:
    """Finds what was said, and what is known, in the memory of one user.

    Ranks by meaning, by words and by who speaks. It satisfies Haystack's `TextRetriever`, so `MultiRetriever`
    takes it. The user is bound when it is made or named in each run; without one nothing is read.

    ### Usage example

    ```python
    from haystack_integrations.components.retrievers.romaine import RomaineMemoryRetriever

    retriever = RomaineMemoryRetriever("memories.db", character="Cassian", top_k=3)
    for document in retriever.run("Where is the silver key?", user="ana")["documents"]:
        print(document.score, document.meta["speaker"], document.content)
    ```
    """

    @explains
    def __init__(
        self,
        memory_file: RomaineMemoryFile | RoleplayMemory | str | Path,
        *,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        filters: dict[str, Any] | None = None,
        top_k: int = 5,
        filter_policy: FilterPolicy | str = FilterPolicy.REPLACE,
        token_budget: int | None = None,
        min_score: float | str | None = None,
        kinds: Collection[str] | None = None,
        speakers: Collection[str] | None = None,
        as_character: str | None = None,
        as_of: int | datetime | str | None = None,
        include_superseded: bool = False,
        neighbours: int = 0,
        order: str = "score",
        diversity: int | None = None,
        dim: int | None = None,
        where: Callable[[Memory], bool] | None = None,
    ) -> None:
        """Stores and checks the settings; nothing is opened.

        :param memory_file: The file, with its settings or by its path, or an open memory.
        :param scope: Whose memory, in place of `user`, `character` and `chat`.
        :param user: Who asks; None where each run names the user. What is bound here no run can change.
        :param character: Whose memory, beside what all the user's characters know; likewise.
        :param chat: Which chat, beside what holds in all; likewise.
        :param filters: In Haystack's grammar, over a Document as `run` returns it, but for its `score`,
            `confidence`, `parts` and `neighbours`, which come later. What they leave out is not ranked, so
            `top_k` documents come back wherever as many match.
        :param top_k: How many documents at most.
        :param filter_policy: Whether filters of a run replace these or are merged with them.
        :param token_budget: How many tokens documents and neighbours may have together.
        :param min_score: Score a memory must reach; "auto" returns nothing where the model's calibration
            doubts that the answer is there; None for the best `top_k`.
        :param kinds: Which kinds may be found: "turn", "fact", "lore", "summary".
        :param speakers: Whose words may be found.
        :param as_character: Leaves out what this character did not witness.
        :param as_of: Story position, or time (a datetime or ISO 8601); only what was there and held then.
        :param include_superseded: Whether what was corrected may be found, too.
        :param neighbours: How many turns before and after each to show in `meta["neighbours"]`.
        :param order: "score", or "chronological" for the order of the story.
        :param diversity: How many of one category come before the others have their turn.
        :param dim: Components of the first stage of search, up to the file's own.
        :param where: What a memory must fulfil beside the filters. To be serialized it must be a function of
            a module, which is written as its import path.
        :raises ValueError: If a value is not allowed; the message says what is.
        """
        self.memory_file = RomaineMemoryFile.of(memory_file)
        self.scope = BoundScope.of(scope, user=user, character=character, chat=chat)
        self.filters = filters
        self.top_k = positive_int("top_k", top_k)
        self.filter_policy = (
            filter_policy if isinstance(filter_policy, FilterPolicy) else FilterPolicy.from_str(filter_policy)
        )
        at = as_datetime("as_of", as_of) if isinstance(as_of, str) else as_of
        here = {"k": top_k, "as_of": at, "without_sources": None, "explain": False}
        self.options = taken(RecallOptions, locals() | here)

    def warm_up(self) -> None:
        """Opens the file and loads the model, unless that has happened.

        :raises StorageError: If the file cannot be used.
        :raises ModelError: If the model cannot be found, read or trusted.
        :raises MissingExtraError: If the model's backend is not installed; the message says what to install.
        """
        self.memory_file.open()

    async def warm_up_async(self) -> None:
        """Does what `warm_up` does, in a worker thread; the event loop stays free."""
        await self.memory_file.open_async()

    @component.output_types(documents=list[Document])
    def run(
        self,
        query: str,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        *,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        without_sources: list[str] | None = None,
        state: State | None = None,
    ) -> dict[str, list[Document]]:
        """Finds what fits a query.

        :param query: What is asked, or being said.
        :param filters: In Haystack's grammar; replace or complete those of the component, as its
            `filter_policy` says.
        :param top_k: How many documents at most; None for the component's.
        :param scope: Whose memory, in place of `user`, `character` and `chat`.
        :param user: Who asks; needed where the component is bound to nobody.
        :param character: Whose memory.
        :param chat: Which chat.
        :param without_sources: `meta["source_id"]` of messages that the prompt shows already and that are not
            to be found. In an Agent those of its messages are added.
        :param state: State of the Agent that calls, which Haystack fills in. Then the names above may come
            from a model: what is not bound is taken from the state or its `hook_context`, another name is an
            error, and filters can only leave out more.
        :returns: A dictionary with the key `documents`, the best first. A Document that was written comes
            back as itself, a turn with the memory's id and text. `Document.score` is how likely it holds an
            answer, 0 to 1; the meta has `speaker`, `role`, `position`, `created_at`, the unbounded `score`
            that decides the order with its `parts`, and all else that is known.
        :raises ValueError: If no user is named, another than the bound one is, or `top_k` is no int of at
            least 1.
        :raises FilterError: If a filter is malformed or compares what cannot be compared.
        """
        scope = self.scope.resolve(scope, user=user, character=character, chat=chat, state=state)
        k = self.top_k if top_k is None else positive_int("top_k", top_k)
        if state is None:
            chosen = [apply_filter_policy(self.filter_policy, self.filters, filters)]
        else:
            chosen = [self.filters, filters]
        how = keywords(self.options) | {
            "k": k,
            "where": _all_of(self.options.where, *map(matching, chosen)),
            "without_sources": [*(without_sources or ()), *_sources(state)] or None,
        }
        hits = self.memory_file.open().recall(query, scope, **how)
        return {
            "documents": [found_document(hit.memory, hit_metadata(hit), score=hit.confidence) for hit in hits]
        }

    @component.output_types(documents=list[Document])
    async def run_async(
        self,
        query: str,
        filters: dict[str, Any] | None = None,
        top_k: int | None = None,
        *,
        scope: Scope | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        without_sources: list[str] | None = None,
        state: State | None = None,
    ) -> dict[str, list[Document]]:
        """Does what `run` does, in a worker thread; the event loop stays free.

        :param query: As for `run`.
        :param filters: As for `run`.
        :param top_k: As for `run`.
        :param scope: As for `run`.
        :param user: As for `run`.
        :param character: As for `run`.
        :param chat: As for `run`.
        :param without_sources: As for `run`.
        :param state: As for `run`.
        :returns: What `run` returns.
        :raises ValueError: As `run`.
        """
        return await asyncio.to_thread(
            self.run,
            query,
            filters,
            top_k,
            scope=scope,
            user=user,
            character=character,
            chat=chat,
            without_sources=without_sources,
            state=state,
        )

    def close(self) -> None:
        """Closes the file; what uses it next opens it again."""
        self.memory_file.close()

    async def close_async(self) -> None:
        """Does what `close` does, in a worker thread."""
        await self.memory_file.close_async()

    def to_dict(self) -> dict[str, Any]:
        """Serializes the component.

        :returns: A dictionary that `from_dict` takes.
        :raises OptionError: If the memory was given open, or `where` is no function of a module.
        """
        return default_to_dict(
            self,
            memory_file=self.memory_file,
            user=self.scope.user,
            character=self.scope.character,
            chat=self.scope.chat,
            filters=self.filters,
            top_k=self.top_k,
            filter_policy=self.filter_policy.value,
            where=_import_path(self.options.where),
            **{name: _plain(getattr(self.options, name)) for name in _OPTIONS},
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RomaineMemoryRetriever:
        """Makes a component of what `to_dict` gave.

        :param data: The dictionary.
        :returns: The component, its file not opened.
        """
        given = data.get("init_parameters", {})
        if given.get("where") is not None:
            data = {**data, "init_parameters": {**given, "where": deserialize_callable(given["where"])}}
        return default_from_dict(cls, data)


def _sources(state: State | None) -> list[str]:
    messages = [] if state is None else state.data.get("messages") or []
    ids = [message.meta.get("source_id") for message in messages]
    return [id_ for id_ in ids if isinstance(id_, str)]


def _all_of(*tests: Callable[[Memory], bool] | None) -> Callable[[Memory], bool] | None:
    given = [test for test in tests if test is not None]
    if len(given) < 2:
        return given[0] if given else None
    return lambda memory: all(test(memory) for test in given)


def _import_path(where: Callable[[Memory], bool] | None) -> str | None:
    if where is None:
        return None
    try:
        return serialize_callable(where)
    except SerializationError as error:
        raise OptionError(
            f"where={where!r} cannot be serialized: {error} Define it with `def` in a module, or say it with"
            " filters=..."
        ) from None


def _plain(value: object) -> object:
    """A value of an option as YAML and JSON can hold it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (frozenset, tuple)):
        return sorted(str(getattr(name, "value", name)) for name in value)
    return value
