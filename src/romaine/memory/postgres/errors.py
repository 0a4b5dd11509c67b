"""Postgres's errors as this package's own, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from romaine.errors import (
    RomaineError,
    StorageBusyError,
    StorageClosedError,
    StorageCorruptError,
    StorageError,
    StorageFormatError,
    StorageFullError,
    StorageLockedError,
    StorageReadOnlyError,
    StorageUnreachableError,
    one_line,
)
from romaine.memory.postgres.address import Address

# by the beginning of the SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html
_MESSAGES: tuple[tuple[tuple[str, ...], type[StorageError], str], ...] = (
    (("40",), StorageBusyError, "others were in the way again and again; the write was undone. Retry it"),
    (
        ("55P03", "57014"),
        StorageLockedError,
        "others have kept it locked for too long; the write was undone. Retry, or raise lock_timeout",
    ),
    (("53100",), StorageFullError, "no room is left on the server; the write was undone. Make room"),
    (
        ("53300",),
        StorageUnreachableError,
        "the server takes no more connections; lower pool= or use a pooler",
    ),
    (("53",), StorageError, "the server lacks memory or other resources; the write was undone"),
    (
        ("08", "57P"),
        StorageUnreachableError,
        "the connection to the server was lost; what was under way was undone. Retry",
    ),
    (("25006",), StorageReadOnlyError, "the server takes no writes; give the address of the primary"),
    (
        ("42501",),
        StorageReadOnlyError,
        "the login may not do that; grant it what the page on Postgres lists, or give another one",
    ),
    (
        ("42P01", "3F000", "42703"),
        StorageFormatError,
        "its tables are not those of a memory, or were dropped; give another schema",
    ),
    (("XX",), StorageCorruptError, "the server reports damage; use a backup"),
    (("22003",), StorageError, "a number is too large to be kept; give one from -2**63 to 2**63 - 1"),
)
_LOST = "the server cannot be reached, or the connection was lost; what was under way was undone. Retry"


@contextmanager
def in_words(address: Address) -> Iterator[None]:
    """Raises what the driver raises inside as a `StorageError` that names the storage and the remedy."""
    try:
        yield
    except RomaineError:
        raise
    except PoolTimeout:
        raise StorageUnreachableError(
            f"{address.shown}: no connection to the server within the time given; check that it runs, or let"
            " fewer threads wait or raise pool= in the URL"
        ) from None
    except PoolClosed:
        raise closed(address) from None
    except psycopg.Error as error:
        raise _translate(error, address) from None


def closed(address: Address) -> StorageClosedError:
    """What to raise once it is closed."""
    return StorageClosedError(f"the memory {address.shown} has been closed; open it again")


def is_lost(error: psycopg.Error) -> bool:
    """Whether the connection has gone, and with it what was under way."""
    state = error.sqlstate or ""
    return isinstance(error, psycopg.OperationalError) and (not state or state.startswith(("08", "57P")))


def _translate(error: psycopg.Error, address: Address) -> StorageError:
    said = address.without_secrets(one_line(error))
    for states, kind, remedy in _MESSAGES:
        if (error.sqlstate or "-").startswith(states):
            return kind(f"{address.shown}: {remedy} (Postgres: {said})")
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return StorageUnreachableError(f"{address.shown}: {_LOST} (Postgres: {said})")
    return StorageError(f"{address.shown}: Postgres reports: {said}")
