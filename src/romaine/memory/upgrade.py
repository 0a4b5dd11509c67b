"""What a file of an earlier version needs besides its tables, when it is opened.

Both steps are resumable: they note how far they came, and whoever opens the file next goes on.
"""

from __future__ import annotations

from collections.abc import Callable

from romaine.memory.change import Change
from romaine.memory.edits import erase
from romaine.memory.store import Store
from romaine.memory.stored import StoredMemory
from romaine.memory.terms import TERMS_VERSION

_BATCH = 512
_RENEWED = "renewed"
_REWORDED = "reworded"


def bring_up_to_date(store: Store) -> None:
    """Makes contexts and terms anew where an earlier version made them otherwise; erases what is to be."""
    if store.storage.read_only:
        return
    with store.storage.read() as snapshot:
        doubtful = snapshot.setting(_RENEWED) is not None
        reworded = snapshot.setting("terms") != TERMS_VERSION
    if doubtful:
        _in_batches(store, _RENEWED, Change.renew, doubtful=True)
    if reworded:
        _in_batches(store, _REWORDED, Change.reword)
        with store.storage.write() as transaction:
            transaction.set("terms", TERMS_VERSION)
    erase(store)


def _in_batches(
    store: Store, progress: str, renew: Callable[[Change, StoredMemory], None], *, doubtful: bool = False
) -> None:
    """Does something to every row, or every doubtful one, a batch in each write."""

    def apply(change: Change) -> bool:
        last = int(change.transaction.setting(progress) or 0)
        rows = change.transaction.rows_after(last, _BATCH, doubtful=doubtful)
        for row in rows:
            renew(change, row)
        change.transaction.set(progress, rows[-1].row_id if rows else None)
        return bool(rows)

    while store.write(apply):
        pass
