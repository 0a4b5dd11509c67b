"""Making what the server keeps of large scopes, resumably and beside whoever reads and writes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from romaine.memory.codec import decode_text
from romaine.memory.postgres.large_schema import TABLES
from romaine.memory.postgres.rows import owner_of
from romaine.memory.postgres.transaction import PostgresTransaction

_BATCH = 2000

_LARGE_USERS = """SELECT a.name, c.rows FROM account a
    JOIN (SELECT owner, count(*) AS rows FROM memory GROUP BY owner) c ON c.owner = a.owner
    LEFT JOIN large_user u ON u.owner = a.owner
    WHERE c.rows >= %s AND NOT coalesce(u.is_complete, false) ORDER BY a.owner"""
_BATCH_OF = """SELECT no FROM vector WHERE owner = %(owner)s::uuid AND no > %(reached)s
    ORDER BY no LIMIT %(limit)s"""
_IN_ORDER = "SELECT set_config('enable_sort', %s, true)"

Writing = Callable[..., AbstractContextManager[PostgresTransaction]]


def users_to_index(transaction: PostgresTransaction, rows: int) -> dict[str, int]:
    """Users of so many rows that are not all kept yet, with how many they have."""
    return {decode_text(name): count for name, count in transaction.session.all(_LARGE_USERS, (rows,))}


def is_empty(transaction: PostgresTransaction) -> bool:
    """Whether all that are kept are to be taken in anew, or none are there."""
    return transaction.session.one("SELECT FROM large_user WHERE reached > 0 LIMIT 1") is None


def fill(write: Writing, user: str, tell: Callable[[int], None]) -> None:
    """Takes in all rows of a user, some in each transaction; what is written meanwhile enters by itself.

    Args:
        write: `PostgresStorage.write`.
        user: Whose.
        tell: Told how many rows more are in.
    """
    owner = owner_of(user)
    while True:
        with write(user) as transaction:
            session = transaction.session
            found = session.one("SELECT reached FROM large_user WHERE owner = %s::uuid", (owner,))
            if not found:
                session.do("INSERT INTO large_user (owner) VALUES (%s::uuid)", (owner,))
            reached = found[0] if found else 0
            if not reached:  # what is there is of before all vectors were replaced
                for table in TABLES:
                    session.do(
                        f"DELETE FROM {table} WHERE space IN (SELECT no FROM space WHERE owner = %s::uuid)",  # noqa: S608
                        (owner,),
                    )
            values = {"owner": owner, "reached": reached, "limit": _BATCH}
            # read on from where the last one ended; a plan that sorts reads all of the table for each batch
            session.all(_IN_ORDER, ("off",))
            batch = [no for (no,) in session.all(_BATCH_OF, values)]
            session.all(_IN_ORDER, ("on",))
            if not batch:
                return
            session.do("SELECT large_add(%s::bigint[])", (batch,))
            session.do("UPDATE large_user SET reached = %s WHERE owner = %s::uuid", (batch[-1], owner))
        tell(len(batch))


def finish(transaction: PostgresTransaction, users: list[str], rows: int) -> None:
    """Lets recalls ask the server from now on."""
    owners = [owner_of(user) for user in users]
    transaction.session.do(
        "UPDATE large_user SET is_complete = true WHERE owner = ANY (%s::uuid[])", (owners,)
    )
    transaction.set("large", rows)
