"""Tools by which a model recalls and remembers. It sees what to search and what to keep, never whose."""

from __future__ import annotations

from langchain_core.documents import Document
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, ConfigDict, Field

from langchain_romaine.checks import check_memory
from langchain_romaine.documents import hit_document
from langchain_romaine.messages import as_lines
from langchain_romaine.scopes import ScopeBinding, ScopeFunction
from romaine import Hit, RoleplayMemory, Scope
from romaine.memory import NoteAdded
from romaine.options import explains

NOTHING = "Nothing is remembered about this."


class RecallInput(BaseModel):
    """What a model may say when it recalls."""

    model_config = ConfigDict(extra="forbid")

    query: str = Field(description="What to look for, as a question or in a few words.")
    top_k: int = Field(default=5, ge=1, le=20, description="How many memories to return at most.")


class RememberInput(BaseModel):
    """What a model may say when it remembers."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, description="One fact, in a sentence that can be understood by itself.")


@explains
def create_recall_tool(
    memory: RoleplayMemory,
    *,
    scope: Scope | ScopeFunction | None = None,
    user: str | None = None,
    character: str | None = None,
    chat: str | None = None,
    name: str = "recall",
    description: str = "Searches the memory of earlier conversations and known facts.",
) -> BaseTool:
    """Makes a tool that recalls. The model gives `query` and `top_k` and nothing else.

    Whose memory it is, the application says: here, or in each run's ``context`` or
    ``config["configurable"]``, as `user`, `character` and `chat`.

    Args:
        memory: Share one among tools, middleware and retrievers, and close it when all are done.
        scope: Whose memory, in place of `user`, `character` and `chat`; or a function that makes it of the
            run's `langgraph.runtime.Runtime`.
        user: Who the memory belongs to; None if each run says.
        character: The character whose memory it is; None if each run says, or for what all share.
        chat: The chat whose own memories are seen as well; None if each run says, or for none.
        name: What the model calls it by.
        description: What the model is told of it.

    Returns:
        A tool that answers with one memory a line; its artifact is the documents.

    Raises:
        romaine.errors.OptionError: If a value is not allowed; from the tool, if nobody names a user.
    """
    held, binding = check_memory(memory), ScopeBinding.of(scope, user=user, character=character, chat=chat)

    def recall(query: str, config: RunnableConfig, top_k: int = 5) -> tuple[str, list[Document]]:
        return _answer(held.recall(query, binding.resolve(config), k=top_k))

    async def arecall(query: str, config: RunnableConfig, top_k: int = 5) -> tuple[str, list[Document]]:
        return _answer(await held.arecall(query, binding.resolve(config), k=top_k))

    return StructuredTool(
        name=name,
        description=description,
        func=recall,
        coroutine=arecall,
        args_schema=RecallInput,
        response_format="content_and_artifact",
    )


@explains
def create_remember_tool(
    memory: RoleplayMemory,
    *,
    scope: Scope | ScopeFunction | None = None,
    user: str | None = None,
    character: str | None = None,
    chat: str | None = None,
    name: str = "remember",
    description: str = "Keeps a fact for later conversations.",
) -> BaseTool:
    """Makes a tool that keeps a fact, unless it is known already. The model gives `text` and nothing else.

    Args:
        memory: As `create_recall_tool`.
        scope: Who remembers; as there.
        user: As there.
        character: As there.
        chat: The chat in which alone the fact may be recalled; None if each run says, or for all of them.
        name: What the model calls it by.
        description: What the model is told of it.

    Returns:
        A tool that answers whether the fact is new.

    Raises:
        romaine.errors.OptionError: As `create_recall_tool`.
    """
    held, binding = check_memory(memory), ScopeBinding.of(scope, user=user, character=character, chat=chat)

    def remember(text: str, config: RunnableConfig) -> str:
        return _kept(held.add_fact(binding.resolve(config), text))

    async def aremember(text: str, config: RunnableConfig) -> str:
        return _kept(await held.aadd_fact(binding.resolve(config), text))

    return StructuredTool(
        name=name, description=description, func=remember, coroutine=aremember, args_schema=RememberInput
    )


def _answer(hits: list[Hit]) -> tuple[str, list[Document]]:
    return as_lines(hits) or NOTHING, [hit_document(hit) for hit in hits]


def _kept(added: NoteAdded) -> str:
    return "Remembered." if added.stored else "That is known already."
