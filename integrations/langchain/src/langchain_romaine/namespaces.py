"""Namespaces of a LangGraph store, and the scopes of a memory that they stand for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from langgraph.store.base import InvalidNamespaceError, MatchCondition

from romaine import Scope
from romaine.errors import OptionError

_PLACES = {"{user}": "user", "{character}": "character", "{chat}": "chat"}

SOURCE = "langgraph:"
"""Begins the `source_id` of what a store keeps, so that no other entry is taken for an item."""


@dataclass(frozen=True, kw_only=True)
class NamespacePattern:
    """Which labels of a namespace name the user, the character and the chat.

    Attributes:
        labels: What namespaces begin with, e.g. ("memories", "{user}"): words as they are, and "{user}",
            "{character}" and "{chat}" for names. Any labels may follow.
        user: The user of all namespaces, in place of "{user}".
        character: The character of all namespaces, in place of "{character}".
        chat: The chat of all namespaces, in place of "{chat}".
    """

    labels: tuple[str, ...]
    user: str | None = None
    character: str | None = None
    chat: str | None = None

    def __post_init__(self) -> None:
        names = [_PLACES[label] for label in self.labels if label in _PLACES]
        wrong = [label for label in self.labels if "{" in label and label not in _PLACES]
        if wrong or len(set(names)) < len(names):
            raise OptionError(
                f"namespace={self.labels!r} may hold words and, once each, '{{user}}', '{{character}}' and"
                " '{chat}'"
            )
        for name in ("user", "character", "chat"):
            if name in names and getattr(self, name) is not None:
                raise OptionError(
                    f"namespace={self.labels!r} and {name}=... both say who the {name} is; drop one"
                )
        if self.user is None and "user" not in names:
            raise OptionError(
                f"namespace={self.labels!r} has no '{{user}}': a memory is always somebody's; add it, or give"
                " user=..."
            )

    def scope(self, namespace: Sequence[str]) -> Scope:
        """The scope of a namespace, or of all that begin with it.

        Raises:
            InvalidNamespaceError: If it does not begin as the pattern does, or too short to name the user.
        """
        names = {"user": self.user, "character": self.character, "chat": self.chat}
        for label, wanted in zip(namespace, self.labels, strict=False):
            if wanted in _PLACES:
                names[_PLACES[wanted]] = label
            elif label != wanted:
                raise InvalidNamespaceError(
                    f"namespace {tuple(namespace)} does not begin as this store's namespace={self.labels!r}"
                )
        user = names["user"]
        if user is None or "*" in names.values():
            raise InvalidNamespaceError(
                f"namespace {tuple(namespace)} does not say whose memory is meant, and nothing is read across"
                f" users; namespaces of this store begin with {self.labels!r}, and none of these may be '*'"
            )
        return Scope(user=user, character=names["character"], chat=names["chat"])


def source_of(namespace: Sequence[str], key: str) -> str:
    """The `source_id` of an item."""
    return SOURCE + json.dumps([list(namespace), key])


def source_prefix(namespace: Sequence[str]) -> str:
    """What the source ids of all items in a namespace and those below it begin with."""
    return f"{SOURCE}[{json.dumps(list(namespace))[:-1]}"


def fits(namespace: Sequence[str], condition: MatchCondition) -> bool:
    """Tells whether a namespace begins or ends as a condition says; "*" stands for any label."""
    path = list(condition.path)
    if condition.match_type not in ("prefix", "suffix"):
        raise OptionError(f"match_type={condition.match_type!r} must be 'prefix' or 'suffix'")
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[-len(path) :]
    return not path or (
        len(part) == len(path)
        and all(wanted in ("*", label) for label, wanted in zip(part, path, strict=True))
    )
