"""What forks see of the chats they were made from.

A fork shares its parent's past as it stood when the fork was made: what the parent's scope saw in that chat,
up to the position where they part. From then on neither sees a change of the other, whatever it is: a turn,
an edit, a pin, who knows of it, what supersedes it, a retraction. What stands outside any chat is not forked.

- When a chat changes a memory that a fork sees, the version that held until then is kept for the fork.
- When a fork changes a memory that it inherited, or another turn stands before it there, it gets a copy of
  its own and hides the one it inherited; when it retracts or forgets it, it hides it.
- `forget` in the chat where a memory was first stored erases it everywhere, with every version and copy;
  `forget` in a fork erases the fork's copy, for forks that share it, too; the parent's stays, and so do
  copies that forks of the fork have made of their own.
- Versions and copies that no chat sees any more are deleted.
"""

from __future__ import annotations

from collections.abc import Iterator

from romaine.memory.storage import Snapshot
from romaine.memory.stored import Fork, StoredMemory


def forks_that_see(snapshot: Snapshot, row: StoredMemory) -> Iterator[Fork]:
    """Yields the forks, and forks of forks, that see a row of their parent."""
    for fork in snapshot.forks_of(row.space):
        if row.born <= fork.version and (row.retired is None or fork.version < row.retired):
            yield from _seeing(snapshot, row, fork)


def seen_by_forks(snapshot: Snapshot, row: StoredMemory) -> bool:
    """Tells whether any fork sees a row."""
    return next(forks_that_see(snapshot, row), None) is not None


def descendants(snapshot: Snapshot, space: int) -> frozenset[int]:
    """Returns the spaces of a chat and all forks made of it and of those."""
    found = {space}
    waiting = [space]
    while waiting:
        for fork in snapshot.forks_of(waiting.pop()):
            if fork.space not in found:
                found.add(fork.space)
                waiting.append(fork.space)
    return frozenset(found)


def _seeing(snapshot: Snapshot, row: StoredMemory, fork: Fork) -> Iterator[Fork]:
    """The fork, unless it parts before the row or hides it, and its own forks that do not."""
    if row.position is not None and row.position > fork.at:
        return
    if fork.character is not None:
        known_by = row.memory.known_by
        if row.scope.character not in (None, fork.character) or (known_by and fork.character not in known_by):
            return
    hidden = snapshot.hidden(fork.row_id, row.root).get(row.root)
    if hidden is None:
        yield fork
    for child in snapshot.forks_of(fork.space):
        if hidden is None or child.version < hidden:
            yield from _seeing(snapshot, row, child)
