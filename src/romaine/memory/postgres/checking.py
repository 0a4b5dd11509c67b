"""Looking for damage in a database: every row against its checksum, and what the small tables say.

What stands in pages and indexes is the server's to check: `data_checksums`, and the extension `amcheck`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg

from romaine.memory.codec import content_checksum
from romaine.memory.damage import damage_of
from romaine.memory.postgres.rows import COLUMNS, TOKENS
from romaine.memory.postgres.session import BoundSession
from romaine.memory.records import Memory
from romaine.memory.stored import Damage, Findings
from romaine.memory.terms import TermIds

_ALL = f"""SELECT {COLUMNS}, m.checksum, v.vector, v.context, v.terms, v.checksum, v.previous,
        t.tokens, t.checksum
    FROM memory m LEFT JOIN space s ON s.no = m.space LEFT JOIN vector v ON v.no = m.no {TOKENS}
    ORDER BY m.no"""  # noqa: S608
_SEALED = {
    "space": ("no, user_name, chat, next_position", "a chat"),
    "branch": ("no, space, character, parent, at, change", "a fork"),
    "hidden": ("branch, root, change", "what a fork dropped"),
    "supersession": ("space, old_root, new_root", "what a fact replaced"),
}
_VERSIONS = """SELECT count(*) FROM space s LEFT JOIN account a ON a.owner = s.owner
    LEFT JOIN (SELECT space, max(greatest(born, coalesce(retired, 0), changed)) AS last
        FROM memory GROUP BY space) m ON m.space = s.no
    LEFT JOIN (SELECT space, max(change) AS last FROM branch GROUP BY space) b ON b.space = s.no
    WHERE coalesce(a.version, -1) < greatest(s.changed, coalesce(m.last, 0), coalesce(b.last, 0))"""
_ROW_IDS = "SELECT (SELECT last_value FROM memory_no) >= coalesce((SELECT max(no) FROM memory), 0)"
# a row shows who may see it twice: by its owner and by its space
_OWNERS = """SELECT count(*) FROM memory m
    LEFT JOIN space s ON s.no = m.space LEFT JOIN vector v ON v.no = m.no
    WHERE s.owner IS DISTINCT FROM m.owner OR coalesce(v.owner, m.owner) <> m.owner"""


def findings(session: BoundSession, vector_size: int, terms_of: Callable[[Memory], TermIds]) -> Findings:
    """As `Snapshot.findings`, with the size of a vector in bytes."""
    problems: list[str] = []
    damaged: list[Damage] = []
    rows = session.one("SELECT count(*) FROM memory")
    try:
        problems += _problems(session)
        damaged += _damaged(session, vector_size, terms_of)
    except psycopg.DataError as error:
        problems.append(str(error))
    return Findings(0 if rows is None else int(rows[0]), damaged, problems)


def _problems(session: BoundSession) -> Iterator[str]:
    for table, (columns, what) in _SEALED.items():
        for *values, checksum in session.stream(f"SELECT {columns}, checksum FROM {table}"):  # noqa: S608
            if content_checksum(tuple(values)) != checksum:
                yield f"{what} is not what was stored (table {table})"
    for query, problem in (
        (_VERSIONS, "the version of a user is less than what rows say"),
        (_OWNERS, "a row is of another user than its chat"),
    ):
        if (found := session.one(query)) and found[0]:
            yield problem
    if (found := session.one(_ROW_IDS)) and not found[0]:
        yield "the number of rows given is less than what rows say"


def _damaged(
    session: BoundSession, vector_size: int, terms_of: Callable[[Memory], TermIds]
) -> Iterator[Damage]:
    for *row, tokens, token_seal in session.stream(_ALL):
        *values, sealed, vector, context, terms, checksum, previous = row
        packed = None if terms is None else terms.tobytes()
        vectors = (vector, context, packed, checksum, previous)
        damage = damage_of(values, sealed, vectors, (tokens, token_seal), vector_size, terms_of)
        if damage is not None:
            yield damage
