"""SQLite's errors as this package's own, in words that say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from romaine.errors import (
    RomaineError,
    StorageClosedError,
    StorageCorruptError,
    StorageError,
    StorageFormatError,
    StorageFullError,
    StorageLockedError,
    StorageReadOnlyError,
)

_MESSAGES: tuple[tuple[tuple[str, ...], type[StorageError], str], ...] = (
    (("closed database",), StorageClosedError, "it was closed while in use; open it again"),
    (("locked", "busy"), StorageLockedError, "another process keeps it locked; retry, or raise lock_timeout"),
    (
        ("disk is full", "file too large"),
        StorageFullError,
        "no room is left; the write was undone. Make room",
    ),
    (("readonly", "read-only"), StorageReadOnlyError, "it cannot be written; check its permissions"),
    (("not a database",), StorageFormatError, "it is not a SQLite file; choose another"),
    (
        ("malformed", "corrupt"),
        StorageCorruptError,
        "it is damaged; export what is readable, or use a backup",
    ),
    (("disk i/o error",), StorageError, "the disk refused; the write was undone. Check its room and health"),
    (
        ("unable to open",),
        StorageError,
        "it cannot be opened; check that its folder is there and writable",
    ),
)


@contextmanager
def in_words(name: str) -> Iterator[None]:
    """Raises what SQLite raises inside as a `StorageError` that names the file and the remedy."""
    try:
        yield
    except RomaineError:
        raise
    except sqlite3.Error as error:
        if "could not decode" in str(error).lower():  # it quotes the text
            raise StorageCorruptError(f"{name}: a text in it is damaged; use a backup") from None
        raise _translate(error, name) from error
    except UnicodeDecodeError as error:  # sqlite3 words an error with names it reads from the file
        raise StorageCorruptError(f"{name}: it is damaged ({error.reason}); use a backup") from error
    except OverflowError as error:
        if "SQLite" not in str(error):  # the caller's own
            raise
        raise StorageError(
            f"{name}: a number is too large to be kept; give one from -2**63 to 2**63 - 1 ({error})"
        ) from error


def is_busy(error: sqlite3.Error) -> bool:
    """Whether someone else is in the way, who will be done some time."""
    message = str(error).lower()
    return "locked" in message or "busy" in message


def _translate(error: sqlite3.Error, name: str) -> StorageError:
    message = str(error).lower()
    for words, kind, remedy in _MESSAGES:
        if any(word in message for word in words):
            return kind(f"{name}: {remedy} (SQLite: {error})")
    return StorageError(f"{name}: SQLite reports: {error}")
