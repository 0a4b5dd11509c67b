"""`RomaineMemoryRetriever`: what a character remembers, as LangChain documents."""

from __future__ import annotations

from collections.abc import Callable, Collection
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
from romaine import Hit, Memory, RoleplayMemory
from romaine.memory.options import RecallOptions
from romaine.memory.plain import hit_metadata
from romaine.memory.records import Kind

_OPTIONS = (
    "k",
    "token_budget",
    "min_score",
    "kinds",
    "speakers",
    "as_character",
    "as_of",
    "include_superseded",
    "neighbours",
    "order",
    "diversity",
    "dim",
    "where",
)


class RomaineMemoryRetriever(BaseRetriever):
    """Recalls from a `romaine.RoleplayMemory`, which stays the caller's to close.

    A retriever always speaks for one user: one it is bound to, or, with `scope_from_config`, the one each
    invocation names in ``config["configurable"]``. Invocations without a user, or naming another than the
    bound one, are errors.

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

    user: str | None = None
    """Whose memory. None only with `scope_from_config`."""

    character: str | None = None
    """The character whose memory it is; None for what all characters of the user share."""

    chat: str | None = None
    """The chat whose own memories are seen as well; None for what holds in every chat."""

    scope_from_config: bool = False
    """Whether `user`, `character` and `chat`, where not given here, come from ``config["configurable"]``."""

    k: int = 5
    """How many documents at most; ``invoke(query, k=...)`` wins."""

    token_budget: int | None = None
    """How many tokens documents and their neighbours may have together."""

    min_score: float | str | None = None
    """Score to reach; "auto" returns nothing where the answer is likely not there; None for the k best."""

    kinds: Collection[Kind | str] | None = None
    """Which kinds may be found: "turn", "fact", "lore", "summary"; None for all."""

    speakers: Collection[str] | None = None
    """Whose words may be found; None for all."""

    as_character: str | None = None
    """Leaves out what this character did not witness; that of the scope always applies."""

    as_of: int | datetime | None = None
    """Story position or time; only what was there and held then is found."""

    include_superseded: bool = False
    """Whether what was corrected may be found, too."""

    neighbours: int = 0
    """How many turns before and after each hit to show, in metadata["neighbours"]."""

    order: str = "score"
    """"score", or "chronological" for the order of the story."""

    diversity: int | None = None
    """How many of one category come before the others have their turn."""

    dim: int | None = None
    """Components of the first stage of search, up to the embedder's own."""

    where: Callable[[Memory], bool] | None = None
    """Says which of the memories that all else allows may be found."""

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
        return ScopeBinding(
            user=self.user, character=self.character, chat=self.chat, from_config=self.scope_from_config
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


def _documents(hits: list[Hit]) -> list[Document]:
    return [
        Document(id=hit.memory.id, page_content=hit.memory.text, metadata=hit_metadata(hit)) for hit in hits
    ]
