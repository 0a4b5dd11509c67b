"""What forks see of the chats they were made from.

A fork shares its parent's past as it stood when the fork was made: what the parent's scope saw in that chat,
up to the position where they part. From then on neither sees a change of the other, whatever it is: a turn,
an edit, a pin, who knows of it, what supersedes it, a retraction. What stands outside any chat is not forked.

- When a chat changes a memory that a fork sees, the version that held until then is kept for the fork.
- When a fork changes a memory that it inherited, or another turn stands before it there, it gets a copy of
  its own and hides the one it inherited; when it retracts or forgets it, it hides it.
- `forget` in the chat where a memory was first stored erases it everywhere, with every version and copy;
  `forget` in a fork erases the fork's copy, from forks of that fork, too, and leaves the parent alone.
- Versions and copies that no chat sees any more are deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from romaine.memory.codec import SqlText, decode_names, decode_optional, decode_text
from romaine.memory.records import Scope
from romaine.memory.rows import StoredMemory


@dataclass(frozen=True)
class Fork:
    """A chat that was made from another.

    Attributes:
        no: Number of the branch.
        space: Number of the fork's space.
        chat: The fork's name, as it stands in the file.
        character: Whose fork it is, as it stands in the file; None for all characters of the chat.
        at: Last position it shares.
        change: Change at which it was made.
    """

    no: int
    space: int
    chat: SqlText
    character: SqlText | None
    at: int
    change: int

    def scope(self, row: StoredMemory) -> Scope:
        """The scope in which the fork sees what it inherited."""
        return Scope(
            user=decode_text(row.user),
            character=decode_optional(row.character or self.character),
            chat=decode_text(self.chat),
        )


_FORK = """SELECT b.no, b.space, s.chat, b.character, b.at, b.change, b.parent
    FROM branch b JOIN space s ON s.no = b.space"""


def fork_at(connection: sqlite3.Connection, space: int, character: SqlText | None) -> tuple[Fork, int] | None:
    """Returns what makes a chat a fork for a character, with the parent's space, or None if it is none."""
    row = connection.execute(
        f"{_FORK} WHERE b.space = ? AND (b.character IS NULL OR b.character = ?)", (space, character)
    ).fetchone()
    return None if row is None else (Fork(*row[:-1]), row[-1])


def forks_of(connection: sqlite3.Connection, space: int) -> list[Fork]:
    """Returns the forks that were made of a chat."""
    rows = connection.execute(f"{_FORK} WHERE b.parent = ? ORDER BY b.no", (space,))
    return [Fork(*row[:-1]) for row in rows]


def forks_that_see(connection: sqlite3.Connection, row: StoredMemory) -> Iterator[Fork]:
    """Yields the forks, and forks of forks, that see a row of their parent."""
    for fork in forks_of(connection, row.space):
        if row.born <= fork.change and (row.retired is None or fork.change < row.retired):
            yield from _seeing(connection, row, fork)


def seen_by_forks(connection: sqlite3.Connection, row: StoredMemory) -> bool:
    """Tells whether any fork sees a row."""
    return next(forks_that_see(connection, row), None) is not None


def descendants(connection: sqlite3.Connection, space: int) -> frozenset[int]:
    """Returns the spaces of a chat and all forks made of it and of those."""
    found = {space}
    waiting = [space]
    while waiting:
        for fork in forks_of(connection, waiting.pop()):
            if fork.space not in found:
                found.add(fork.space)
                waiting.append(fork.space)
    return frozenset(found)


def _seeing(connection: sqlite3.Connection, row: StoredMemory, fork: Fork) -> Iterator[Fork]:
    """The fork, unless it parts before the row or hides it, and its own forks that do not."""
    if row.position is not None and row.position > fork.at:
        return
    if fork.character is not None and (
        row.character not in (None, fork.character)
        or (row.known_by is not None and decode_text(fork.character) not in decode_names(row.known_by))
    ):
        return
    hidden = connection.execute(
        "SELECT change FROM hidden WHERE branch = ? AND root = ?", (fork.no, row.root)
    ).fetchone()
    if hidden is None:
        yield fork
    for child in forks_of(connection, fork.space):
        if hidden is None or child.change < hidden[0]:
            yield from _seeing(connection, row, child)
