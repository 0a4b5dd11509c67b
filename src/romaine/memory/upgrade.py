"""What a file of an earlier version needs besides its tables, when it is opened.

Both steps are resumable: they note how far they came, and whoever opens the file next goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from functools import partial

from romaine.memory.change import Change
from romaine.memory.edits import erase
from romaine.memory.rows import COLUMNS, StoredMemory, fetch
from romaine.memory.store import Store, read_setting, write_setting
from romaine.memory.wording import NEXT, check_writer, is_worded_by, label, wording

_BATCH = 512
_RENEWED = "renewed"
_REWORDED = "reworded"

_ALL = f"""SELECT {COLUMNS} FROM memory m JOIN space s ON s.no = m.space
    WHERE m.no > ? ORDER BY m.no LIMIT {_BATCH:d}"""  # noqa: S608
# where the first release could leave a turn with the context of one that not all who see it may see
_DOUBTFUL = f"""SELECT {COLUMNS} FROM memory m JOIN space s ON s.no = m.space
    WHERE m.no > ? AND m.kind = 'turn' AND m.space IN (
        SELECT space FROM branch UNION SELECT parent FROM branch
        UNION SELECT space FROM memory WHERE known_by IS NOT NULL
        UNION SELECT space FROM memory WHERE kind = 'turn'
            GROUP BY space HAVING count(DISTINCT ifnull(character, x'')) > 1
        UNION SELECT c.no FROM space c JOIN space o ON o.user = c.user AND o.chat IS NULL
            WHERE EXISTS (SELECT 1 FROM memory t WHERE t.space = o.no AND t.kind = 'turn'))
    ORDER BY m.no LIMIT {_BATCH:d}"""  # noqa: S608


def bring_up_to_date(store: Store) -> None:
    """Makes contexts and terms anew where an earlier version made them otherwise; erases what is to be."""
    if store.database.read_only:
        return
    with store.read() as connection:
        doubtful = read_setting(connection, _RENEWED) is not None
        reworded = not is_worded_by(partial(read_setting, connection), store.analyzer)
    if reworded:
        with store.database.write() as connection:
            _begin_rewording(connection, label(wording(store.analyzer)))
    if doubtful:
        _in_batches(store, _RENEWED, _DOUBTFUL, Change.renew)
    if reworded:
        _in_batches(store, _REWORDED, _ALL, Change.reword)
        with store.database.write() as connection:
            check_writer(partial(read_setting, connection), store.analyzer, store.database.name)
            for key, value in {**wording(store.analyzer), NEXT: None}.items():
                write_setting(connection, key, value)
    erase(store)


def _begin_rewording(connection: sqlite3.Connection, target: str) -> None:
    """Notes whose terms the file is to have; what was begun for another analyzer begins anew."""
    if read_setting(connection, NEXT) != target:
        write_setting(connection, NEXT, target)
        write_setting(connection, _REWORDED, None)


def _in_batches(
    store: Store, progress: str, query: str, renew: Callable[[Change, StoredMemory], None]
) -> None:
    """Does something to every row of a query, a batch in each write."""

    def apply(change: Change) -> bool:
        rows = _pending(change.connection, progress, query)
        for row in rows:
            renew(change, row)
        write_setting(change.connection, progress, rows[-1].no if rows else None)
        return bool(rows)

    while store.write(apply):
        pass


def _pending(connection: sqlite3.Connection, progress: str, query: str) -> list[StoredMemory]:
    rows: Iterable[StoredMemory] = fetch(connection, query, (read_setting(connection, progress) or 0,))
    return list(rows)
