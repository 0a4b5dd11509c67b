"""Whose memory is meant: told once, or by each invocation, its config or its LangGraph runtime context."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import ConfigurableFieldSpec, RunnableConfig, ensure_config
from langchain_core.runnables.config import var_child_runnable_config

from romaine import Memory, Scope
from romaine.errors import OptionError
from romaine.memory.records import check_scope, scope_names

SCOPE_FIELDS = (
    ConfigurableFieldSpec(
        id="user",
        annotation=str,
        name="User",
        description="Whose memory it is. Mandatory.",
        is_shared=True,
    ),
    ConfigurableFieldSpec(
        id="character",
        annotation=str | None,
        name="Character",
        description="The character whose memory it is; None for what all characters of the user share.",
        is_shared=True,
    ),
    ConfigurableFieldSpec(
        id="chat",
        annotation=str | None,
        name="Chat",
        description="A chat whose own memories are seen as well; None for what holds in every chat.",
        is_shared=True,
    ),
)
"""What ``config["configurable"]`` may hold: ``user``, ``character`` and ``chat``, as in `romaine.Scope`."""

_NAMES = tuple(field.id for field in SCOPE_FIELDS)

ScopeFunction = Callable[[Any], Scope]
"""Makes the scope of one invocation of its `langgraph.runtime.Runtime`."""


@dataclass(frozen=True, kw_only=True)
class ScopeBinding:
    """What is known of a scope before an invocation.

    Attributes:
        user: Whose memory, or None if each invocation says.
        character: Which character, or None for none, or if each invocation says.
        chat: Which chat, or None for none, or if each invocation says.
        from_config: Whether what is None here may come from an invocation's config or context.
        function: Says all of it, in place of the names.
    """

    user: str | None = None
    character: str | None = None
    chat: str | None = None
    from_config: bool
    function: ScopeFunction | None = None

    @classmethod
    def of(
        cls,
        scope: Scope | ScopeFunction | None,
        *,
        user: str | None,
        character: str | None,
        chat: str | None,
        from_config: bool = True,
    ) -> ScopeBinding:
        """Binds what is given: a scope whole or by its names, or a function that makes it.

        Raises:
            OptionError: If it is given in two ways, a value is not allowed, or nothing says who the user is.
        """
        if scope is None or isinstance(scope, Scope) or not callable(scope):
            names = scope_names(scope, user=user, character=character, chat=chat)
            return cls(
                user=names["user"], character=names["character"], chat=names["chat"], from_config=from_config
            )
        if (user, character, chat) != (None, None, None):
            raise OptionError("scope=... already says whose memory it is; leave out user, character and chat")
        return cls(from_config=True, function=scope)

    def __post_init__(self) -> None:
        if self.user is None and not self.from_config:
            raise OptionError(
                "user=None: a memory is always somebody's; give user=... or scope=Scope(user=...), or"
                " scope_from_config=True and name"
                ' the user in each call: config={"configurable": {"user": ...}}'
            )
        scope_names(None, user=self.user, character=self.character, chat=self.chat)  # which checks names

    def resolve(self, config: RunnableConfig, *, runtime: Any = None) -> Scope:
        """Returns the scope of one invocation.

        Args:
            config: The invocation's config.
            runtime: Its LangGraph runtime; None for the one in the config, if there is one.

        Raises:
            OptionError: If nobody names a user, or what the invocation says contradicts what is bound or
                itself.
        """
        configurable = config.get("configurable") or {}
        runtime = _runtime_in(configurable) if runtime is None else runtime
        if self.function is not None:
            return check_scope(self.function(runtime))
        context = getattr(runtime, "context", None)
        user, character, chat = (self._value(name, configurable, context) for name in _NAMES)
        if user is None:
            raise OptionError(
                'no user: nothing says whose memory it is; give context={"user": ...} to a LangGraph run, or'
                f' config={{"configurable": {{"user": ...}}}}{_other_names(context)}'
            )
        return Scope(user=user, character=character, chat=chat)

    def _value(self, name: str, *sources: object) -> str | None:
        bound: str | None = getattr(self, name)
        if bound is None and not self.from_config:
            return None
        told = [value for source in sources if (value := _named(source, name)) is not None]
        known = [bound, *told] if bound is not None else told
        if any(value != known[0] for value in known):
            # without the names: one user's may be none of the other's business
            raise OptionError(
                f"the {name} that this call names is not the {name} that is bound here; leave it out, or bind"
                f" no {name}=... and let each call name it"
                if bound is not None
                else f"the {name} of this call is one in its config and another in its context; name it once"
            )
        return known[0] if known else None


def session_of(config: RunnableConfig) -> str | None:
    """The running conversation: what a config has as `session_id` or, in LangGraph, as `thread_id`."""
    configurable = config.get("configurable") or {}
    session = configurable.get("session_id") or configurable.get("thread_id")
    return None if session is None else str(session)


def is_own(memory: Memory, scope: Scope) -> bool:
    """Whether a memory is of exactly this scope, or what a fork has inherited of it; not of a wider one."""
    in_chat, wanted_in_chat = memory.scope.chat is not None, scope.chat is not None
    return memory.scope.character == scope.character and in_chat == wanted_in_chat


@contextmanager
def current_config(config: RunnableConfig | None) -> Iterator[None]:
    """Makes a config the current one, as chains do for their steps, for this task or thread alone."""
    token = var_child_runnable_config.set(ensure_config(config))
    try:
        yield
    finally:
        var_child_runnable_config.reset(token)


def _runtime_in(configurable: Mapping[str, Any]) -> Any:
    """LangGraph's runtime, told by its class: the key it is under is LangGraph's own affair."""
    langgraph = sys.modules.get("langgraph.runtime")  # where nobody has imported it, there is no graph
    if langgraph is None:
        return None
    return next((value for value in configurable.values() if isinstance(value, langgraph.Runtime)), None)


def _named(source: object, name: str) -> Any:
    """A value of a mapping, a dataclass, a pydantic model or whatever else a context is."""
    return source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)


def _other_names(context: object) -> str:
    """What to do with a context of other names."""
    names = sorted(context if isinstance(context, Mapping) else getattr(context, "__dict__", ()))
    if not names:
        return ""
    return (
        f"; the run's context has only {', '.join(map(str, names))}: name a field of it user, or give"
        " scope=lambda runtime: Scope(user=runtime.context...)"
    )
