"""What the memory means, in plain Python: lists, dictionaries and copies; no SQL, no vectors, no numbering.

A fork is a deep copy of what its parent's scope saw of the chat at that moment. That is the simplest thing
that can be true, and everything cleverer is held to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from romaine.memory import Kind, Lifecycle, Memory, Scope, Turn
from romaine.memory.lifecycle import decayed, demoted, trimmed, used

Room = tuple[str, str | None]
"""A user's chat, or what the user said outside any."""
Fork = tuple[str, str, str | None]
"""User, chat, and the character the fork was made for; None for all."""
Home = Room | Fork
"""Where a version of a memory was written: a chat, or the fork that made its own copy of it."""


@dataclass
class Entry:
    """A memory in one chat, or a fork's copy of it."""

    memory: Memory
    homes: tuple[Home, ...]

    @property
    def home(self) -> Home:
        """Where this version was written; those before it in `homes` are what it was copied from."""
        return self.homes[-1]

    def copy(self) -> Entry:
        """As it stands now; memories themselves never change."""
        return Entry(self.memory, self.homes)


@dataclass
class Model:
    """All that is stored.

    Attributes:
        said: What was stored in each chat, and outside of any.
        shared: What each fork inherited, as it sees it.
        came_from: The chat that each fork was made of.
        left_at: Position up to which a fork shares its parent's past.
        following: The position after the last one a chat ever gave.
        corrections: Per user (old id, new id), in the order they were made.
        rooted: Chat in which a memory was first stored, by user and id.
    """

    said: dict[Room, list[Entry]] = field(default_factory=dict)
    shared: dict[Fork, list[Entry]] = field(default_factory=dict)
    came_from: dict[Fork, str | None] = field(default_factory=dict)
    left_at: dict[Fork, int] = field(default_factory=dict)
    following: dict[Room, int] = field(default_factory=dict)
    corrections: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    rooted: dict[tuple[str, str], str | None] = field(default_factory=dict)

    # --- what is seen --------------------------------------------------------------------------------------

    def lists(self, scope: Scope) -> Iterator[tuple[list[Entry], Fork | None]]:
        """The lists a scope looks into, with the fork each inherited one belongs to."""
        yield self.said.setdefault((scope.user, None), []), None
        if scope.chat is None:
            return
        for character in dict.fromkeys((None, scope.character)):
            fork = (scope.user, scope.chat, character)
            if fork in self.shared:
                yield self.shared[fork], fork
        yield self.said.setdefault((scope.user, scope.chat), []), None

    def entries(self, scope: Scope, *, witnessed: bool = True) -> list[Entry]:
        """What a scope sees; `witnessed=False` adds what its character does not know."""
        return [
            entry
            for entries, fork in self.lists(scope)
            for entry in entries
            if _is_visible(scope, entry, fork) and (not witnessed or knows(scope.character, entry.memory))
        ]

    def seen(self, scope: Scope) -> list[Memory]:
        """What a scope sees, with one of what it sees that supersedes each."""
        superseders = self.superseders(scope)
        return [
            replace(entry.memory, superseded_by=superseders.get(entry.memory.id, [None])[-1])
            for entry in self.entries(scope)
        ]

    def superseders(self, scope: Scope, character: str | None = None) -> dict[str, list[str]]:
        """Ids of what a scope sees and what of it supersedes them, the newest last."""
        ids = {e.memory.id for e in self.entries(scope) if knows(character, e.memory)}
        found: dict[str, list[str]] = {}
        for old, new in self.corrections.get(scope.user, []):
            if new in ids:
                found.setdefault(old, []).append(new)
        return found

    def find(self, scope: Scope, memory_id: str) -> tuple[list[Entry], Fork | None, Entry] | None:
        """Where a scope sees a memory: the list, the fork it is inherited by, and the entry."""
        for entries, fork in self.lists(scope):
            for entry in entries:
                if entry.memory.id == memory_id and _is_visible(scope, entry, fork):
                    return (entries, fork, entry) if knows(scope.character, entry.memory) else None
        return None

    def texts(self) -> set[str]:
        """All texts that some scope may see."""
        lists = (*self.said.values(), *self.shared.values())
        return {entry.memory.text for entries in lists for entry in entries}

    # --- writing -------------------------------------------------------------------------------------------

    def add(self, memory: Memory) -> None:
        """Stores what is new."""
        scope = memory.scope
        room = (scope.user, scope.chat)
        self.said.setdefault(room, []).append(Entry(memory, (room,)))
        self.rooted[scope.user, memory.id] = scope.chat
        if memory.position is not None:
            self.following[room] = max(self.following.get(room, 0), memory.position + 1)

    def next_positions(self, scope: Scope) -> range:
        """Where the next turn may go: after all of its chat, and after what its fork shares.

        A fork of another character into the same chat may count, or what of it was copied since, or not: each
        gives a position once.
        """
        own = self.following.get((scope.user, scope.chat), 0)
        forks = {f: at + 1 for f, at in self.left_at.items() if f[:2] == (scope.user, scope.chat)}
        mine = max([own, *(at for f, at in forks.items() if f[2] in (None, scope.character))])
        return range(mine, max([own, *forks.values()]) + 1)

    def change(self, scope: Scope, memory_id: str, edit: Callable[[Memory], Memory]) -> Memory:
        """Changes a memory as a scope sees it; an inherited one becomes the fork's own copy."""
        found = self.find(scope, memory_id)
        assert found is not None
        _, fork, entry = found
        entry.memory = edit(entry.memory)
        if fork is not None:
            user, chat, character = fork
            entry.memory = replace(entry.memory, scope=Scope(user=user, character=character, chat=chat))
            if entry.home != fork:
                entry.homes += (fork,)
        return entry.memory

    def turn_of_source(self, scope: Scope, source_id: str) -> Memory | None:
        """The turn of a message that a scope has, its own before what it inherits."""
        found = None
        for entry in self.entries(scope):
            memory = entry.memory
            if (
                memory.kind is Kind.TURN
                and memory.source_id == source_id
                and memory.scope.character == scope.character
                and (memory.scope.chat is None) == (scope.chat is None)
            ):
                found = memory
        return found

    def derived(self, scope: Scope, memories: Iterable[Memory]) -> dict[str, Memory]:
        """Memories with what was made from them, and from that, as far as the scope sees it."""
        going = {memory.id: memory for memory in memories}
        seen = [entry.memory for entry in self.entries(scope)]
        while True:
            names = {m.id for m in going.values()} | {m.source_id for m in going.values()} - {None}
            more = {m.id: m for m in seen if m.parent_id in names and m.id not in going}
            if not more:
                return going
            going |= more

    def retract(self, scope: Scope, source_ids: Collection[str]) -> int:
        """Takes messages and what was made from them out of what a scope sees."""
        given = [e.memory for e in self.entries(scope) if e.memory.source_id in source_ids]
        going = self.derived(scope, given)
        for memory_id in going:
            self._drop(scope, memory_id)
        return len(going)

    def forget(self, scope: Scope, ids: Collection[str], *, derived: bool) -> list[str]:
        """Erases memories: everywhere where they were first stored, else from the fork; returns their ids."""
        given = [e.memory for e in self.entries(scope) if e.memory.id in ids]
        going = self.derived(scope, given) if derived else {m.id: m for m in given}
        for memory_id in going:
            found = self.find(scope, memory_id)
            assert found is not None
            _, fork, entry = found
            rooted = self.rooted[scope.user, memory_id]
            if rooted in (None, scope.chat):
                self._erase(scope.user, memory_id, None)
            elif entry.home == fork:  # the fork's own copy goes from the forks that share it, too
                self._erase(scope.user, memory_id, fork)
            else:
                self._drop(scope, memory_id)
        return list(going)

    def _drop(self, scope: Scope, memory_id: str) -> None:
        found = self.find(scope, memory_id)
        assert found is not None
        entries, _, entry = found
        entries[:] = [e for e in entries if e is not entry]

    def _erase(self, user: str, memory_id: str, home: Home | None) -> None:
        for key, entries in (*self.said.items(), *self.shared.items()):
            if key[0] == user:
                entries[:] = [
                    e for e in entries if e.memory.id != memory_id or (home is not None and e.home != home)
                ]

    def branch(self, scope: Scope, at: int, to_chat: str) -> None:
        """Copies what a scope sees of its chat up to a position."""
        fork = (scope.user, to_chat, scope.character)
        self.shared[fork] = [
            entry.copy()
            for entry in self.entries(scope)
            if entry.memory.scope.chat is not None
            and (entry.memory.position is None or entry.memory.position <= at)
        ]
        self.left_at[fork], self.came_from[fork] = at, scope.chat

    def line(self, scope: Scope) -> set[str | None]:
        """A scope's chat, the one it was forked from, and so on."""
        found: set[str | None] = set()
        coming = {scope.chat}
        while coming - found:
            found |= coming
            forks = ((scope.user, chat, who) for chat in found for who in (None, scope.character) if chat)
            coming = {self.came_from[fork] for fork in forks if fork in self.came_from}
        return found

    def is_taken(self, scope: Scope, to_chat: str) -> bool:
        """Whether a fork of that name would meet what is there."""
        characters = [e.memory.scope.character for e in self.said.get((scope.user, to_chat), [])]
        characters += [fork[2] for fork in self.shared if fork[:2] == (scope.user, to_chat)]
        return any(None in (scope.character, other) or other == scope.character for other in characters)

    # --- fading --------------------------------------------------------------------------------------------

    def mark_used(self, scope: Scope, ids: Iterable[str], settings: Lifecycle, at: datetime) -> int:
        """Marks those that the scope sees."""
        known = [memory_id for memory_id in dict.fromkeys(ids) if self.find(scope, memory_id) is not None]
        for memory_id in known:
            self.change(scope, memory_id, lambda memory: used(memory, settings, at))
        return len(known)

    def decay(self, scope: Scope, settings: Lifecycle) -> tuple[int, int, int]:
        """Lets what was stored for exactly this scope fade; how many decayed, cooled and were trimmed."""
        before = [
            e.memory
            for e in self.entries(scope)
            if e.memory.scope == scope and e.memory.kind in settings.kinds
        ]
        after = demoted([decayed(memory, settings) for memory in before], settings)
        going = trimmed(after, settings)
        for memory in after:
            self.change(scope, memory.id, lambda _, new=memory: new)
        for memory in going:
            self._drop(scope, memory.id)
        pairs = list(zip(before, after, strict=True))
        return (
            sum(new.importance < old.importance for old, new in pairs),
            sum(new.cold and not old.cold for old, new in pairs),
            len(going),
        )


def _is_visible(scope: Scope, entry: Entry, fork: Fork | None) -> bool:
    return fork is not None or entry.memory.scope.character in (None, scope.character)


def knows(character: str | None, memory: Memory) -> bool:
    """Whether a character witnessed a memory."""
    return not memory.known_by or character is None or character in memory.known_by


def edited(old: Memory, turn: Turn, tokens: int) -> Memory:
    """A stored turn after its message was edited."""
    return replace(
        old,
        text=turn.text,
        speaker=turn.speaker,
        role=turn.role,
        parent_id=turn.parent_id or old.parent_id,
        created_at=turn.at or old.created_at,
        token_count=tokens,
        metadata=old.metadata if turn.metadata is None else turn.metadata,
    )
