"""All that a file keeps, row for row: how it is read, and how it is put into another one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from romaine.memory.codec import (
    content_checksum,
    decode_optional,
    decode_text,
    token_checksum,
    vector_checksum,
)
from romaine.memory.contents import Contents, NewContents, PackedRow, UserContents
from romaine.memory.rows import encoded, packed_row, row_checksum
from romaine.memory.sqlite.codec import encode_optional, encode_text
from romaine.memory.sqlite.rows import COLUMNS, INSERT, TOKENS
from romaine.memory.storage import Setting
from romaine.memory.stored import Fork, Space

_OF_USER = "(SELECT no FROM space WHERE user = :user)"
_COUNT = f"SELECT count(*) FROM memory WHERE space IN {_OF_USER}"  # noqa: S608
_FORKS = f"""SELECT b.no, b.space, s.chat, b.character, b.parent, b.at, b.change
    FROM branch b JOIN space s ON s.no = b.space WHERE b.space IN {_OF_USER} ORDER BY b.no"""  # noqa: S608
_HIDDEN = f"""SELECT branch, root, change FROM hidden
    WHERE branch IN (SELECT no FROM branch WHERE space IN {_OF_USER}) ORDER BY branch, root"""  # noqa: S608
_SUPERSEDED = f"SELECT space, old, new FROM supersession WHERE space IN {_OF_USER} ORDER BY space, old, new"  # noqa: S608
# sorts numbers only, as the index of a scope does
_PACKED = f"""SELECT {COLUMNS}, m.checksum, v.vector, v.context, v.terms, v.checksum, v.previous,
        t.tokens, t.checksum
    FROM (SELECT no FROM memory WHERE space IN {_OF_USER} AND no > :after ORDER BY no LIMIT -1) seen
    CROSS JOIN memory m ON m.no = seen.no CROSS JOIN space s ON s.no = m.space
    LEFT JOIN vector v ON v.no = seen.no {TOKENS}"""  # noqa: S608
_DROP = (
    f"DELETE FROM supersession WHERE space IN {_OF_USER}",  # noqa: S608
    f"DELETE FROM hidden WHERE branch IN (SELECT no FROM branch WHERE space IN {_OF_USER})",  # noqa: S608
    f"DELETE FROM branch WHERE space IN {_OF_USER}",  # noqa: S608
    f"DELETE FROM gone WHERE space IN {_OF_USER}",  # noqa: S608
    f"DELETE FROM memory WHERE space IN {_OF_USER}",  # noqa: S608
    "DELETE FROM space WHERE user = :user",
    "DELETE FROM user WHERE name = :user",
)


class SqliteContents(Contents):
    """What `SqliteSnapshot` tells of everything."""

    connection: sqlite3.Connection

    def settings(self) -> dict[str, Setting]:
        return dict(self.connection.execute("SELECT key, value FROM setting ORDER BY key").fetchall())

    def users(self) -> dict[str, int]:
        return {decode_text(name): version for name, version in self.connection.execute("SELECT * FROM user")}

    def contents_of(self, user: str) -> UserContents:
        named = {"user": encode_text(user)}
        spaces = self.connection.execute(
            "SELECT chat, no, next_position FROM space WHERE user = :user ORDER BY no", named
        )
        found = self.connection.execute("SELECT version FROM user WHERE name = :user", named).fetchone()
        (rows,) = self.connection.execute(_COUNT, named).fetchone()
        return UserContents(
            user=user,
            version=0 if found is None else found[0],
            rows=rows,
            spaces=[(decode_optional(chat), Space(no, following)) for chat, no, following in spaces],
            forks=[
                Fork(no, space, decode_text(chat), decode_optional(character), parent, at, version)
                for no, space, chat, character, parent, at, version in self.connection.execute(_FORKS, named)
            ],
            hidden=self.connection.execute(_HIDDEN, named).fetchall(),
            superseded=self.connection.execute(_SUPERSEDED, named).fetchall(),
        )

    def packed_rows(self, user: str, row_id: int = 0) -> Iterator[PackedRow]:
        found = self.connection.execute(_PACKED, {"user": encode_text(user), "after": row_id})
        return map(_packed, found)


class NewSqliteContents(NewContents):
    """What `SqliteTransaction` does to take contents over."""

    connection: sqlite3.Connection

    def put_contents(self, contents: UserContents) -> None:
        user = encode_text(contents.user)
        self.connection.execute("INSERT INTO user VALUES (?, ?)", (user, contents.version))
        for chat, space in contents.spaces:
            values = (space.row_id, user, encode_optional(chat), space.next_position)
            self.connection.execute(
                """INSERT INTO space (no, user, chat, next_position, changed, checksum)
                    VALUES (?, ?, ?, ?, ?, ?)""",
                (*values, contents.version, content_checksum(values)),
            )
        for fork in contents.forks:
            row = (
                fork.row_id, fork.space, encode_optional(fork.character), fork.parent, fork.at, fork.version
            )  # fmt: skip
            self._put("INSERT INTO branch VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        for dropped in contents.hidden:
            self._put("INSERT INTO hidden VALUES (?, ?, ?, ?)", dropped)
        for edge in contents.superseded:
            self._put("INSERT INTO supersession VALUES (?, ?, ?, ?)", edge)

    def put_packed(self, user: str, rows: Sequence[PackedRow]) -> None:
        (version,) = self.connection.execute(
            "SELECT version FROM user WHERE name = ?", (encode_text(user),)
        ).fetchone()
        inserted, vectors, tokens = [], [], []
        for packed in rows:
            values, terms = encoded(packed.row, encode_text), packed.terms.astype("<u4").tobytes()
            inserted.append((*values, version, row_checksum(values, terms)))
            seal = vector_checksum(packed.vector, packed.context, packed.previous)
            vectors.append((values[0], packed.vector, packed.context, terms, seal, version, packed.previous))
            if packed.tokens is not None:
                tokens.append((values[0], packed.tokens, seal, token_checksum(packed.tokens, seal)))
        self.connection.executemany(INSERT, inserted)
        self.connection.executemany("INSERT INTO vector VALUES (?, ?, ?, ?, ?, ?, ?)", vectors)
        self.connection.executemany("INSERT INTO token VALUES (?, ?, ?, ?)", tokens)

    def drop_user(self, user: str) -> None:
        for statement in _DROP:
            self.connection.execute(statement, {"user": encode_text(user)})

    def _put(self, statement: str, values: tuple[Any, ...]) -> None:
        self.connection.execute(statement, (*values, content_checksum(values)))


def _packed(found: tuple[Any, ...]) -> PackedRow:
    *values, seal, vector, context, terms, checksum, previous, tokens, token_seal = found
    ids = np.frombuffer(terms, "<u4") if isinstance(terms, bytes) and len(terms) % 4 == 0 else None
    return packed_row(values, seal, vector, context, ids, checksum, previous, tokens, token_seal)
