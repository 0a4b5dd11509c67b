"""Looking for damage in a file, and mending what can be mended."""

from __future__ import annotations

from dataclasses import dataclass

from romaine.memory.change import Change
from romaine.memory.row_writer import terms_of
from romaine.memory.storage import Snapshot
from romaine.memory.store import Store
from romaine.memory.stored import Findings
from romaine.memory.wording import is_worded_by

_MENDED_AT_ONCE = 256


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


def verify(store: Store) -> Health:
    """Checks all that is kept, and every row against its checksum."""
    with store.storage.read() as snapshot:
        found = _findings(store, snapshot)
        problems = list(found.problems)
        if not problems and not is_worded_by(snapshot.setting, store.analyzer):
            problems.append("the words of its memories are those of another analyzer or version")
    names = tuple(damage.name for damage in found.damaged)
    return Health(memories=found.rows, damaged=names, problems=tuple(problems))


def repair(store: Store) -> int:
    """Mends what can be mended, and takes what is readable of the rest as it stands; returns how many.

    Vectors and terms are made anew from the text. Words with lost bytes get U+FFFD in their place. A memory
    that cannot be read at all is deleted.
    """
    with store.storage.read() as snapshot:
        row_ids = [damage.row_id for damage in _findings(store, snapshot).damaged]
    for start in range(0, len(row_ids), _MENDED_AT_ONCE):
        wanted = frozenset(row_ids[start : start + _MENDED_AT_ONCE])

        def mend(change: Change, wanted: frozenset[int] = wanted) -> None:
            for damage in _findings(store, change.transaction).damaged:
                if damage.row is None:  # all of these first: none may stand beside what is mended
                    change.transaction.delete([damage.row_id])
                elif damage.row_id in wanted:
                    change.renew(damage.row)

        store.write(mend)
    return len(row_ids)


def _findings(store: Store, snapshot: Snapshot) -> Findings:
    return snapshot.findings(store.embedder.full_dim, lambda memory: terms_of(memory, store.analyzer))
