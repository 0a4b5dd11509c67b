"""A write that is asked for again is done once, whatever happened to its answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from romaine.embedder import Embedder
from romaine.errors import MemoryNotFoundError, RepeatedKeyError
from romaine.memory import RoleplayMemory, Scope, Turn, TurnsAdded, receipts
from romaine.memory.receipts import Receipt, answer_once, keep_answer


def receipt(key: str = "1", *, user: str = "ana", request: bytes = b"nods") -> Receipt:
    return Receipt(user=user, key=key, request=request)


def nod(memory: RoleplayMemory, scope: Scope, given: Receipt | None) -> tuple[dict, bool]:
    """Adds a turn that has no source id, so each time anew."""
    said = [Turn("*nods*", speaker="Ana", role="user")]
    return answer_once(memory, given, lambda m: m.add_turns(scope, said), ids)


def ids(added: TurnsAdded) -> dict:
    return {"ids": list(added.ids)}


def count(memory: RoleplayMemory, scope: Scope) -> int:
    return memory.stats(scope).total


def test_the_same_request_again_is_answered_and_not_done(memory, scope):
    first, again = nod(memory, scope, receipt()), nod(memory, scope, receipt())
    assert first == (first[0], False)
    assert again == (first[0], True)
    assert count(memory, scope) == 1


def test_without_a_receipt_each_is_done(memory, scope):
    assert nod(memory, scope, None) != nod(memory, scope, None)
    assert count(memory, scope) == 2


def test_another_key_is_another_request(memory, scope):
    nod(memory, scope, receipt("1"))
    nod(memory, scope, receipt("2"))
    assert count(memory, scope) == 2


def test_users_have_receipts_of_their_own(memory, scope):
    nod(memory, scope, receipt("1"))
    bob = Scope(user="bob")
    assert not nod(memory, bob, receipt("1", user="bob"))[1]
    assert count(memory, bob) == 1


def test_a_key_of_another_request_is_refused(memory, scope):
    nod(memory, scope, receipt())
    with pytest.raises(RepeatedKeyError, match="another request"):
        nod(memory, scope, receipt(request=b"shakes"))
    assert count(memory, scope) == 1


def test_it_holds_in_another_process_and_after_the_file_was_closed(path, gem: Embedder, scope):
    with RoleplayMemory(path, embedder=gem) as memory:
        first = nod(memory, scope, receipt())
    with RoleplayMemory(path, embedder=gem) as memory:
        assert nod(memory, scope, receipt()) == (first[0], True)
        assert count(memory, scope) == 1


def test_what_came_twice_at_once_is_done_once(memory, scope):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: nod(memory, scope, receipt()), range(16)))
    assert len({str(answer) for answer, _ in answers}) == 1
    assert sum(not before for _, before in answers) == 1
    assert count(memory, scope) == 1


def test_a_write_that_fails_leaves_none(memory, scope):
    def forget(m: RoleplayMemory) -> None:
        m.forget(scope, "01a2003c-5c62-7c97-ad15-67ece870e079")

    for _ in range(2):
        with pytest.raises(MemoryNotFoundError):
            answer_once(memory, receipt(), forget, lambda n: {"n": n})


def test_a_write_is_undone_if_its_receipt_cannot_be_kept(memory, scope):
    with pytest.raises(TypeError):
        answer_once(
            memory,
            receipt(),
            lambda m: m.add_turns(scope, [Turn("*nods*", speaker="Ana", role="user")]),
            lambda added: {"added": added},  # JSON cannot hold it
        )
    assert count(memory, scope) == 0


def test_the_answer_to_several_writes(memory, scope):
    assert keep_answer(memory, receipt(), {"n": 1}) == ({"n": 1}, False)
    assert keep_answer(memory, receipt(), {"n": 2}) == ({"n": 1}, True)


def kept(memory: RoleplayMemory) -> int:
    with memory._store.storage.read() as snapshot:
        rows = snapshot.connection.execute("SELECT count(*) FROM setting WHERE key LIKE 'receipts/%'")
        return int(rows.fetchone()[0])


def test_the_oldest_go_when_there_are_too_many(memory, scope, monkeypatch):
    monkeypatch.setattr(receipts, "MAX_RECEIPTS", 3)
    for number in range(10):
        nod(memory, scope, receipt(str(number)))
    assert kept(memory) == 1 + 2 * 3
    assert [nod(memory, scope, receipt(str(n)))[1] for n in (7, 8, 9, 0)] == [True, True, True, False]


def test_the_oldest_go_when_they_are_too_long(memory, monkeypatch):
    monkeypatch.setattr(receipts, "MAX_BYTES", 1000)
    for number in range(10):
        keep_answer(memory, receipt(str(number)), {"long": "x" * 300})
    assert kept(memory) == 1 + 2 * 2
    keep_answer(memory, receipt("huge"), {"long": "x" * 3000})
    assert kept(memory) == 1 + 2
    assert keep_answer(memory, receipt("huge"), {})[1]
