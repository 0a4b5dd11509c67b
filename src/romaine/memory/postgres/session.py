"""`BoundSession`: one transaction of a connection, bound to its users, and how statements are asked in it.

What every transaction begins with goes to the server as one message: its kind, what it is bound to, locks,
and what nearly all of them ask anyway, the settings and the users' versions. Nothing is set beyond the end of
a transaction, so that a pooler may give the connection to others after each.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from romaine.memory.codec import decode_text, to_json_text
from romaine.memory.postgres.address import Address
from romaine.memory.postgres.rows import owner_of, to_bytes
from romaine.memory.postgres.schema import Binding, check_version
from romaine.memory.storage import Setting

Row: TypeAlias = "tuple[Any, ...]"
Values: TypeAlias = "Mapping[str, Any] | Sequence[Any]"

SETTINGS = (
    *("embedder", "model", "full_dim", "vector_format", "analyzer", "terms", "next_analyzer"),
    *("next_embedder", "renewed", "reworded", "to_erase", "large", "late_interaction"),
)
"""Those that are read at the beginning of a transaction; others are asked for."""

_AT_ONCE = 1024

_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
_BIND = """SELECT set_config('search_path', {search_path}, true), set_config('role', {role}, true),
    set_config('romaine.owners', {owners}, true), set_config('romaine.everyone', {everyone}, true);"""
# a server may be set to answer before a write is on its disk; ours is kept when we say so
_PATIENCE = """SELECT set_config('lock_timeout', {lock_timeout}, true), set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, true);"""
# Writes of one user take turns; of several, in an order that all keep. One of everybody waits for all and
# holds off all, but no reader.
_LOCK_USERS = """INSERT INTO account (owner, name) SELECT * FROM unnest({keys}::uuid[], {names}::bytea[])
        ON CONFLICT DO NOTHING;
    SELECT FROM account WHERE owner = ANY ({keys}::uuid[]) ORDER BY owner FOR UPDATE;"""
_LOCK_ALL = "LOCK TABLE account IN EXCLUSIVE MODE;"
_STATE = """SELECT number, least, NULL::bytea, NULL::bytea, NULL::bigint FROM schema_version
    UNION ALL SELECT NULL, NULL, key, value, NULL FROM setting WHERE key = ANY ({settings}::bytea[])
    UNION ALL SELECT NULL, NULL, name, NULL, version FROM account WHERE owner = ANY ({keys}::uuid[])"""
_OPENINGS = {
    (False, False): sql.SQL(_READ + _BIND + _STATE),
    (False, True): sql.SQL(_READ + _BIND + _STATE),
    (True, False): sql.SQL(_WRITE + _BIND + _PATIENCE + _LOCK_ALL + _STATE),
    (True, True): sql.SQL(_WRITE + _BIND + _PATIENCE + _LOCK_USERS + _STATE),
}


@lru_cache(maxsize=4096)
def opening(binding: Binding, users: tuple[str, ...], *, writes: bool, lock_timeout: float) -> str:
    """Returns what a transaction begins with.

    Args:
        binding: How transactions bind themselves.
        users: Whose rows; none for everybody's.
        writes: Whether it changes anything.
        lock_timeout: Seconds to wait for a lock.
    """
    named = sorted({(owner_of(user), to_bytes(user)) for user in users})
    values: dict[str, Any] = {
        "search_path": binding.search_path,
        "role": binding.role,
        "lock_timeout": f"{max(1, int(lock_timeout * 1000))}ms",
        "owners": _array(users),
        "everyone": "off" if users else "on",
        "keys": [owner for owner, _ in named],
        "names": [name for _, name in named],
        "settings": [key.encode() for key in SETTINGS],
    }
    literals = {name: sql.Literal(value) for name, value in values.items()}
    return _OPENINGS[writes, bool(users)].format(**literals).as_string(None)


class BoundSession:
    """One transaction, bound to users.

    Args:
        connection: In autocommit, outside a transaction.
        address: Where.
        users: Whose rows; none for everybody's.
        begin: What `opening` gave for them.

    Attributes:
        users: As given.
        settings: Of `SETTINGS`, those that are there.
        versions: Of `users`; those without any write are not there.
        kept: Rows that were read and have not been changed since, by what they are.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], address: Address, users: Collection[str], begin: str
    ) -> None:
        self.connection = connection
        self.users = frozenset(users)
        self.settings: dict[str, Setting] = {}
        self.versions: dict[str, int] = {}
        self.kept: dict[Any, Any] = {}
        self._cursor = connection.cursor(binary=True)
        self._named = 0
        with connection.cursor() as cursor:
            cursor.execute(begin)
            while cursor.nextset():
                pass
            for number, least, key, value, version in cursor.fetchall():
                if number is not None:
                    check_version(number, least, address)
                elif version is None:
                    self.settings[decode_text(key)] = decoded_setting(value)
                else:
                    self.versions[decode_text(key)] = version

    def all(self, query: str, values: Values = ()) -> list[Row]:
        """The rows of a query."""
        return self._cursor.execute(query, values).fetchall()

    def one(self, query: str, values: Values = ()) -> Row | None:
        """The first row of a query, or None."""
        return self._cursor.execute(query, values).fetchone()

    def do(self, statement: str, values: Values = ()) -> list[Row]:
        """Changes something; what was kept of rows no longer holds. Returns what it gives back."""
        self.kept.clear()
        cursor = self._cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []

    def stream(self, query: str, values: Values = ()) -> Iterator[Row]:
        """The rows of a query that may be too much to be had at once; others may be asked meanwhile."""
        self._named += 1
        name = f"rows_{self._named}"  # closed by the end of the transaction
        self.do(f"DECLARE {name} NO SCROLL CURSOR FOR {query}", values)
        while rows := self.all(f"FETCH {_AT_ONCE} FROM {name}"):
            yield from rows
            if len(rows) < _AT_ONCE:
                return

    def bind(self, users: Collection[str]) -> None:
        """Binds what follows to other users, none for everybody."""
        self.users = frozenset(users)
        self.kept.clear()
        values = (_array(users), "off" if users else "on")
        self.do(
            "SELECT set_config('romaine.owners', %s, true), set_config('romaine.everyone', %s, true)", values
        )


def encoded_setting(value: Setting) -> bytes:
    """Returns a setting as the table holds it."""
    return to_bytes(to_json_text(value))


def decoded_setting(value: bytes) -> Setting:
    """Undoes `encoded_setting`."""
    found: Setting = json.loads(decode_text(value))
    return found


def _array(users: Collection[str]) -> str:
    return "{" + ",".join(sorted(map(owner_of, users))) + "}" if users else ""
