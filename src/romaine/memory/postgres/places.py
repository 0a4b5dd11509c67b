"""The spaces and forks that a transaction has met, asked for once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from romaine.memory.codec import content_checksum, decode_optional, decode_text
from romaine.memory.postgres.rows import optional_bytes, owner_of, to_bytes
from romaine.memory.postgres.session import BoundSession
from romaine.memory.records import Scope
from romaine.memory.stored import Fork, Space

FORK = """SELECT b.no, b.space, s.chat, b.character, b.parent, b.at, b.change
    FROM branch b JOIN space s ON s.no = b.space"""
# what every view begins with: a chat, what makes it a fork, and what stands outside any chat
_PLACES = """SELECT s.no, s.next_position,
        s.changed, EXISTS (SELECT FROM supersession e WHERE e.space = s.no),
        b.no, b.space, s.chat, b.character, b.parent, b.at, b.change
    FROM space s LEFT JOIN branch b ON b.space = s.no
    WHERE s.owner = %s::uuid AND coalesce(s.chat, '') = ANY (%s::bytea[]) ORDER BY b.no"""
_UNMET = Space(-1, -1)
_MAKE = """INSERT INTO space (owner, user_name, chat, checksum) VALUES (%s::uuid, %s, %s, 0) RETURNING no"""


class Places:
    """Spaces and forks of one transaction; what it makes and changes goes through here as well.

    Args:
        session: The transaction.
    """

    def __init__(self, session: BoundSession) -> None:
        self._session = session
        self._spaces: dict[tuple[str, str | None], Space | None] = {}
        self._forks: dict[int, list[Fork]] = {}
        self._names: dict[int, tuple[str, str | None]] = {}

    def space(self, user: str, chat: str | None) -> Space | None:
        """As `Snapshot.space`."""
        if (user, chat) not in self._spaces:
            asked = {to_bytes(name or ""): name for name in (None, chat)}
            self._spaces |= {(user, name): None for name in asked.values()}
            rows = self._session.all(_PLACES, (owner_of(user), list(asked)))
            for no, position, changed, supersedes, *fork in rows:
                self._note(user, asked[fork[2] or b""], Space(no, position))
                self._session.kept["place", no] = changed, supersedes
                forks = self._forks.setdefault(no, [])
                if fork[0] is not None:
                    forks.append(fork_of(fork))
        return self._spaces[user, chat]

    def versions(self, scope: Scope, spaces: Collection[int]) -> frozenset[tuple[int, int]] | None:
        """As `Snapshot.space_versions`, or None if not all of them have been met."""
        own = [self._spaces.get((scope.user, chat), _UNMET) for chat in (None, scope.chat)]
        if _UNMET in own:
            return None
        wanted = {*spaces, *(space.row_id for space in own if space is not None)}
        if not all(("place", no) in self._session.kept for no in wanted):
            return None
        return frozenset((no, self._session.kept["place", no][0]) for no in wanted)

    def supersedes_nothing(self, space: int) -> bool:
        """Whether it is known that no memory of a space supersedes another."""
        known = self._session.kept.get(("place", space))
        return known is not None and not known[1]

    def forks(self, space: int) -> list[Fork]:
        """What makes a space a fork, for all characters or for each."""
        if space not in self._forks:
            rows = self._session.all(f"{FORK} WHERE b.space = %s ORDER BY b.no", (space,))
            self._forks[space] = [fork_of(row) for row in rows]
        return self._forks[space]

    def user_of(self, space: int) -> str | None:
        """Whose a space is; None if it is not there."""
        if space not in self._names:
            row = self._session.one(
                "SELECT next_position, user_name, chat FROM space WHERE no = %s", (space,)
            )
            if row is None:
                return None
            self._note(decode_text(row[1]), decode_optional(row[2]), Space(space, row[0]))
        return self._names[space][0]

    def make(self, user: str, chat: str | None) -> Space:
        """As `Transaction.make_space`."""
        found = self.space(user, chat)
        if found is None:
            owner = owner_of(user)
            if user not in self._session.versions:
                self._session.do(
                    "INSERT INTO account (owner, name) VALUES (%s::uuid, %s) ON CONFLICT DO NOTHING",
                    (owner, to_bytes(user)),
                )
            ((no,),) = self._session.do(_MAKE, (owner, to_bytes(user), optional_bytes(chat)))
            found = Space(no, 0)
            self._forks[no] = []
            self._keep(user, chat, found)
        return found

    def reserve(self, space: int, following: int) -> None:
        """As `Transaction.reserve_positions`."""
        self.user_of(space)
        user, chat = self._names[space]
        before = self._spaces[user, chat]
        if before is not None and following > before.next_position:
            self._keep(user, chat, Space(space, following))

    def forget_forks(self, space: int) -> None:
        """Asks anew what makes a space a fork."""
        self._forks.pop(space, None)

    def _note(self, user: str, chat: str | None, space: Space) -> None:
        self._spaces[user, chat] = space
        self._names[space.row_id] = (user, chat)

    def _keep(self, user: str, chat: str | None, space: Space) -> None:
        self._note(user, chat, space)
        values = (space.row_id, to_bytes(user), optional_bytes(chat), space.next_position)
        self._session.do(
            "UPDATE space SET next_position = %s, checksum = %s WHERE no = %s",
            (space.next_position, content_checksum(values), space.row_id),
        )


def fork_of(values: Sequence[Any]) -> Fork:
    """Returns what a row of `FORK` says."""
    row_id, space, chat, character, parent, at, version = values
    return Fork(row_id, space, decode_text(chat), decode_optional(character), parent, at, version)
