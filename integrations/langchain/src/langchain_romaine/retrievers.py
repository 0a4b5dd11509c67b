"""`RomaineMemoryRetriever`: what a character remembers, as LangChain documents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import fields
from datetime import datetime
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import ConfigurableFieldSpec, RunnableConfig, ensure_config
from pydantic import ConfigDict, field_validator, model_validator
from pydantic_core.core_schema import ValidationInfo
from typing_extensions import Self

from langchain_romaine.checks import check_keywords, check_memory
from langchain_romaine.documents import hit_document
from langchain_romaine.messages import session_prefix
from langchain_romaine.scopes import SCOPE_FIELDS, ScopeBinding, ScopeFunction, current_config, session_of
from romaine import Memory, RoleplayMemory, Scope
from romaine.errors import OptionError
from romaine.memory.options import RecallOptions
from romaine.memory.records import Kind
from romaine.options import meanings

_REMEDIES = {
    "search_kwargs": "write its entries as options of their own, e.g. k=3",
    "search_type": 'leave it out; diversity=... and min_score="auto" are options of their own',
    "session_id": 'without_session=True leaves out the one in config={"configurable": {"session_id": ...}}',
}

_OPTIONS = tuple(field.name for field in fields(RecallOptions) if field.name != "explain")


def _per_call(*, k: int | None = None) -> None:
    """What a single call may say."""


class RomaineMemoryRetriever(BaseRetriever):
    """Recalls from a `romaine.RoleplayMemory`, which stays the caller's to close.

    A retriever always speaks for one user: one it is bound to, or, with `scope_from_config`, the one each
    invocation names in ``config["configurable"]`` or, in a LangGraph run, in its ``context``. Invocations
    without a user, or naming another than the bound one, are errors.

    Each option of `RoleplayMemory.recall`, which says what it means, is a field of the same name. Neighbours
    are in metadata["neighbours"], and ``invoke(query, k=...)`` has another `k` for one call.

    A document's `id` is the memory's, its `page_content` the text verbatim. Its metadata holds `speaker`,
    `role`, `position`, `created_at`, `confidence` (0 to 1), `score`, `parts` of the score and whatever
    else is known. What `RomaineVectorStore` keeps has the id and the metadata it has there.

    Example:
        from langchain_romaine import RomaineMemoryRetriever
        from romaine import RoleplayMemory

        with RoleplayMemory("memories.db") as memory:
            retriever = RomaineMemoryRetriever(memory=memory, scope_from_config=True, k=3)
            config = {"configurable": {"user": "ana", "character": "Cassian"}}
            documents = retriever.invoke("Where is the key?", config)

    Raises:
        pydantic.ValidationError: If there is no user, an option is unknown or its value is not allowed.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, validate_assignment=True)

    memory: RoleplayMemory
    """The memory; share one among retrievers and chat histories, and close it when all are done."""

    scope: Scope | ScopeFunction | None = None
    """Whose memory, as a whole, in place of `user`, `character` and `chat`; or a function that makes it of a
    run's `langgraph.runtime.Runtime`."""

    user: str | None = None
    """Whose memory. None only with `scope_from_config`."""

    character: str | None = None
    """The character whose memory it is; None for what all characters of the user share."""

    chat: str | None = None
    """The chat whose own memories are seen as well; None for what holds in every chat."""

    scope_from_config: bool = False
    """Whether `user`, `character` and `chat`, where not given here, come from ``config["configurable"]`` or
    from the ``context`` of a LangGraph run."""

    without_session: bool = False
    """Whether the turns of the running conversation, which the prompt shows already, are left out: of the
    `session_id` or `thread_id` in ``config["configurable"]``."""

    k: int = 5
    token_budget: int | None = None
    min_score: float | str | None = None
    kinds: Collection[Kind | str] | None = None
    speakers: Collection[str] | None = None
    as_character: str | None = None
    as_of: int | datetime | None = None
    include_superseded: bool = False
    neighbours: int = 0
    order: str = "score"
    diversity: int | None = None
    dim: int | None = None
    where: Callable[[Memory], bool] | None = None
    without_sources: Collection[str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _known_by_other_names(cls, given: Any) -> Any:
        check_keywords(cls, given, _REMEDIES)
        return given

    @field_validator("memory", mode="before")
    @classmethod
    def _opened(cls, value: object) -> object:
        return check_memory(value)

    @field_validator(*_OPTIONS, mode="before")
    @classmethod
    def _checked_by_romaine(cls, value: object, info: ValidationInfo) -> object:
        name = str(info.field_name)
        return getattr(RecallOptions(**{name: value}), name)  # type: ignore[arg-type]  # that is the check

    @model_validator(mode="after")
    def _bound(self) -> Self:
        _ = self._binding
        return self

    @property
    def _binding(self) -> ScopeBinding:
        """Made of the fields at each use: those of a `model_copy(update=...)` are not validated."""
        return ScopeBinding.of(
            self.scope,
            user=self.user,
            character=self.character,
            chat=self.chat,
            from_config=self.scope_from_config,
        )

    @property
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        """What an invocation's config may hold."""
        return [*super().config_specs, *(SCOPE_FIELDS if self.scope_from_config else ())]

    # --- retrieving ----------------------------------------------------------------------------------------

    def invoke(self, input: str, config: RunnableConfig | None = None, **kwargs: Any) -> list[Document]:  # noqa: A002 - LangChain's name
        """Recalls for one query.

        Args:
            input: The query.
            config: LangChain's config; see `scope_from_config`.
            **kwargs: `k`, to have another number of documents for this call; nothing else.

        Returns:
            The best first, unless `order` says otherwise.

        Raises:
            romaine.errors.OptionError: If nobody names a user, or the config names another; or, with
                `without_session`, no conversation.
            romaine.errors.RomaineError: As `RoleplayMemory.recall`.
        """
        check_keywords(_per_call, kwargs)
        with current_config(config):
            return super().invoke(input, config, **kwargs)

    async def ainvoke(
        self,
        input: str,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """`invoke`, with the work in a worker thread; the event loop stays free."""
        check_keywords(_per_call, kwargs)
        with current_config(config):
            return await super().ainvoke(input, config, **kwargs)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - nothing here calls back
        k: int | None = None,
    ) -> list[Document]:
        return self._found(query, ensure_config(), k)

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002
        k: int | None = None,
    ) -> list[Document]:
        return await asyncio.to_thread(self._found, query, ensure_config(), k)

    def _found(self, query: str, config: RunnableConfig, k: int | None) -> list[Document]:
        scope = self._binding.resolve(config)
        options = {name: getattr(self, name) for name in _OPTIONS}
        if k is not None:
            options["k"] = k
        if self.without_session:
            running = self.memory.list(scope, source_prefix=session_prefix(_session(config)))
            shown = [turn.source_id for turn in running]
            options["without_sources"] = [*(self.without_sources or ()), *shown]
        return [hit_document(hit) for hit in self.memory.recall(query, scope, **options)]


def _session(config: RunnableConfig) -> str:
    session = session_of(config)
    if session is None:
        raise OptionError(
            "without_session=True, and nothing says which conversation is running; give"
            ' config={"configurable": {"session_id": ...}}, or "thread_id" in its place'
        )
    return session


for _name in _OPTIONS:
    RomaineMemoryRetriever.model_fields[_name].description = meanings(RoleplayMemory.recall).get(_name)
RomaineMemoryRetriever.model_rebuild(force=True)
