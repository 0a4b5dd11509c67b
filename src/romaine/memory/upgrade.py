"""What a file of an earlier version needs besides its tables, when it is opened.

Both steps are resumable: they note how far they came, and whoever opens the file next goes on.
"""

from __future__ import annotations

from collections.abc import Callable

from romaine.memory.change import Change
from romaine.memory.edits import erase
from romaine.memory.storage import Transaction
from romaine.memory.store import Store
from romaine.memory.stored import StoredMemory
from romaine.memory.wording import NEXT, check_writer, is_worded_by, label, wording

_BATCH = 512
_RENEWED = "renewed"
_REWORDED = "reworded"


def bring_up_to_date(store: Store) -> None:
    """Makes contexts and terms anew where an earlier version made them otherwise; erases what is to be."""
    if store.storage.read_only:
        return
    with store.storage.read() as snapshot:
        doubtful = snapshot.setting(_RENEWED) is not None
        reworded = not is_worded_by(snapshot.setting, store.analyzer)
    if reworded:
        with store.storage.write() as transaction:
            _begin_rewording(transaction, label(wording(store.analyzer)))
    if doubtful:
        _in_batches(store, _RENEWED, Change.renew, doubtful=True)
    if reworded:
        _in_batches(store, _REWORDED, Change.reword)
        with store.storage.write() as transaction:
            check_writer(transaction.setting, store.analyzer, store.storage.name)
            for key, value in {**wording(store.analyzer), NEXT: None}.items():
                transaction.set(key, value)
    erase(store)


def _begin_rewording(transaction: Transaction, target: str) -> None:
    """Notes whose terms the file is to have; what was begun for another analyzer begins anew."""
    if transaction.setting(NEXT) != target:
        transaction.set(NEXT, target)
        transaction.set(_REWORDED, None)


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
