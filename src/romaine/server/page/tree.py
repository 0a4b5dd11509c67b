"""The scopes of a user as a tree: characters, their chats, and the forks of those."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from romaine.memory import HeldScope, Scope


@dataclass
class Branch:
    """A chat, and what was forked off it.

    Attributes:
        held: The chat.
        forks: Its forks, by where they part from it.
    """

    held: HeldScope
    forks: list[Branch] = field(default_factory=list)


@dataclass(frozen=True)
class Cast:
    """A character, or None for what all share, and their chats."""

    character: str | None
    chats: Sequence[Branch]


def casts_of(held: Iterable[HeldScope]) -> list[Cast]:
    """Sorts a user's scopes into a tree.

    Args:
        held: As `RoleplayMemory.scopes` gives them.
    """
    branches = {each.scope: Branch(each) for each in held}
    tops: dict[str | None, list[Branch]] = {}
    for scope, branch in branches.items():
        parent = _parent(branch.held, branches)
        if parent is None:
            tops.setdefault(scope.character, []).append(branch)
        else:
            parent.forks.append(branch)
    for branch in branches.values():
        branch.forks.sort(key=lambda fork: (fork.held.forked_at or 0, fork.held.scope.chat or ""))
    return [Cast(character, tops[character]) for character in sorted(tops, key=lambda name: name or "")]


def _parent(held: HeldScope, branches: dict[Scope, Branch]) -> Branch | None:
    """The chat that one is a fork of: the character's own part of it, or what all share there."""
    if held.forked_from is None:
        return None
    user = held.scope.user
    for character in (held.scope.character, None):
        found = branches.get(Scope(user=user, character=character, chat=held.forked_from))
        if found is not None and found.held is not held:
            return found
    return None


def largest(held: Sequence[HeldScope]) -> Scope | None:
    """The scope that most was stored in, which is what is shown first; None if there is none."""
    return max(held, key=lambda each: each.memories).scope if held else None
