"""Looking for damage in a file, and mending what can be mended."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from romaine.memory.change import Change
from romaine.memory.codec import decode_id, vector_checksum
from romaine.memory.encoder import Draft, Encoder
from romaine.memory.records import Kind
from romaine.memory.rows import COLUMNS, to_memory
from romaine.memory.sequence import previous_text, put_drafts
from romaine.memory.store import Store

_ROWS = f"SELECT {COLUMNS} FROM memory m JOIN space s ON s.no = m.space WHERE m.no = ?"  # noqa: S608
_MENDED_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True)
class Health:
    """What was found.

    Attributes:
        memories: How many memories were looked at.
        damaged: Ids of memories whose vectors are damaged or missing; recall skips them until `repair`.
        problems: What SQLite says of the file itself, in its words.
    """

    memories: int
    damaged: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.damaged and not self.problems


def verify(store: Store) -> Health:
    """Checks every page of the file and every vector against its checksum."""
    with store.read() as connection:
        problems = [row[0] for row in connection.execute("PRAGMA quick_check") if row[0] != "ok"]
        (count,) = connection.execute("SELECT count(*) FROM memory").fetchone()
        damaged = [id_ for _, id_ in _damaged(store, connection)]
    return Health(memories=count, damaged=tuple(map(decode_id, damaged)), problems=tuple(map(str, problems)))


def repair(store: Store) -> int:
    """Embeds memories with damaged vectors again; returns how many."""
    with store.read() as connection:
        nos = [no for no, _ in _damaged(store, connection)]
    for start in range(0, len(nos), _MENDED_AT_ONCE):
        _mend(store, nos[start : start + _MENDED_AT_ONCE])
    return len(nos)


def _mend(store: Store, nos: list[int]) -> None:
    def drafts(connection: sqlite3.Connection) -> dict[int, Draft]:
        rows = [row for no in nos for row in connection.execute(_ROWS, (no,))]
        memories = {row[0]: to_memory(row) for row in rows}
        return {
            no: Draft(m, previous_text(connection, m) if m.kind is Kind.TURN else None)
            for no, m in memories.items()
        }

    def apply(change: Change, encoder: Encoder) -> None:
        put_drafts(change, encoder, drafts(change.connection))

    store.write(lambda connection: list(drafts(connection).values()), apply)


def _damaged(store: Store, connection: sqlite3.Connection) -> Iterator[tuple[int, bytes]]:
    size = store.embedder.full_dim * store.vector_format.dtype.itemsize
    rows = connection.execute(
        "SELECT m.no, m.id, v.vector, v.context, v.terms, v.checksum FROM memory m"
        " LEFT JOIN vector v ON v.no = m.no ORDER BY m.no"
    )
    for no, id_, vector, context, terms, checksum in rows:
        sound = (
            vector is not None
            and len(vector) == len(context) == size
            and len(terms) % 4 == 0
            and vector_checksum(vector, context) == checksum
        )
        if not sound:
            yield no, id_
