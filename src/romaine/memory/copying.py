"""Copying memories from one storage into another, row for row, resumably; checked at the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from romaine.errors import OptionError, StorageError
from romaine.memory.checks import check_names
from romaine.memory.codec import VectorFormat
from romaine.memory.contents import PackedRow, UserContents
from romaine.memory.exchange import to_json
from romaine.memory.storage import Progress, Setting, Snapshot, Storage
from romaine.memory.store import COPYING, check_complete, open_storage

_BATCH = 1000
_UNDER_WAY = ("renewed", "reworded", "next_analyzer")  # what an older release left to be done at opening
_OWN = frozenset({COPYING, "next_embedder", "large"})  # the vectors of a change of embedder stay behind
_NOBODY = "0 "


@dataclass(frozen=True)
class CopiedUser:
    """A user as both sides have them.

    Attributes:
        user: Whose.
        rows: Memories, earlier versions that only forks see included.
        digest: SHA-256 over all that is kept of them, as hex digits.
    """

    user: str
    rows: int
    digest: str


@dataclass(frozen=True)
class Copied:
    """What a copy has done.

    Attributes:
        rows: How many rows were copied in this call; 0 if the target was complete.
        users: Everybody that was to be copied, as both sides have them now.
    """

    rows: int
    users: Sequence[CopiedUser]


def copy(
    source: str | Path | Storage,
    target: str | Path | Storage,
    *,
    users: Collection[str] | None = None,
    batch_size: int = _BATCH,
    progress: Progress | None = None,
    lock_timeout: float = 60.0,
) -> Copied:
    """Copies memories into an empty storage, exactly: versions, forks, vectors as they are kept, settings.

    May be interrupted at any time and called again: it goes on where it was, and takes users who have changed
    since anew. Until it is complete, and both sides are found to be the same, the target cannot be opened as
    a memory. Then another call only compares them. The source is read in one state, whoever writes to it
    meanwhile; what is written after the call began is not in the copy.

    Args:
        source: A file, the URL of a server, or an open storage, which stays open.
        target: The same; a file is made if it is not there.
        users: Who is copied; None for all. A call that goes on must name the same.
        batch_size: Rows put into the target at a time.
        progress: Told how many rows have been copied or compared, of how many.
        lock_timeout: Seconds to wait for other processes, where a storage is not given.

    Raises:
        OptionError: If `users` names somebody who is not there.
        StorageIncompleteError: If the source is itself the target of a copy that is not complete.
        StorageError: If the target holds other things; and as its subclasses say.
    """
    named = None if users is None else check_names("users", users)
    with ExitStack() as opened:

        def storage(given: str | Path | Storage, *, read_only: bool) -> Storage:
            if isinstance(given, Storage):
                return given
            made = open_storage(given, lock_timeout=lock_timeout, read_only=read_only)
            opened.callback(made.close)
            return made

        taken = storage(source, read_only=True)
        given = storage(target, read_only=False)
        with taken.read() as snapshot:
            return _Copy(taken, given, snapshot, named, batch_size, progress).run()


@dataclass(frozen=True)
class _Piece:
    """Something of a user that is put at once; `contents` begins them."""

    user: str
    contents: UserContents | None
    rows: Sequence[PackedRow] = ()


class _Copy:
    def __init__(
        self,
        source: Storage,
        target: Storage,
        snapshot: Snapshot,
        users: Collection[str] | None,
        batch_size: int,
        progress: Progress | None,
    ) -> None:
        self._source, self._target, self._snapshot = source.name, target, snapshot
        self._batch_size, self._progress = batch_size, progress
        check_complete(snapshot, source.name)
        self._settings = _settings_of(snapshot)
        self._fit_vectors(target)
        left = [key for key in _UNDER_WAY if key in self._settings]
        if left:
            raise StorageError(
                f"{source.name} has {', '.join(left)} to be finished, which opening it does; open it once and"
                " copy it then"
            )
        there = snapshot.users()
        missing = sorted(set(users or ()) - there.keys())
        if missing:
            raise OptionError(f"users={missing} are not in {source.name}; leave them out")
        wanted = there if users is None else users
        self._users = {user: there[user] for user in sorted(wanted, key=_key)}
        self._done = 0
        self._total = 2 * snapshot.progress()[1]
        if users is not None:
            self._total = 2 * sum(snapshot.contents_of(user).rows for user in self._users)

    def _fit_vectors(self, target: Storage) -> None:
        """Keeps vectors as the target was made to, or can, if that holds the same numbers."""
        ours = VectorFormat(self._settings.get("vector_format") or VectorFormat.FLOAT32)
        with target.read() as snapshot:
            theirs = VectorFormat(snapshot.setting("vector_format") or ours)
        if theirs.portable is ours.portable:
            ours = theirs
        if ours not in target.vector_formats:
            ours = ours.portable
        self._settings["vector_format"] = ours.value

    def run(self) -> Copied:
        mark = self._begin()
        copied = 0
        if mark is not None:
            for group in _grouped(self._pieces(mark), self._batch_size):
                mark = self._put(group, mark)
                copied += sum(len(piece.rows) for piece in group)
        users = self._compared(began=mark is not None)
        if mark is not None:
            with self._target.write() as transaction:
                self._check_mark(transaction, mark)
                transaction.set(COPYING, None)
        return Copied(copied, users)

    def _begin(self) -> str | None:
        """Marks an empty target as being copied; returns how far it is, or None if it is not being copied."""
        with self._target.write() as transaction:
            mark, present = transaction.setting(COPYING), _settings_of(transaction)
            self._held = transaction.users()
            if mark is None and self._held:
                return None
            if mark is None:
                for key in present.keys() - self._settings.keys():
                    transaction.set(key, None)
                for key, value in self._settings.items():
                    transaction.set(key, value)
                transaction.set(COPYING, _NOBODY)
                return _NOBODY
            if present != self._settings or not self._held.keys() <= self._users.keys():
                raise StorageError(
                    f"{self._target.name} is being copied from something else, or was begun with other users;"
                    " go on with that, or delete it"
                )
            return str(mark)

    def _pieces(self, mark: str) -> Iterator[_Piece]:
        """What is left to be put, in the order of users and rows."""
        row_id, reached = mark.split(" ")
        for user, version in self._users.items():
            key = _key(user).hex()
            is_same = self._held.get(user) == version
            if is_same and key < reached:
                self._tell(self._snapshot.contents_of(user).rows)
                continue
            after = int(row_id) if is_same and key == reached else 0
            contents = self._snapshot.contents_of(user)
            if not (is_same and key == reached):
                yield _Piece(user, contents)
            rows = self._snapshot.packed_rows(user, after)
            count = 0
            while batch := list(islice(rows, self._batch_size)):
                yield _Piece(user, None, batch)
                count += len(batch)
                self._tell(len(batch))
            self._tell(contents.rows - count)  # done earlier

    def _put(self, pieces: Sequence[_Piece], mark: str) -> str:
        """Puts pieces in one transaction; returns the mark that it has left."""
        last = pieces[-1]
        reached = f"{last.rows[-1].row.row_id if last.rows else 0} {_key(last.user).hex()}"
        with self._target.write() as transaction:
            self._check_mark(transaction, mark)
            for piece in pieces:
                if piece.contents is not None:
                    if piece.user in self._held:
                        transaction.drop_user(piece.user)
                    transaction.put_contents(piece.contents)
                if piece.rows:
                    transaction.put_packed(piece.user, piece.rows)
            transaction.set(COPYING, reached)
        return reached

    def _check_mark(self, snapshot: Snapshot, mark: str) -> None:
        if snapshot.setting(COPYING) != mark:
            raise StorageError(
                f"another process copies into {self._target.name} meanwhile; let one of them end"
            )

    def _compared(self, *, began: bool) -> list[CopiedUser]:
        """Everybody, if both sides are the same.

        Raises:
            StorageError: If they are not.
        """
        found = []
        with self._target.read() as target:
            others = target.users() != self._users or _settings_of(target) != self._settings
            for user in () if others else self._users:
                ours = _digest(self._snapshot, user)
                others |= ours != _digest(target, user)
                found.append(ours)
                self._tell(ours.rows)
        if not others:
            return found
        if began:
            raise StorageError(
                f"{self._target.name} is not the same as {self._source} after copying; delete it and copy"
                " again"
            )
        raise StorageError(
            f"{self._target.name} holds other things than {self._source}; copy into one that is empty"
        )

    def _tell(self, rows: int) -> None:
        self._done += rows
        if rows and self._progress is not None:
            self._progress(self._done, max(self._total, self._done))


def _settings_of(snapshot: Snapshot) -> dict[str, Setting]:
    return {key: value for key, value in snapshot.settings().items() if key not in _OWN}


def _key(user: str) -> bytes:
    return user.encode("utf-8", "surrogatepass")


def _grouped(pieces: Iterator[_Piece], size: int) -> Iterator[list[_Piece]]:
    """Pieces by transactions, since many users have only a few rows."""
    group: list[_Piece] = []
    held = 0
    for piece in pieces:
        group.append(piece)
        held += len(piece.rows) + 1
        if held > size:
            yield group
            group, held = [], 0
    if group:
        yield group


def _digest(snapshot: Snapshot, user: str) -> CopiedUser:
    """A user's rows counted, and a digest over all that is kept of them, the same for all engines."""
    contents = snapshot.contents_of(user)
    digest = hashlib.sha256(_canonical(asdict(contents)))
    count = 0
    for packed in snapshot.packed_rows(user):
        row = packed.row
        numbers = (row.row_id, row.root, row.space, row.born, row.retired, packed.previous)
        digest.update(_canonical([numbers, to_json(row.memory)]))
        for blob in (packed.vector, packed.context, packed.terms.astype("<u4").tobytes()):
            digest.update(len(blob).to_bytes(8, "little") + blob)
        count += 1
    return CopiedUser(user, count, digest.hexdigest())


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
