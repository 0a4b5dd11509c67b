"""`RomaineMemoryRetriever`: what a character remembers, as LangChain documents."""

from __future__ import annotations

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

from langchain_romaine.scopes import SCOPE_FIELDS, ScopeBinding, current_config
from romaine import Hit, Memory, RoleplayMemory, Scope
from romaine.memory.options import RecallOptions
from romaine.memory.plain import hit_metadata
from romaine.memory.records import Kind, scope_names
from romaine.options import meanings

_OPTIONS = tuple(field.name for field in fields(RecallOptions) if field.name != "explain")


class RomaineMemoryRetriever(BaseRetriever):
    """Recalls from a `romaine.RoleplayMemory`, which stays the caller's to close.

    A retriever always speaks for one user: one it is bound to, or, with `scope_from_config`, the one each
    invocation names in ``config["configurable"]``. Invocations without a user, or naming another than the
    bound one, are errors.

    Each option of `RoleplayMemory.recall`, which says what it means, is a field of the same name. Neighbours
    are in metadata["neighbours"], and ``invoke(query, k=...)`` has another `k` for one call.

    A document's `id` is the memory's, its `page_content` the text verbatim. Its metadata holds `speaker`,
    `role`, `position`, `created_at`, `score`, `parts` of the score and whatever else is known.

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

    scope: Scope | None = None
    """Whose memory, as a whole, in place of `user`, `character` and `chat`."""

    user: str | None = None
    """Whose memory. None only with `scope_from_config`."""

    character: str | None = None
    """The character whose memory it is; None for what all characters of the user share."""

    chat: str | None = None
    """The chat whose own memories are seen as well; None for what holds in every chat."""

    scope_from_config: bool = False
    """Whether `user`, `character` and `chat`, where not given here, come from ``config["configurable"]``."""

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
        names = scope_names(self.scope, user=self.user, character=self.character, chat=self.chat)
        return ScopeBinding(**names, from_config=self.scope_from_config)

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
            romaine.errors.OptionError: If nobody names a user, or the config names another.
            romaine.errors.RomaineError: As `RoleplayMemory.recall`.
        """
        with current_config(config):
            return super().invoke(input, config, **kwargs)

    async def ainvoke(
        self,
        input: str,  # noqa: A002 - LangChain's name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """`invoke`, with the work in a worker thread; the event loop stays free."""
        with current_config(config):
            return await super().ainvoke(input, config, **kwargs)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - nothing here calls back
        k: int | None = None,
    ) -> list[Document]:
        scope = self._binding.resolve(ensure_config())
        return _documents(self.memory.recall(query, scope, **self._options(k)))

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002
        k: int | None = None,
    ) -> list[Document]:
        scope = self._binding.resolve(ensure_config())
        return _documents(await self.memory.arecall(query, scope, **self._options(k)))

    def _options(self, k: int | None) -> dict[str, Any]:
        options = {name: getattr(self, name) for name in _OPTIONS}
        return options if k is None else options | {"k": k}


for _name in _OPTIONS:
    RomaineMemoryRetriever.model_fields[_name].description = meanings(RoleplayMemory.recall).get(_name)
RomaineMemoryRetriever.model_rebuild(force=True)


def _documents(hits: list[Hit]) -> list[Document]:
    return [
        Document(id=hit.memory.id, page_content=hit.memory.text, metadata=hit_metadata(hit)) for hit in hits
    ]
