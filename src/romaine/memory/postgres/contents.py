"""All that a schema keeps, row for row: how it is read, and how it is put into another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from romaine.memory.codec import (
    VectorFormat,
    content_checksum,
    decode_optional,
    decode_text,
    token_checksum,
    vector_checksum,
)
from romaine.memory.contents import Contents, NewContents, PackedRow, UserContents
from romaine.memory.postgres.rows import (
    COLUMNS,
    INSERT,
    TOKENS,
    HalfVector,
    optional_bytes,
    owner_of,
    to_array,
    to_bytes,
)
from romaine.memory.postgres.session import BoundSession, decoded_setting
from romaine.memory.rows import encoded, packed_row, row_checksum
from romaine.memory.storage import Setting
from romaine.memory.stored import Fork, Space

_OF_USER = "(SELECT no FROM space WHERE owner = %(owner)s::uuid)"
_SPACES = "SELECT chat, no, next_position FROM space WHERE owner = %(owner)s::uuid ORDER BY no"
_FORKS = f"""SELECT b.no, b.space, s.chat, b.character, b.parent, b.at, b.change
    FROM branch b JOIN space s ON s.no = b.space WHERE b.space IN {_OF_USER} ORDER BY b.no"""  # noqa: S608
_HIDDEN = f"""SELECT h.branch, h.root, h.change FROM hidden h JOIN branch b ON b.no = h.branch
    WHERE b.space IN {_OF_USER} ORDER BY h.branch, h.root"""  # noqa: S608
_SUPERSEDED = f"""SELECT space, old_root, new_root FROM supersession
    WHERE space IN {_OF_USER} ORDER BY space, old_root, new_root"""  # noqa: S608
_FIGURES = f"""SELECT coalesce((SELECT version FROM account WHERE owner = %(owner)s::uuid), 0),
    (SELECT count(*) FROM memory WHERE space IN {_OF_USER})"""  # noqa: S608
_PACKED = f"""SELECT {COLUMNS}, m.checksum, v.vector, v.context, v.terms, v.checksum, v.previous,
        t.tokens, t.checksum
    FROM memory m JOIN space s ON s.no = m.space LEFT JOIN vector v ON v.no = m.no {TOKENS}
    WHERE m.space IN {_OF_USER} AND m.no > %(after)s ORDER BY m.no"""  # noqa: S608

_PUT_SPACE = """INSERT INTO space (no, owner, user_name, chat, next_position, changed, checksum)
    VALUES (%s, %s::uuid, %s, %s, %s, %s, %s)"""
_PUT_FORK = """INSERT INTO branch (no, space, character, parent, at, change, owner, checksum)
    VALUES (%s, %s, %s, %s, %s, %s, %s::uuid, %s)"""
_PUT_HIDDEN = "INSERT INTO hidden (branch, root, change, owner, checksum) VALUES (%s, %s, %s, %s::uuid, %s)"
_PUT_SUPERSEDED = """INSERT INTO supersession (space, old_root, new_root, owner, checksum)
    VALUES (%s, %s, %s, %s::uuid, %s)"""
_PUT_VECTORS = """INSERT INTO vector (no, owner, vector, context, terms, checksum, changed, previous)
    SELECT p.no, %s::uuid, p.vector, p.context, p.terms::integer[], p.checksum, %s, p.previous
    FROM unnest(%s::bigint[], %b, %b, %s::text[], %s::bigint[], %s::bigint[])
        AS p (no, vector, context, terms, checksum, previous)"""
_PUT_TOKENS = {
    table: f"""INSERT INTO {table} (no, owner, tokens, of_vectors, checksum)
        SELECT v.no, v.owner, p.tokens, v.checksum, p.checksum
        FROM unnest(%s::bigint[], %b, %s::bigint[]) AS p (no, tokens, checksum)
        JOIN {of} v ON v.no = p.no"""  # noqa: S608
    for table, of in (("token", "vector"), ("next_token", "next_vector"))
}
# numbers that were given elsewhere are not to be given again
_GIVEN = """SELECT setval('memory_no', greatest(nextval('memory_no'), %s))"""
_NUMBERED = """SELECT setval(pg_get_serial_sequence('space', 'no'), (SELECT max(no) FROM space)),
    setval(pg_get_serial_sequence('branch', 'no'), (SELECT max(no) FROM branch))"""
_DROP = (
    f"DELETE FROM supersession WHERE space IN {_OF_USER}",  # noqa: S608
    f"DELETE FROM hidden WHERE branch IN (SELECT no FROM branch WHERE space IN {_OF_USER})",  # noqa: S608
    f"DELETE FROM branch WHERE space IN {_OF_USER}",  # noqa: S608
    f"DELETE FROM gone WHERE space IN {_OF_USER}",  # noqa: S608
    f"DELETE FROM memory WHERE space IN {_OF_USER}",  # noqa: S608
    "DELETE FROM space WHERE owner = %(owner)s::uuid",
    "DELETE FROM account WHERE owner = %(owner)s::uuid",
)


class PostgresContents(Contents):
    """What `PostgresSnapshot` tells of everything."""

    session: BoundSession

    def settings(self) -> dict[str, Setting]:
        rows = self.session.all("SELECT key, value FROM setting ORDER BY key")
        return {decode_text(key): decoded_setting(value) for key, value in rows}

    def users(self) -> dict[str, int]:
        rows = self.session.all("SELECT name, version FROM account WHERE version > 0")
        return {decode_text(name): version for name, version in rows}

    def contents_of(self, user: str) -> UserContents:
        owner = {"owner": owner_of(user)}
        figures = self.session.one(_FIGURES, owner)
        assert figures is not None
        return UserContents(
            user=user,
            version=figures[0],
            rows=figures[1],
            spaces=[
                (decode_optional(chat), Space(no, following))
                for chat, no, following in self.session.all(_SPACES, owner)
            ],
            forks=[
                Fork(no, space, decode_text(chat), decode_optional(character), parent, at, version)
                for no, space, chat, character, parent, at, version in self.session.all(_FORKS, owner)
            ],
            hidden=[(fork, root, version) for fork, root, version in self.session.all(_HIDDEN, owner)],
            superseded=[(space, old, new) for space, old, new in self.session.all(_SUPERSEDED, owner)],
        )

    def packed_rows(self, user: str, row_id: int = 0) -> Iterator[PackedRow]:
        for row in self.session.stream(_PACKED, {"owner": owner_of(user), "after": row_id}):
            packed = packed_row(row[:-8], *row[-8:])
            portable = _format(self.session).to_portable
            yield replace(packed, vector=portable(packed.vector), context=portable(packed.context))


class NewPostgresContents(NewContents):
    """What `PostgresTransaction` does to take contents over."""

    session: BoundSession

    def put_contents(self, contents: UserContents) -> None:
        owner, name = owner_of(contents.user), to_bytes(contents.user)
        self.session.do(
            """INSERT INTO account (owner, name, version) VALUES (%s::uuid, %s, %s)
                ON CONFLICT (owner) DO UPDATE SET version = excluded.version""",
            (owner, name, contents.version),
        )
        for chat, space in contents.spaces:
            values = (space.row_id, name, optional_bytes(chat), space.next_position)
            self.session.do(
                _PUT_SPACE,
                (values[0], owner, *values[1:], contents.version, content_checksum(values)),
            )
        forks = [
            (f.row_id, f.space, optional_bytes(f.character), f.parent, f.at, f.version)
            for f in contents.forks
        ]
        tables: tuple[tuple[str, Sequence[tuple[Any, ...]]], ...] = (
            (_PUT_FORK, forks),
            (_PUT_HIDDEN, contents.hidden),
            (_PUT_SUPERSEDED, contents.superseded),
        )
        for statement, rows in tables:
            for row in rows:
                self.session.do(statement, (*row, owner, content_checksum(row)))
        self.session.do(_NUMBERED)

    def put_packed(self, user: str, rows: Sequence[PackedRow]) -> None:
        owner = owner_of(user)
        found = self.session.one("SELECT version FROM account WHERE owner = %s::uuid", (owner,))
        assert found is not None
        version = found[0]
        values = []
        for packed in rows:
            given = encoded(packed.row, to_bytes)
            seal = row_checksum(given, packed.terms.astype("<u4").tobytes())
            values.append((*given, version, seal, owner))
        self.session.do(INSERT, [list(column) for column in zip(*values, strict=True)])
        kept = _format(self.session)
        vectors, tokens = [], []
        for packed in rows:
            both = kept.from_portable(packed.vector), kept.from_portable(packed.context)
            checksum = vector_checksum(*both, packed.previous)
            sent = both if kept is not VectorFormat.HALFVEC else map(HalfVector, both)
            vectors.append((packed.row.row_id, *sent, to_array(packed.terms), checksum, packed.previous))
            if packed.tokens is not None:
                tokens.append((packed.row.row_id, packed.tokens, token_checksum(packed.tokens, checksum)))
        columns = [list(column) for column in zip(*vectors, strict=True)]
        self.session.do(_PUT_VECTORS, [owner, version, *columns])
        put_tokens(self.session, "token", tokens)
        self.session.do(_GIVEN, (max(packed.row.row_id for packed in rows),))

    def drop_user(self, user: str) -> None:
        for statement in _DROP:
            self.session.do(statement, {"owner": owner_of(user)})


def put_tokens(session: BoundSession, table: str, tokens: Sequence[tuple[int, bytes, int]]) -> None:
    """Adds rows, packed vectors of their tokens and checksums to `token` or `next_token`."""
    if tokens:
        session.do(_PUT_TOKENS[table], [list(column) for column in zip(*tokens, strict=True)])


def _format(session: BoundSession) -> VectorFormat:
    return VectorFormat(session.settings.get("vector_format") or VectorFormat.FLOAT32)
