from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from romaine.errors import (
    OptionError,
    StorageClosedError,
    StorageCorruptError,
    StorageError,
    StorageFormatError,
    StorageFullError,
    StorageLockedError,
    StorageReadOnlyError,
)
from romaine.memory.sqlite.database import SqliteStorage
from romaine.memory.sqlite.errors import in_words


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("database is locked", StorageLockedError),
        ("database or disk is full", StorageFullError),
        ("attempt to write a readonly database", StorageReadOnlyError),
        ("file is not a database", StorageFormatError),
        ("database disk image is malformed", StorageCorruptError),
        ("Cannot operate on a closed database.", StorageClosedError),
        ("disk I/O error", StorageError),
        ("something new", StorageError),
    ],
)
def test_what_sqlite_says_in_our_words(words: str, kind: type[StorageError]) -> None:
    with pytest.raises(StorageError, match=r"^tavern\.db: .*SQLite") as caught, in_words("tavern.db"):
        raise sqlite3.OperationalError(words)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)


def test_a_number_too_large_for_sqlite(path: Path) -> None:
    database = SqliteStorage(path)
    with pytest.raises(StorageError, match=r"too large .* 2\*\*63"), database.write() as transaction:
        transaction.connection.execute("INSERT INTO setting VALUES ('number', ?)", (2**63,))
    with pytest.raises(StorageError, match="too large"), database.read() as snapshot:
        snapshot.connection.execute("SELECT * FROM setting LIMIT ?", (-(2**70),))
    database.close()


@pytest.mark.parametrize("error", [OverflowError("math range error"), OptionError("k=0"), MemoryError()])
def test_what_is_not_sqlites_stays_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, in_words("tavern.db"):
        raise error
    assert caught.value is error


def test_a_damaged_text_is_not_quoted() -> None:
    told = pytest.raises(StorageCorruptError, match="a text in it is damaged")
    with told as caught, in_words("file.db"), sqlite3.connect(":memory:") as connection:
        connection.execute("SELECT CAST(x'ff736563726574' AS TEXT)").fetchone()
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
