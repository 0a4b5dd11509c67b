"""Whose memory is meant: told once, or by the config of each invocation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from langchain_core.runnables import ConfigurableFieldSpec, RunnableConfig, ensure_config
from langchain_core.runnables.config import var_child_runnable_config

from romaine import Scope
from romaine.errors import OptionError
from romaine.memory.records import scope_names

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


@dataclass(frozen=True, kw_only=True)
class ScopeBinding:
    """What is known of a scope before an invocation.

    Attributes:
        user: Whose memory, or None if the config says.
        character: Which character, or None for none, or if the config says.
        chat: Which chat, or None for none, or if the config says.
        from_config: Whether what is None here may come from the config.
    """

    user: str | None
    character: str | None
    chat: str | None
    from_config: bool

    def __post_init__(self) -> None:
        if self.user is None and not self.from_config:
            raise OptionError(
                "user=None: a memory is always somebody's; give user=... or scope=Scope(user=...), or"
                " scope_from_config=True and name"
                ' the user in each call: config={"configurable": {"user": ...}}'
            )
        scope_names(None, user=self.user, character=self.character, chat=self.chat)  # which checks names

    def resolve(self, config: RunnableConfig) -> Scope:
        """Returns the scope of one invocation.

        Args:
            config: The invocation's config.

        Raises:
            OptionError: If nobody names a user, or the config contradicts what is bound.
        """
        told = config.get("configurable") or {}
        values = {name: self._value(name, told.get(name)) for name in ("user", "character", "chat")}
        user = values["user"]
        if user is None:
            raise OptionError(
                'no user: this retriever takes it from the config; give {"configurable": {"user": ...}}'
            )
        return Scope(user=user, character=values["character"], chat=values["chat"])

    def _value(self, name: str, told: str | None) -> str | None:
        bound: str | None = getattr(self, name)
        if bound is None:
            return told if self.from_config else None
        if told is not None and told != bound:
            # without the names: one user's may be none of the other's business
            raise OptionError(
                f'config["configurable"][{name!r}] is not the {name} that this retriever is bound to; leave'
                f" it out, or use a retriever with scope_from_config=True and without {name}=..."
            )
        return bound


@contextmanager
def current_config(config: RunnableConfig | None) -> Iterator[None]:
    """Makes a config the current one, as chains do for their steps, for this task or thread alone."""
    token = var_child_runnable_config.set(ensure_config(config))
    try:
        yield
    finally:
        var_child_runnable_config.reset(token)
