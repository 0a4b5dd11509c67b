"""Looking for damage in a file, and mending what can be mended."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from romaine.errors import StorageCorruptError
from romaine.memory.change import Change
from romaine.memory.codec import content_checksum, decode_text, encode_text, vector_checksum
from romaine.memory.language import Analyzer
from romaine.memory.row_writer import terms_blob
from romaine.memory.rows import COLUMNS, StoredMemory
from romaine.memory.store import Store, read_setting
from romaine.memory.wording import is_worded_by

_MENDED_AT_ONCE = 256

_ALL = f"""SELECT {COLUMNS}, m.checksum, v.vector, v.context, v.terms, v.checksum, v.previous
    FROM memory m LEFT JOIN space s ON s.no = m.space LEFT JOIN vector v ON v.no = m.no ORDER BY m.no"""  # noqa: S608
_SEALED = {
    "space": ("no, user, chat, next_position", "a chat"),
    "branch": ("no, space, character, parent, at, change", "a fork"),
    "hidden": ("branch, root, change", "what a fork dropped"),
    "supersession": ("space, old, new", "what a fact replaced"),
}
_COUNTERS = """SELECT
    (SELECT value FROM meta WHERE key = 'change') >= max(
        (SELECT coalesce(max(max(born, coalesce(retired, 0), changed)), 0) FROM memory),
        (SELECT coalesce(max(changed), 0) FROM vector),
        (SELECT coalesce(max(changed), 0) FROM space), (SELECT coalesce(max(change), 0) FROM branch))
    AND (SELECT seq FROM sqlite_sequence WHERE name = 'memory') >= (SELECT max(no) FROM memory)"""


@dataclass(frozen=True, kw_only=True)
class Health:
    """What was found.

    Attributes:
        memories: How many memories were looked at.
        damaged: Ids of memories whose vectors, words, dates or other columns are not what was stored.
            `recall` skips those with damaged vectors, and `repair` embeds them again.
        problems: What else is wrong with the file, in words.
    """

    memories: int
    damaged: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.damaged and not self.problems


@dataclass(frozen=True)
class _Found:
    """A damaged row, and which part of it."""

    row: StoredMemory
    content: bool


def verify(store: Store) -> Health:
    """Checks every page of the file, and every row against its checksum."""
    with store.read() as connection:
        problems = list(_problems(connection, store))
        damaged: list[str] = []
        count = 0
        try:
            (count,) = connection.execute("SELECT count(*) FROM memory").fetchone()
            damaged = [_shown_id(found.row) for found in _damaged(store, connection)]
        except sqlite3.Error as error:
            problems.append(str(error))
    return Health(memories=count, damaged=tuple(damaged), problems=tuple(problems))


def repair(store: Store) -> int:
    """Mends what can be mended, and takes what is readable of the rest as it stands; returns how many.

    Vectors and terms are made anew from the text. Words with lost bytes get U+FFFD in their place. A memory
    that cannot be read at all is deleted.
    """
    with store.read() as connection:
        nos = [found.row.no for found in _damaged(store, connection)]
    for start in range(0, len(nos), _MENDED_AT_ONCE):
        store.write(_Mending(store, frozenset(nos[start : start + _MENDED_AT_ONCE])))
    return len(nos)


@dataclass(frozen=True)
class _Mending:
    """A write that mends rows."""

    store: Store
    nos: frozenset[int]

    def __call__(self, change: Change) -> None:
        for found in list(_damaged(self.store, change.connection)):
            if found.row.no in self.nos:
                change.renew(_readable(found.row) if found.content else found.row)


def _readable(row: StoredMemory) -> StoredMemory:
    """A row with replacement characters where bytes of its words are lost."""
    text = encode_text(_without_escapes(decode_text(row.text)))
    speaker = None if row.speaker is None else encode_text(_without_escapes(decode_text(row.speaker)))
    return row._replace(text=text, speaker=speaker)


def _without_escapes(text: str) -> str:
    return "".join("\ufffd" if "\udc80" <= c <= "\udcff" else c for c in text)


def _problems(connection: sqlite3.Connection, store: Store) -> Iterator[str]:
    """What SQLite says of the file, and what the small tables and counters say."""
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
        if connection.execute(_COUNTERS).fetchone()[0] == 0:
            yield "the number of changes is less than what rows say"
        if not is_worded_by(partial(read_setting, connection), store.analyzer):
            yield "the words of its memories are those of another analyzer or version"
    except (sqlite3.Error, UnicodeDecodeError) as error:
        yield str(error)


def _damaged(store: Store, connection: sqlite3.Connection) -> Iterator[_Found]:
    size = store.embedder.full_dim * store.vector_format.dtype.itemsize
    connection.text_factory = _leniently
    try:
        for *values, sealed, vector, context, terms, checksum, previous in connection.execute(_ALL):
            row = StoredMemory._make(values)
            content = not isinstance(terms, bytes) or row.checksum(terms) != sealed
            if content and isinstance(terms, bytes):
                content = not _only_terms_differ(row, sealed, store.analyzer)
                terms = None
            vectors = (
                isinstance(vector, bytes)
                and isinstance(context, bytes)
                and len(vector) == len(context) == size
                and vector_checksum(vector, context, previous) == checksum
            )
            if content or terms is None or not vectors:
                yield _Found(row, content)
    finally:
        connection.text_factory = str


def _only_terms_differ(row: StoredMemory, sealed: int, analyzer: Analyzer) -> bool:
    try:
        return row.checksum(terms_blob(row, analyzer)) == sealed
    except StorageCorruptError:
        return False


def _leniently(text: bytes) -> str:
    """Text with bytes that are no UTF-8 as lone surrogates, so that one bad row does not hide all others."""
    return text.decode("utf-8", "surrogateescape")


def _shown_id(row: StoredMemory) -> str:
    """The id of a row, or what is left of it."""
    try:
        return row.memory().id
    except StorageCorruptError:
        return f"row {row.no}"
