"""Receipts: the answer to a write, kept with it, so that a write that is asked for again is done once.

A caller whose answer was lost, because the connection or the server broke, cannot know whether the write was
done. It asks again with the same key and gets the answer that it missed. A receipt stands in the transaction
of its write: there is no moment at which one is kept and the other is not, and a kill changes nothing of it.

They stand among the file's settings, in a ring for each user: the oldest go once there are `MAX_RECEIPTS` or
`MAX_BYTES` of them. An answer must not hold texts of memories: what is forgotten would stay in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from romaine.errors import RepeatedKeyError
from romaine.memory.change import Change
from romaine.memory.memory import RoleplayMemory
from romaine.memory.storage import Snapshot, Transaction
from romaine.memory.store import Apply, Hint, Result, Store

MAX_RECEIPTS = 1_000
MAX_BYTES = 4 << 20

Answer = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What a repeated request is known by.

    Attributes:
        user: Whose memory it writes.
        key: The same for the same request, another one for every other of this user.
        request: What is asked, to tell a key that was used for something else; only its hash is kept.
    """

    user: str
    key: str
    request: bytes

    def find(self, snapshot: Snapshot) -> Answer | None:
        """Returns the answer that was given, or None if there was no such request.

        Raises:
            RepeatedKeyError: If the key was used for another one.
        """
        kept = snapshot.setting(self._name)
        if kept is None:
            return None
        entry = json.loads(str(kept))
        if entry["request"] != _hash(self.request):
            raise RepeatedKeyError(
                "this idempotency key was used for another request; give every request a new one, and the"
                " same one only to the same request again"
            )
        answer: Answer = entry["answer"]
        return answer

    def keep(self, transaction: Transaction, answer: Answer) -> None:
        """Keeps an answer, and drops the oldest ones beyond what is kept."""
        entry = json.dumps({"request": _hash(self.request), "answer": answer}, separators=(",", ":"))
        ring = transaction.setting(self._ring)
        first, following, size = json.loads(str(ring)) if ring else (0, 0, 0)
        transaction.set(self._name, entry)
        transaction.set(f"{self._ring}/{following}", json.dumps([self._name, len(entry)]))
        following, size = following + 1, size + len(entry)
        while following - first > MAX_RECEIPTS or (size > MAX_BYTES and following - first > 1):
            place = f"{self._ring}/{first}"
            oldest, length = json.loads(str(transaction.setting(place)))
            transaction.set(oldest, None)
            transaction.set(place, None)
            first, size = first + 1, size - length
        transaction.set(self._ring, json.dumps([first, following, size]))

    @property
    def _ring(self) -> str:
        return f"receipts/{_hash(self.user.encode('utf-8', 'surrogatepass'))}"

    @property
    def _name(self) -> str:
        return f"{self._ring}/{_hash(self.key.encode('utf-8', 'surrogatepass'))}"


def answer_once(
    memory: RoleplayMemory,
    receipt: Receipt | None,
    write: Callable[[RoleplayMemory], object],
    answer: Callable[[Any], Answer],
) -> tuple[Answer, bool]:
    """Does a write and keeps its answer with it, or gives the answer of the same request before.

    Args:
        memory: What is written to.
        receipt: What the request is known by; None to do it in any case.
        write: Calls one writing method, of the memory that it is given.
        answer: Makes the answer of what the write's transaction gives: ids and figures, no texts.

    Returns:
        The answer, and whether it was given before.

    Raises:
        RepeatedKeyError: If the key was used for another request.
        RomaineError: As the method; nothing is kept then.
    """
    if receipt is not None and (known := find_answer(memory, receipt)) is not None:
        return known, True
    store = _ReceiptStore(memory._store, receipt, answer)
    noting = copy(memory)
    noting._store = store
    try:
        write(noting)
    except _KnownError as found:  # the same request came twice at once
        return found.answer, True
    return store.answers[-1], False


def find_answer(memory: RoleplayMemory, receipt: Receipt) -> Answer | None:
    """Returns the answer to the same request before, or None.

    Raises:
        RepeatedKeyError: If the key was used for another request.
    """
    with memory._store.storage.read(receipt.user) as snapshot:
        return receipt.find(snapshot)


def keep_answer(memory: RoleplayMemory, receipt: Receipt, answer: Answer) -> tuple[Answer, bool]:
    """Keeps the answer to several writes, each of which may be done again; returns as `answer_once` does."""
    return answer_once(
        memory, receipt, lambda noting: noting._store.write(lambda _: None, receipt.user), lambda _: answer
    )


class _KnownError(Exception):
    """Undoes the transaction of a request that was answered meanwhile."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class _ReceiptStore(Store):
    """A store whose writes leave a receipt; all else is that of another."""

    def __init__(self, store: Store, receipt: Receipt | None, answer: Callable[[Any], Answer]) -> None:
        self._inner, self._receipt, self._answer = store, receipt, answer
        self.answers: list[Answer] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, apply: Apply[Result], *users: str, hint: Hint | None = None) -> Result:
        """As `Store.write`."""

        def noted(change: Change) -> Result:
            receipt = self._receipt
            if receipt is not None and (known := receipt.find(change.transaction)) is not None:
                raise _KnownError(known)
            result = apply(change)
            answer = self._answer(result)
            if receipt is not None:
                receipt.keep(change.transaction, answer)
            self.answers.append(answer)
            return result

        return self._inner.write(noted, *users, hint=hint)


def _hash(value: bytes) -> str:
    return sha256(value).hexdigest()[:32]
