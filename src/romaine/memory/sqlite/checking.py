"""Looking for damage in a file: every page, every row against its checksum, and what the small tables say."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from romaine.memory.codec import content_checksum
from romaine.memory.damage import damage_of
from romaine.memory.records import Memory
from romaine.memory.sqlite.rows import COLUMNS, TOKENS
from romaine.memory.stored import Damage, Findings
from romaine.memory.terms import TermIds

_ALL = f"""SELECT {COLUMNS}, m.checksum, v.vector, v.context, v.terms, v.checksum, v.previous,
        t.tokens, t.checksum
    FROM memory m LEFT JOIN space s ON s.no = m.space LEFT JOIN vector v ON v.no = m.no {TOKENS}
    ORDER BY m.no"""  # noqa: S608
_SEALED = {
    "space": ("no, user, chat, next_position", "a chat"),
    "branch": ("no, space, character, parent, at, change", "a fork"),
    "hidden": ("branch, root, change", "what a fork dropped"),
    "supersession": ("space, old, new", "what a fact replaced"),
}
_VERSIONS = """SELECT count(*) FROM space s LEFT JOIN user u ON u.name = s.user
    LEFT JOIN (SELECT space, max(max(born, coalesce(retired, 0), changed)) AS last
        FROM memory GROUP BY space) m ON m.space = s.no
    LEFT JOIN (SELECT space, max(change) AS last FROM branch GROUP BY space) b ON b.space = s.no
    WHERE coalesce(u.version, -1) < max(s.changed, coalesce(m.last, 0), coalesce(b.last, 0))"""
_ROW_IDS = (
    """SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'memory') >= (SELECT max(no) FROM memory)"""
)


def findings(
    connection: sqlite3.Connection, vector_size: int, terms_of: Callable[[Memory], TermIds]
) -> Findings:
    """As `Snapshot.findings`, with the size of a vector in bytes."""
    problems = list(_problems(connection))
    damaged: list[Damage] = []
    count = 0
    try:
        (count,) = connection.execute("SELECT count(*) FROM memory").fetchone()
        damaged += _damaged(connection, vector_size, terms_of)
    except sqlite3.Error as error:
        problems.append(str(error))
    return Findings(count, damaged, problems)


def _problems(connection: sqlite3.Connection) -> Iterator[str]:
    try:
        for (message,) in connection.execute("PRAGMA integrity_check"):
            if message != "ok":
                yield str(message)
        for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            yield f"a row of {table} belongs to none of {parent}"
        for table, (columns, what) in _SEALED.items():
            for *values, checksum in connection.execute(f"SELECT {columns}, checksum FROM {table}"):  # noqa: S608
                if content_checksum(tuple(values)) != checksum:
                    yield f"{what} is not what was stored (table {table})"
        if connection.execute(_VERSIONS).fetchone()[0]:
            yield "the version of a user is less than what rows say"
        if connection.execute(_ROW_IDS).fetchone()[0] == 0:
            yield "the number of rows given is less than what rows say"
    except (sqlite3.Error, UnicodeDecodeError) as error:
        yield str(error)


def _damaged(
    connection: sqlite3.Connection, vector_size: int, terms_of: Callable[[Memory], TermIds]
) -> Iterator[Damage]:
    connection.text_factory = _leniently
    try:
        for *row, tokens, token_seal in connection.execute(_ALL):
            *values, sealed, vector, context, terms, checksum, previous = row
            vectors = (vector, context, terms, checksum, previous)
            damage = damage_of(values, sealed, vectors, (tokens, token_seal), vector_size, terms_of)
            if damage is not None:
                yield damage
    finally:
        connection.text_factory = str


def _leniently(text: bytes) -> str:
    """Text with bytes that are no UTF-8 as lone surrogates, so that one bad row does not hide all others."""
    return text.decode("utf-8", "surrogateescape")
