"""Bringing a file over to another embedder, resumably; the old vectors serve until the switch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from pathlib import Path

from romaine.errors import OptionError, OtherEmbedderError, StorageCorruptError
from romaine.memory.change import draft_of
from romaine.memory.checks import check_count
from romaine.memory.encoder import Draft, Encoder, MemoryEmbedder, name_of
from romaine.memory.language import DEFAULT
from romaine.memory.row_writer import terms_of
from romaine.memory.sequence import turn_before
from romaine.memory.storage import Progress, Snapshot, Storage
from romaine.memory.store import LATE_INTERACTION, check_complete, is_url, open_storage
from romaine.memory.stored import Pending, RowVectors, StoredMemory
from romaine.memory.token_codec import LateInteraction, chosen
from romaine.memory.workers import Workers

_BATCH = 256
_SHARE = 4096  # row ids that one of several workers takes at a time
_PAUSE = 0.1  # seconds between looks at whether others have done their shares, or died
_ROUNDS = 4  # after which writers that keep adding have to wait for what is left


def reembed(
    path: str | Path | Storage,
    embedder: MemoryEmbedder,
    *,
    batch_size: int = _BATCH,
    workers: int = 1,
    progress: Progress | None = None,
    lock_timeout: float = 60.0,
) -> int:
    """Embeds all memories of a file again, then switches to the new vectors in one transaction.

    May be interrupted at any time and called again: what was embedded is kept. Until the switch, memories
    that have the file open with its old embedder go on as before; then they get `OtherEmbedderError`.

    On a server, any number of processes may do it together, on as many machines: each takes a share, and
    what one that died has not done is taken by others.

    Args:
        path: The file, or an open storage, which stays open.
        embedder: The new embedder; the file's own one repairs damaged vectors.
        batch_size: Memories embedded and kept at a time.
        workers: Processes on this machine, for the URL of a server; each loads its own model.
        progress: Told after each batch how many are done, of how many.
        lock_timeout: Seconds to wait for other processes, where a file is given.

    Returns:
        How many memories were embedded in this call.

    Raises:
        OptionError: If several workers are wanted for a file, or for an open storage.
        StorageError: As its subclasses say.
    """
    check_count("workers", workers)
    if isinstance(path, Storage):
        if workers > 1:
            raise OptionError(f"workers={workers}: other processes cannot use an open storage; give its URL")
        return reembed_storage(path, embedder, batch_size=batch_size, progress=progress)
    if workers > 1 and not is_url(path):
        raise OptionError(f"workers={workers}: a file is for one; several can do it on a server")
    with closing(open_storage(path, lock_timeout=lock_timeout)) as storage:
        begin(storage, embedder)
        others = Workers(workers - 1, partial(_join, str(path), embedder, batch_size, lock_timeout))
        with others:
            done = reembed_storage(storage, embedder, batch_size=batch_size, progress=progress, begun=True)
        return done + others.done


def _join(path: str, embedder: MemoryEmbedder, batch_size: int, lock_timeout: float) -> int:
    """Does its part of what another process has begun."""
    with closing(open_storage(path, lock_timeout=lock_timeout)) as storage:
        return reembed_storage(storage, embedder, batch_size=batch_size, begun=True)


def reembed_storage(
    storage: Storage,
    embedder: MemoryEmbedder,
    *,
    batch_size: int = _BATCH,
    progress: Progress | None = None,
    switching: AbstractContextManager[object] | None = None,
    adopt: Callable[[], None] | None = None,
    begun: bool = False,
) -> int:
    """As `reembed`, on an open storage.

    Args:
        storage: What keeps the memories.
        embedder: The new embedder.
        batch_size: Memories embedded and kept at a time.
        progress: Told after each batch how many are done, of how many.
        switching: Held during the switch and `adopt`.
        adopt: Called when the file is the new embedder's.
        begun: Whether somebody has called `begin`, and it may have come to its end since.
    """
    if not begun:
        begin(storage, embedder)
    count = rounds = 0
    while True:
        is_all = True
        for done in _embed_pending(storage, embedder, batch_size):
            if done is None:
                is_all = False
                continue
            count += done
            if progress is not None:
                with storage.read() as snapshot:
                    now = snapshot.progress()
                progress(*now)
        if not is_all:
            time.sleep(_PAUSE)
            continue
        rounds += 1
        with switching or nullcontext():
            if _switch(storage, embedder, whatever_is_left=rounds >= _ROUNDS):
                if adopt is not None:
                    adopt()
                return count


def begin(storage: Storage, embedder: MemoryEmbedder) -> None:
    """Notes that a file is to be brought over to an embedder; what was done for another one goes."""
    name_of(embedder)  # checks it
    target = embedder.fingerprint
    with storage.write() as transaction:
        check_complete(transaction, storage.name)
        if transaction.setting("next_embedder") != target:
            transaction.drop_pending()
            transaction.set("next_embedder", target)


def _embed_pending(storage: Storage, embedder: MemoryEmbedder, batch_size: int) -> Iterator[int | None]:
    """Embeds what is left, share by share; yields how many at a time, and None for a share of another's."""
    last = 0
    while True:
        with storage.read() as snapshot:
            ahead = snapshot.pending(last, 1) if _is_target(snapshot, embedder) else []
        if not ahead:
            return
        share = ahead[0].row.row_id // _SHARE
        with storage.claimed(share) as is_ours:
            if is_ours:
                yield from _embed_share(storage, embedder, share, batch_size)
            else:
                yield None
        last = (share + 1) * _SHARE - 1


def _embed_share(storage: Storage, embedder: MemoryEmbedder, share: int, batch_size: int) -> Iterator[int]:
    last, end = share * _SHARE - 1, (share + 1) * _SHARE
    while True:
        with storage.read() as snapshot:
            batch = [p for p in snapshot.pending(last, batch_size) if p.row.row_id < end]
            previous = [_previous(snapshot, pending) for pending in batch]
            how = chosen(snapshot.setting(LATE_INTERACTION), embedder)
        if not batch:
            return
        vectors = _vectors_of(batch, previous, embedder, how)
        with storage.write() as transaction:
            if not _is_target(transaction, embedder):
                return
            transaction.put_pending(batch, vectors)
        last = batch[-1].row.row_id
        yield len(batch)


def _vectors_of(
    batch: Sequence[Pending],
    previous: Sequence[StoredMemory | None],
    embedder: MemoryEmbedder,
    how: LateInteraction,
) -> RowVectors:
    encoder = Encoder(embedder, keeps_tokens=how is LateInteraction.STORED)
    drafts: list[Draft] = [draft_of(p.row, before) for p, before in zip(batch, previous, strict=True)]
    encoder.prepare(drafts)
    embedded = encoder.embedded(drafts)
    return RowVectors(
        [pending.row.row_id for pending in batch],
        embedded.vectors,
        embedded.contexts,
        [None if before is None else before.root for before in previous],
        [
            # without any: the analyzer is not known here, and whoever opens the file next makes them anew
            terms_of(pending.row.memory, DEFAULT) if pending.terms is None else pending.terms
            for pending in batch
        ],
        embedded.tokens,
    )


def _previous(snapshot: Snapshot, pending: Pending) -> StoredMemory | None:
    """The turn before a row; for a version, the one that its context was made with."""
    if pending.row.retired is not None and pending.terms is not None and pending.previous is None:
        return None
    return turn_before(snapshot, pending.row, pending.previous)


def _is_target(snapshot: Snapshot, embedder: MemoryEmbedder) -> bool:
    """Whether the file is still being brought over to an embedder; not if another process has finished it.

    Raises:
        OtherEmbedderError: If somebody has begun to bring it over to yet another one.
    """
    target, present = snapshot.setting("next_embedder"), snapshot.setting("embedder")
    if target == embedder.fingerprint:
        return True
    if target is None and present == embedder.fingerprint:
        return False
    raise OtherEmbedderError(
        f"the file is being brought over, or was, to embedder {target or present}; reembed to"
        f" {embedder.fingerprint} stopped and keeps nothing: call it again to have that one after all"
    )


def _switch(storage: Storage, embedder: MemoryEmbedder, *, whatever_is_left: bool) -> bool:
    """Puts the new vectors in place if all are there; or embeds what is left while other writers wait.

    Raises:
        StorageCorruptError: If something is left even then.
    """
    with storage.write() as transaction:
        if not _is_target(transaction, embedder):
            return True
        if whatever_is_left:
            batch = transaction.pending(0, None)
            previous = [_previous(transaction, pending) for pending in batch]
            how = chosen(transaction.setting(LATE_INTERACTION), embedder)
            transaction.put_pending(batch, _vectors_of(batch, previous, embedder, how))
        if transaction.pending(0, 1):
            if not whatever_is_left:
                return False
            raise StorageCorruptError(
                f"{storage.name}: memories are left to be embedded that cannot be read; verify() says which,"
                " a backup has them whole"
            )
        transaction.switch_vectors()
        transaction.set("next_embedder", None)
        transaction.set("full_dim", embedder.full_dim)
        transaction.set("embedder", embedder.fingerprint)
        transaction.set("model", name_of(embedder))
        return True
