"""Rows of one write, and what forks see kept as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from romaine.memory.forks import seen_by_forks
from romaine.memory.language import Analyzer
from romaine.memory.records import Memory
from romaine.memory.storage import Transaction
from romaine.memory.stored import StoredMemory
from romaine.memory.terms import TermIds, document_text, term_ids
from romaine.memory.views import View


def terms_of(memory: Memory, analyzer: Analyzer) -> TermIds:
    """Returns the terms of a memory's words."""
    return term_ids(document_text(memory.text, memory.speaker), analyzer)


class RowWriter:
    """What one transaction does to rows.

    Args:
        transaction: What it is done in.
        analyzer: Of the file.
    """

    def __init__(self, transaction: Transaction, analyzer: Analyzer) -> None:
        self.transaction = transaction
        self._analyzer = analyzer
        self._unembedded: dict[int, StoredMemory] = {}
        self._terms: dict[int, TermIds] = {}

    def _insert(self, rows: Sequence[StoredMemory]) -> None:
        self.transaction.insert(rows, [self._terms_of(row) for row in rows])
        self._unembedded |= {row.row_id: row for row in rows}

    def _update(self, row: StoredMemory) -> None:
        self._terms[row.row_id] = terms_of(row.memory, self._analyzer)
        self.transaction.update(row, self._terms[row.row_id])
        if row.row_id in self._unembedded:
            self._unembedded[row.row_id] = row

    def _delete(self, rows: Sequence[StoredMemory]) -> None:
        for row in rows:
            self._unembedded.pop(row.row_id, None)
        self.transaction.delete([row.row_id for row in rows])

    def _terms_of(self, row: StoredMemory) -> TermIds:
        if row.row_id not in self._terms:
            self._terms[row.row_id] = terms_of(row.memory, self._analyzer)
        return self._terms[row.row_id]

    def _new_row_id(self) -> int:
        return self.transaction.new_row_ids(1)[0]

    # --- forks ---------------------------------------------------------------------------------------------

    def _keep_version(self, row: StoredMemory) -> bool:
        """Keeps a row as it is for the forks that see it, if any do; the row itself may then change."""
        if not row.in_chat or not seen_by_forks(self.transaction, row):
            return False
        version = replace(row, row_id=self._new_row_id(), retired=self._version_of(row))
        self.transaction.insert([version], [terms_of(row.memory, self._analyzer)])
        self.transaction.copy_vectors(row.row_id, version.row_id)
        return True

    def _own_copy(self, view: View, row: StoredMemory, memory: Memory) -> StoredMemory:
        """Gives a fork a copy of what it inherited, with other content."""
        assert view.fork is not None  # or nothing is inherited
        scope = replace(row.seen_by(view.fork).scope, chat=view.scope.chat)
        self._hide(view, row)
        copy = StoredMemory(
            row_id=self._new_row_id(),
            root=row.root,
            space=self.transaction.make_space(scope.user, scope.chat).row_id,
            born=self._version_of(row),
            retired=None,
            memory=memory.with_checked(scope=scope),
        )
        self._insert([copy])
        return copy

    def _hide(self, view: View, row: StoredMemory) -> None:
        """Takes a memory of its parents out of a fork, and away altogether if nobody else sees it."""
        assert view.fork is not None
        self.transaction.hide(view.fork, row.root)
        if row.retired is not None and not seen_by_forks(self.transaction, row):
            self._delete([row])

    def _version_of(self, row: StoredMemory) -> int:
        return self.transaction.next_version(row.scope.user)
