"""`RomaineMemoryMiddleware`: agents that remember. Needs `langchain-romaine[agents]`."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_config
from langgraph.runtime import Runtime

from langchain_romaine.checks import check_memory
from langchain_romaine.messages import Speakers, as_lines, is_said, source_id, to_turn
from langchain_romaine.scopes import ScopeBinding, ScopeFunction
from romaine import Hit, RoleplayMemory, Scope, Turn
from romaine.errors import OptionError
from romaine.memory.checks import check_names
from romaine.memory.options import RecallOptions
from romaine.options import explains, keywords

PROMPT = "You remember from earlier:\n{memories}"
"""What the model reads after its system prompt, where anything is remembered."""


class RomaineMemoryMiddleware(AgentMiddleware[AgentState[Any], Any]):
    """Gives an agent of `langchain.agents.create_agent` a memory across conversations.

    Before each call of the model it recalls what fits the latest messages and shows it after the system
    prompt, for this call only: nothing recalled stays in the agent's state, and what the model is shown as
    messages is not recalled. After a run it writes what was said, by the user and to the user; messages of
    tools and of the system, and summaries, are left out.

    Whose memory it is, the application says: here, or in each run's ``context`` or
    ``config["configurable"]``, as `user`, `character` and `chat`. A run without a user, or naming another one
    than is bound here, is an error. With a checkpointer, a message is kept once per thread and id; without
    one, once per all that was said before it, so that a run may be repeated, or be given its whole history.

    Args:
        memory: Share one among middleware, tools and retrievers, and close it when all are done.
        scope: Whose memory, in place of `user`, `character` and `chat`; or a function that makes it of the
            run's `langgraph.runtime.Runtime`.
        user: Who the memory belongs to; None if each run says.
        character: The character the agent plays; None if each run says, or for what all characters share.
        chat: The chat in which alone what is said may be recalled; None if each run says, or for all of them.
        k: How many memories the model is shown at most.
        token_budget: How many tokens they may have together, as the memory's model counts; None for any.
        min_score: As in `RoleplayMemory.recall`; "auto" shows nothing where the answer seems not to be there.
        prompt: What the model reads; "{memories}" stands for them, one a line.
        write: Whether what is said is kept.
        known_by: Characters who witness what is said; empty for all in scope.
        human_name: Speaker of the user's messages without a name; None for the user.
        ai_name: Speaker of the model's messages without a name; None for the character, or else "AI".

    Raises:
        romaine.errors.OptionError: If a value is not allowed.
    """

    @explains
    def __init__(
        self,
        memory: RoleplayMemory,
        *,
        scope: Scope | ScopeFunction | None = None,
        user: str | None = None,
        character: str | None = None,
        chat: str | None = None,
        k: int = 5,
        token_budget: int | None = 1000,
        min_score: float | str | None = None,
        prompt: str = PROMPT,
        write: bool = True,
        known_by: Collection[str] = (),
        human_name: str | None = None,
        ai_name: str | None = None,
    ) -> None:
        super().__init__()
        if "{memories}" not in prompt:
            raise OptionError(
                f'prompt={prompt!r} must hold "{{memories}}", which stands for what is recalled'
            )
        self.memory = check_memory(memory)
        self.prompt = prompt
        self.write = write
        self.known_by = check_names("known_by", known_by)
        self._names = human_name, ai_name
        self._binding = ScopeBinding.of(scope, user=user, character=character, chat=chat)
        self._options = keywords(RecallOptions(k=k, token_budget=token_budget, min_score=min_score))

    # --- before the model ----------------------------------------------------------------------------------

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Calls the model with what is remembered.

        Raises:
            romaine.errors.OptionError: If nobody names a user, or the run names another than is bound.
            romaine.errors.RomaineError: As `RoleplayMemory.recall`.
        """
        query, scope, options = self._asked(request)
        return handler(self._with(request, self.memory.recall(query, scope, **options) if query else []))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """`wrap_model_call`, with the search in a worker thread; the event loop stays free."""
        query, scope, options = self._asked(request)
        hits = await self.memory.arecall(query, scope, **options) if query else []
        return await handler(self._with(request, hits))

    def _asked(self, request: ModelRequest[Any]) -> tuple[list[str], Scope, dict[str, Any]]:
        """What to recall, for whom and how: the messages up to the user's latest are the question."""
        config = _config()
        sources = _sources(request.state["messages"], config, request.runtime)
        shown = {sources[message.id] for message in request.messages if message.id in sources}
        said = [message for message in request.messages if is_said(message)]
        while said and not isinstance(said[-1], HumanMessage):
            said.pop()
        scope = self._binding.resolve(config, runtime=request.runtime)
        return [str(m.text) for m in said], scope, self._options | {"without_sources": sorted(shown)}

    def _with(self, request: ModelRequest[Any], hits: Sequence[Hit]) -> ModelRequest[Any]:
        if not hits:
            return request
        block = self.prompt.replace("{memories}", as_lines(hits))
        system = request.system_message
        if system is None:
            return request.override(system_message=SystemMessage(block))
        content: str | list[Any] = (
            f"{system.content}\n\n{block}"
            if isinstance(system.content, str)
            else [*system.content, {"type": "text", "text": f"\n\n{block}"}]
        )
        return request.override(system_message=system.model_copy(update={"content": content}))

    # --- after the run -------------------------------------------------------------------------------------

    def after_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> None:
        """Writes what was said, as one durable write; what is there already is not written again.

        Raises:
            romaine.errors.OptionError: As `wrap_model_call`.
            romaine.errors.StorageError: If it cannot be written; nothing is, then.
        """
        if self.write:
            scope, turns = self._said(state, runtime)
            self.memory.add_turns(scope, turns, known_by=self.known_by)

    async def aafter_agent(self, state: AgentState[Any], runtime: Runtime[Any]) -> None:
        """`after_agent` in a worker thread; the event loop stays free."""
        if self.write:
            scope, turns = self._said(state, runtime)
            await self.memory.aadd_turns(scope, turns, known_by=self.known_by)

    def _said(self, state: AgentState[Any], runtime: Runtime[Any]) -> tuple[Scope, list[Turn]]:
        config = _config()
        scope = self._binding.resolve(config, runtime=runtime)
        human_name, ai_name = self._names
        speakers = Speakers(human=human_name or scope.user, ai=ai_name or scope.character or "AI")
        sources = _sources(state["messages"], config, runtime)
        return scope, [
            to_turn(_words_of(message), speakers, source_id=sources[message.id])
            for message in state["messages"]
            if message.id in sources
        ]


def _config() -> RunnableConfig:
    """The run's config. Before Python 3.11, LangGraph cannot tell it on an event loop."""
    try:
        return get_config()
    except RuntimeError:
        return {}


def _sources(
    messages: Sequence[BaseMessage], config: RunnableConfig, runtime: Runtime[Any]
) -> Mapping[str | None, str]:
    """Source ids of what was said, by the messages' ids.

    A checkpointer keeps the ids of messages. Without one, LangGraph gives each run's messages new ids, and
    what was said before a message, with itself, is the same whenever it is given again.
    """
    configurable = config.get("configurable", {})
    running = getattr(runtime, "execution_info", None)  # which LangGraph 1.0 has not
    thread = configurable.get("thread_id") or (running.thread_id if running is not None else None)
    kept = thread is not None and (
        not config or any(isinstance(value, BaseCheckpointSaver) for value in configurable.values())
    )
    session, before = str(thread or ""), ""
    sources: dict[str | None, str] = {}
    for message in messages:
        if is_said(message):
            said = "\0".join((before, message.type, str(message.text)))
            before = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
            sources[message.id] = source_id(session, str(message.id) if kept else before[:32])
    return sources


def _words_of(message: BaseMessage) -> BaseMessage:
    """The message without what concerns the model alone: calls of tools, reasoning, usage."""
    kind = HumanMessage if isinstance(message, HumanMessage) else AIMessage
    return kind(str(message.text), id=message.id, name=message.name)
