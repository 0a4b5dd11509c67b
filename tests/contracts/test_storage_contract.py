"""Every storage keeps the promises of `romaine.memory.storage`. An engine joins by a line in `ENGINES`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from romaine.errors import StorageClosedError, StorageCorruptError, StorageReadOnlyError
from romaine.memory.records import Kind, Memory, Scope
from romaine.memory.sqlite import SqliteStorage
from romaine.memory.sqlite.transaction import SqliteTransaction
from romaine.memory.storage import Snapshot, Storage, Transaction
from romaine.memory.store import open_storage
from romaine.memory.stored import NOTES, TURNS, RowVectors, Segment, StoredMemory, Wanted
from tests import postgres

DIM = 8
NOON = datetime(2025, 5, 1, 12, tzinfo=timezone.utc)
ANA = Scope(user="ana", character="Cassian", chat="tavern")
BO = Scope(user="bo", chat="tavern")
ODD = "a\0b \ud83d\ude00 \udc80 \U0001f600 ž"

ENGINES: dict[str, Callable[[Path], Storage]] = {
    "sqlite file": lambda folder: SqliteStorage(folder / "memories.db"),
    "sqlite in RAM": lambda _: SqliteStorage(":memory:"),
    "postgres": lambda folder: open_storage(postgres.url_for(folder)),
}
Reopen = Callable[[], AbstractContextManager[Storage]]
LASTING = [name for name in ENGINES if name != "sqlite in RAM"]


@pytest.fixture(params=ENGINES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    opened = ENGINES[request.param](tmp_path)
    yield opened
    opened.close()


@pytest.fixture(params=LASTING)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Reopen:
    @contextmanager
    def opened() -> Iterator[Storage]:
        storage = ENGINES[request.param](tmp_path)
        yield storage
        storage.close()

    return opened


def turn(text: str, position: int | None = 0, scope: Scope = ANA, **fields: object) -> Memory:
    return Memory(scope=scope, kind=fields.pop("kind", "turn"), text=text, position=position, **fields)


def terms(text: str) -> np.ndarray:
    return np.array([len(text), 7], dtype=np.uint32)


def stored(change: Transaction, *memories: Memory) -> list[StoredMemory]:
    """Adds memories with vectors, each in its own space."""
    rows = [
        StoredMemory(
            row_id=row_id,
            root=row_id,
            space=change.make_space(memory.scope.user, memory.scope.chat).row_id,
            born=change.next_version(memory.scope.user),
            retired=None,
            memory=memory,
        )
        for row_id, memory in zip(change.new_row_ids(len(memories)), memories, strict=True)
    ]
    change.insert(rows, [terms(row.memory.text) for row in rows])
    change.put_vectors(vectors_of(*rows))
    return rows


def vectors_of(*rows: StoredMemory, seed: int = 0) -> RowVectors:
    chance = np.random.default_rng([seed, *(row.row_id for row in rows)])
    drawn = chance.standard_normal((2, len(rows), DIM)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=-1, keepdims=True)
    ids = [row.row_id for row in rows]
    return RowVectors(ids, drawn[0], drawn[1], [None] * len(ids), [terms(row.memory.text) for row in rows])


def add(storage: Storage, *memories: Memory) -> list[StoredMemory]:
    with storage.write() as change:
        return stored(change, *memories)


def segment(snapshot: Snapshot, scope: Scope = ANA, **fields: object) -> Segment:
    space = snapshot.space(scope.user, scope.chat)
    assert space is not None
    return Segment(space.row_id, scope.character, in_chat=scope.chat is not None, **fields)


def texts(rows: Iterator[StoredMemory]) -> list[str]:
    return [row.memory.text for row in rows]


def test_the_scopes_of_a_user_are_told_and_no_others(storage: Storage) -> None:
    shared, whole_chat, odd = Scope(user="ana"), replace(ANA, character=None), replace(ANA, chat=ODD)
    with storage.write() as change:
        stored(change, turn("one"), turn("two", 1), turn("three", 2, whole_chat), turn("four", None, shared))
        stored(change, turn("five", 0, odd), turn("of another", 0, BO))
        retired = stored(change, turn("gone", 0, replace(ANA, chat="gone")))[0]
        change.update(replace(retired, retired=retired.born + 1), terms("gone"))
        tavern = change.make_space("ana", "tavern").row_id
        change.add_fork(change.make_space("ana", "fork").row_id, tavern, character="Cassian", at=1)
    with storage.read("ana") as snapshot:
        assert snapshot.scopes("ana") == {
            ANA: 2,
            whole_chat: 1,
            shared: 1,
            odd: 1,
            replace(ANA, chat="fork"): 0,
        }
    with storage.read() as snapshot:
        assert snapshot.scopes("bo") == {BO: 1}
        assert snapshot.scopes("nobody") == {}


def test_a_share_is_of_one_at_a_time(storage: Storage) -> None:
    with storage.claimed(7) as first, storage.claimed(7) as second, storage.claimed(8) as other:
        assert (first, second, other) == (True, False, True)
    with storage.claimed(7) as again:
        assert again


# --- what is kept ------------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was(storage: Storage) -> None:
    full = Memory(
        scope=Scope(user=ODD, character=ODD, chat=ODD), kind="fact", text=ODD, speaker=ODD, role="narrator",
        position=1 << 40, created_at=NOON + timedelta(microseconds=1), source_id=ODD, parent_id=ODD,
        known_by=frozenset({ODD, "Odo"}), category="plot_event", importance=1 / 3, pinned=True, cold=True,
        access_count=9, last_used_at=NOON, valid_from=1, valid_to=1 << 53, token_count=3,
        metadata={"a": [1, None, {"b": ODD}], ODD: 0.1},
    )  # fmt: skip
    bare = Memory(scope=Scope(user="ana"), kind="lore", text="", created_at=NOON)
    for memory in (full, bare):
        (row,) = add(storage, memory)
        with storage.read() as snapshot:
            assert list(snapshot.rows(None, Wanted(id=memory.id))) == [row]
            assert list(snapshot.rows(segment(snapshot, memory.scope))) == [row]
    with storage.read() as snapshot:
        at = segment(snapshot, full.scope)
        assert texts(snapshot.rows(at, Wanted(source_id=ODD, parent_id=ODD, source_prefix=ODD[:4]))) == [ODD]
        assert texts(snapshot.rows(at, Wanted(source_id=ODD[:4]))) == []
        assert snapshot.space(ODD, ODD[:4]) is None


def test_settings(storage: Storage) -> None:
    with storage.write() as change:
        change.set("one", 1)
        change.set("two", ODD.replace("\ud83d\ude00", "").replace("\udc80", ""))
        change.set("three", "3")
        change.set("three", None)
        assert change.setting("one") == 1
    with storage.read() as snapshot:
        assert [snapshot.setting(key) for key in ("one", "three", "four")] == [1, None, None]
        assert "ž" in str(snapshot.setting("two"))


def test_what_was_written_is_there_after_reopening(
    reopen: Callable[[], AbstractContextManager[Storage]],
) -> None:
    with reopen() as storage:
        (row,) = add(storage, turn("kept"))
    with reopen() as storage, storage.read("ana") as snapshot:
        assert list(snapshot.rows(segment(snapshot))) == [row]
        assert (snapshot.version("ana"), snapshot.size() > 0) == (1, True)


def test_nothing_of_a_failed_transaction_is_there(storage: Storage) -> None:
    add(storage, turn("before"))

    def interrupted() -> None:
        with storage.write("ana") as change:
            stored(change, turn("lost", 1))
            change.set("lost", 1)
            assert texts(change.rows(segment(change))) == ["before", "lost"]  # it sees what it did
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with storage.read("ana") as snapshot:
        assert texts(snapshot.rows(segment(snapshot))) == ["before"]
        assert (snapshot.version("ana"), snapshot.setting("lost")) == (1, None)


def test_a_snapshot_sees_one_state(reopen: Reopen) -> None:
    with reopen() as storage, ThreadPoolExecutor(1) as pool:
        add(storage, turn("before"))
        with storage.read("ana") as snapshot:
            at = segment(snapshot)
            pool.submit(add, storage, turn("after", 1)).result(30)
            assert texts(snapshot.rows(at)) == ["before"]
            with storage.read("ana") as inner:
                assert texts(inner.rows(at)) == ["before"]
            assert (snapshot.version("ana"), snapshot.count_since(at, -1)) == (1, 1)
        with storage.read("ana") as snapshot:
            assert texts(snapshot.rows(at)) == ["before", "after"]


def test_writers_at_once_lose_nothing(storage: Storage) -> None:
    def write(number: int) -> None:
        with storage.write("ana") as change:
            space = change.make_space("ana", "tavern")
            change.reserve_positions(space.row_id, space.next_position + 1)
            stored(change, turn(f"{number}", space.next_position))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    with storage.read("ana") as snapshot:
        rows = list(snapshot.rows(segment(snapshot)))
        assert sorted(row.position or 0 for row in rows) == list(range(40))
        assert len({row.row_id for row in rows}) == len({row.born for row in rows}) == 40
        assert snapshot.version("ana") == 40


# --- versions ----------------------------------------------------------------------------------------------


def test_each_user_has_a_version(storage: Storage) -> None:
    with storage.write("ana") as change:
        assert (change.version("ana"), change.next_version("ana"), change.next_version("ana")) == (0, 1, 1)
        (row,) = stored(change, turn("one"))
    add(storage, turn("two", 1), turn("for Bo", scope=BO))
    with storage.write("bo") as change:
        change.set("anything", 1)  # touches nobody's memories
    with storage.read() as snapshot:
        assert [snapshot.version(user) for user in ("ana", "bo", "cy")] == [2, 1, 0]
        assert row.born == 1


def test_what_is_new_and_what_is_gone(storage: Storage) -> None:
    one, two, three, note = add(
        storage,
        turn("one", 0, source_id="s"),
        turn("two", 1, known_by=frozenset({"Cassian"})),
        turn("three", 2),
        turn("note", None, kind="fact", category="other", created_at=NOON),
    )
    add(storage, turn("for Bo", scope=BO), turn("secret", 3, known_by=frozenset({"Odo"})))

    def news(since: int) -> tuple[list[str], list[int]]:
        with storage.read("ana") as snapshot:
            at = segment(snapshot)
            batches = list(snapshot.index_rows(at, since, DIM))
            found = [row_id for batch in batches for row_id in batch.row_ids]
            gone = sorted({*snapshot.gone_since(at, since)})
            assert len(found) <= snapshot.count_since(at, since)
            return texts(snapshot.rows(at, Wanted(row_ids=found))), gone

    secret = note.row_id + 2
    assert news(-1) == (["one", "two", "three", "note"], [secret])
    assert news(2) == ([], [])
    with storage.write("ana") as change:
        change.update(replace(one, memory=one.memory.with_checked(text="One")), terms("One"))
        change.update(replace(three, retired=change.next_version("ana")), terms("three"))
        change.delete([two.row_id])
    assert news(2) == (["One"], [two.row_id, three.row_id])
    assert news(3) == ([], [])
    with storage.read("ana") as snapshot:
        at = segment(snapshot)
        assert sorted(snapshot.turns(at)) == [(0, one.row_id)]
        mine = {(at.space, 3)}
        assert snapshot.space_versions(ANA, []) == mine
        other = snapshot.space_versions(Scope(user="ana"), [at.space])
        assert other == mine


def test_an_index_gets_what_was_stored(storage: Storage) -> None:
    memory = turn("heron", 4, speaker=ODD, pinned=True, importance=0.5, valid_to=9, created_at=NOON)
    (row,) = add(storage, memory)
    kept = vectors_of(row)
    with storage.read("ana") as snapshot:
        (rows,) = snapshot.index_rows(segment(snapshot), -1, DIM)
        assert (rows.row_ids[0], rows.kinds[0], rows.categories[0]) == (row.row_id, Kind.TURN, None)
        assert (rows.speakers[0], rows.known_by[0], rows.positions[0]) == (ODD, frozenset(), 4)
        assert (rows.importance[0], rows.pinned[0], rows.cold[0]) == (0.5, True, False)
        assert (rows.created[0], rows.valid_from[0], rows.valid_to[0]) == (1_746_100_800_000_000, None, 9)
        assert rows.terms[0].tolist() == terms("heron").tolist()
        assert (rows.vectors == kept.vectors).all()
        assert (rows.contexts == kept.contexts).all()
        assert not rows.damaged
        assert (snapshot.vectors([row.row_id, 99], DIM)[row.row_id] == kept.vectors[0]).all()
        assert snapshot.has_vectors(kept) == [True]
        assert snapshot.has_vectors(vectors_of(row, seed=1)) == [False]
        (wrong,) = snapshot.index_rows(segment(snapshot), -1, DIM + 1)
        assert list(wrong.damaged) == [row.row_id]


# --- what is seen ------------------------------------------------------------------------------------------


def test_a_segment_sees_its_part(storage: Storage) -> None:
    shared = replace(ANA, character=None)
    others = replace(ANA, character="Mira")
    one, two, _, mine, theirs, _ = add(
        storage,
        turn("one", 0, shared),
        turn("two", 1, shared),
        turn("three", 2, shared),
        turn("mine", 1),
        turn("theirs", 1, others),
        turn("nowhere", None, shared, kind="fact"),
    )
    with storage.write("ana") as change:
        version = change.next_version("ana")
        change.update(replace(one, retired=version), terms("one"))
        stored(change, turn("four", 3, shared))
    with storage.read("ana") as snapshot:
        at = segment(snapshot)
        assert texts(snapshot.rows(at)) == ["two", "three", "mine", "nowhere", "four"]
        assert texts(snapshot.rows(replace(at, character=None))) == ["two", "three", "nowhere", "four"]
        assert "theirs" in texts(snapshot.rows(replace(at, everyone=True)))
        assert texts(snapshot.rows(replace(at, until=1))) == ["two", "mine", "nowhere"]
        assert texts(snapshot.rows(replace(at, as_of=version - 1))) == [
            "one",
            "two",
            "three",
            "mine",
            "nowhere",
        ]
        hidden = replace(at, hidden=frozenset({two.root, mine.root}))
        assert texts(snapshot.rows(hidden)) == ["three", "nowhere", "four"]
        assert sum(count.memories for count in snapshot.counts(at)) == 5
        assert len(list(snapshot.rows(None))) == 7
        assert theirs.row_id in {row.row_id for row in snapshot.rows(None)}


def test_rows_are_chosen_and_ordered(storage: Storage) -> None:
    add(
        storage,
        turn("late", 5),
        turn("early", 1, source_id="s1", parent_id="p"),
        turn("fact", 5, kind="fact", source_id="s2", parent_id="p"),
        turn("lore", None, kind="lore"),
        turn("middle", 3),
        turn("also middle", 3),
    )
    with storage.read("ana") as snapshot:
        at = segment(snapshot)

        def found(**fields: object) -> list[str]:
            return texts(snapshot.rows(at, Wanted(**fields)))

        rows = {row.memory.text: row for row in snapshot.rows(at)}
        assert found(placed=True) == ["early", "middle", "also middle", "late", "fact"]
        assert found(placed=False) == ["lore"]
        assert found(kinds=TURNS, before=(5, 0)) == ["also middle", "middle", "early"]
        assert found(kinds=TURNS, before=(3, rows["also middle"].row_id)) == ["middle", "early"]
        assert found(kinds=TURNS, after=1) == ["middle", "also middle", "late"]
        assert found(kinds=NOTES) == ["fact", "lore"]
        assert found(kinds=frozenset({Kind.LORE, Kind.TURN}), placed=False) == ["lore"]
        assert found(kinds=frozenset()) == []
        assert found(source_prefix="s") == ["early", "fact"]
        assert found(kinds=TURNS, parent_id="p") == ["early"]
        assert found(row_ids=[]) == []
        assert found(root=rows["late"].root) == ["late"]
        assert texts(iter(snapshot.rows_after(rows["late"].row_id, 2))) == ["early", "fact"]
        first = snapshot.rows(at, Wanted(kinds=TURNS, after=0))
        assert next(first).memory.text == "early"  # and no more is read


def test_a_slip_does_not_reach_another_user(storage: Storage) -> None:
    add(storage, turn("for Bo", scope=BO))
    with storage.read("ana") as snapshot, pytest.raises(AssertionError, match="'bo' is not among"):
        snapshot.space("bo", "tavern")


# --- forks, what supersedes what, versions of memories -----------------------------------------------------


def test_forks_and_what_they_hide(storage: Storage) -> None:
    one, two = add(storage, turn("one"), turn("two", 1))
    with storage.write("ana") as change:
        parent = change.make_space("ana", "tavern").row_id
        space = change.make_space("ana", "fork").row_id
        assert not change.is_taken(space, None)
        change.add_fork(space, parent, character="Cassian", at=1)
        fork = change.fork(space, "Cassian")
        assert fork is not None
        assert (fork.parent, fork.at, fork.version, fork.chat) == (parent, 1, 2, "fork")
        assert (change.fork(space, "Mira"), change.fork(parent, "Cassian")) == (None, None)
        assert [change.is_taken(space, name) for name in ("Cassian", "Mira", None)] == [True, False, True]
        assert change.forks_of(parent) == [fork]
    with storage.write("ana") as change:
        change.hide(fork, one.root)
        change.hide(fork, one.root)
    with storage.read("ana") as snapshot:
        assert snapshot.hidden(fork.row_id) == {one.root: 3}
        assert snapshot.hidden(fork.row_id, two.root) == {}
        assert fork.scope(one) == replace(ANA, chat="fork")


def test_versions_of_a_memory_have_one_root(storage: Storage) -> None:
    old, new = add(storage, turn("old", kind="fact"), turn("new", kind="fact"))
    with storage.write("ana") as change:
        change.supersede(new.space, old.root, new.root)
        (copy,) = change.new_row_ids(1)
        change.insert([replace(old, row_id=copy, retired=change.next_version("ana"))], [terms("old")])
        change.copy_vectors(old.row_id, copy)
    with storage.read("ana") as snapshot:
        assert snapshot.superseded(new.space) == [(old.row_id, new.row_id), (copy, new.row_id)]
        assert [row.row_id for row in snapshot.rows(None, Wanted(root=old.root))] == [old.row_id, copy]
        both = snapshot.vectors([old.row_id, copy], DIM)
        assert (both[old.row_id] == both[copy]).all()
    with storage.write("ana") as change:
        change.delete([old.row_id])
        assert change.superseded(new.space) == [(copy, new.row_id)]
        change.delete([copy])
        assert change.superseded(new.space) == []
        (following,) = change.new_row_ids(1)
    assert following > copy  # a row is never given twice


# --- vectors of tokens -------------------------------------------------------------------------------------


def kept(storage: Storage, *rows: StoredMemory) -> list[bytes | None]:
    with storage.read() as snapshot:
        found = snapshot.token_vectors([row.row_id for row in rows])
        assert snapshot.findings(DIM, lambda memory: terms(memory.text)).damaged == []
    return [found.get(row.row_id) for row in rows]


def put(storage: Storage, *rows: StoredMemory, tokens: list[bytes] | None, seed: int = 0) -> None:
    with storage.write() as change:
        change.put_vectors(replace(vectors_of(*rows, seed=seed), tokens=tokens))


def test_tokens_are_kept_with_the_vectors_they_belong_to(storage: Storage) -> None:
    rows = add(storage, turn("one"), turn("two", 1), turn("three", 2, BO))
    assert kept(storage, *rows) == [None, None, None]
    put(storage, *rows, tokens=[b"of one", b"", b"\0of three"])
    assert kept(storage, *rows) == [b"of one", b"", b"\0of three"]
    put(storage, rows[0], tokens=[b"of another"], seed=1)
    put(storage, rows[2], tokens=None, seed=1)  # such as a worker that keeps none
    assert kept(storage, *rows) == [b"of another", b"", None]
    with storage.write() as change:
        change.update(replace(rows[0], memory=turn("one", importance=0.9)), terms("one"))
        change.delete([rows[1].row_id])
    assert kept(storage, *rows) == [b"of another", None, None]
    with storage.read("ana") as snapshot:
        assert snapshot.token_vectors([]) == {}
        assert snapshot.token_vectors([rows[0].row_id, 1 << 40]) == {rows[0].row_id: b"of another"}


def test_a_copy_of_a_row_has_its_tokens(storage: Storage) -> None:
    (row,) = add(storage, turn("one"))
    put(storage, row, tokens=[b"of one"])
    with storage.write("ana") as change:
        (copy,) = change.new_row_ids(1)
        change.insert([replace(row, row_id=copy, retired=change.next_version("ana"))], [terms("one")])
        change.copy_vectors(row.row_id, copy)
    with storage.write("ana") as change:
        change.delete([row.row_id])
    assert kept(storage, row, replace(row, row_id=copy)) == [None, b"of one"]


def test_tokens_of_the_next_embedder_wait_until_the_switch(storage: Storage) -> None:
    rows = add(storage, turn("one"), turn("two", 1), turn("three", 2))
    put(storage, *rows, tokens=[b"1", b"2", b"3"])
    with storage.write() as change:
        pending = change.pending(0, None)
        change.put_pending(pending, replace(vectors_of(*rows, seed=1), tokens=[b"x", b"y", b"z"]))
        change.drop_pending()
        change.put_pending(pending, replace(vectors_of(*rows, seed=1), tokens=[b"a", b"b", b"c"]))
        change.put_pending(pending[:1], replace(vectors_of(rows[0], seed=1), tokens=[b"A"]))
        change.delete([rows[2].row_id])
    assert kept(storage, *rows) == [b"1", b"2", None]
    with storage.write() as change:
        change.switch_vectors()
    assert kept(storage, *rows) == [b"A", b"b", None]
    with storage.write() as change:
        change.put_pending(change.pending(0, None), vectors_of(*rows[:2], seed=2))
        change.switch_vectors()
    assert kept(storage, *rows) == [None, None, None]


def test_tokens_are_copied_exactly(storage: Storage, tmp_path: Path) -> None:
    rows = add(storage, turn("one"), turn("two", 1))
    put(storage, rows[0], tokens=[b"of one"])
    with storage.read() as snapshot:
        contents, packed = snapshot.contents_of("ana"), list(snapshot.packed_rows("ana"))
    assert [each.tokens for each in packed] == [b"of one", None]
    (tmp_path / "other").mkdir()
    for make in ENGINES.values():
        other = make(tmp_path / "other")
        with other.write() as change:
            change.put_contents(contents)
            change.put_packed("ana", packed)
        assert kept(other, *rows) == [b"of one", None]
        other.close()


def test_nothing_of_tokens_outlives_a_user(storage: Storage) -> None:
    (row,) = add(storage, turn("one"))
    put(storage, row, tokens=[b"of one"])
    with storage.write() as change:
        change.drop_user("ana")
    assert kept(storage, row) == [None]


def test_damaged_tokens_are_told_and_left_out(reopen: Reopen) -> None:
    with reopen() as storage:
        rows = add(storage, turn("one"), turn("two", 1))
        put(storage, *rows, tokens=[b"of one", b"of two"])
        with storage.write() as change:
            damage_tokens(change, rows[0].row_id)
        with storage.read() as snapshot:
            found = snapshot.findings(DIM, lambda memory: terms(memory.text))
            assert [damage.row_id for damage in found.damaged] == [rows[0].row_id]
            assert snapshot.token_vectors([row.row_id for row in rows]) == {rows[1].row_id: b"of two"}
            with pytest.raises(StorageCorruptError, match="is not what was stored"):
                list(snapshot.packed_rows("ana"))


def damage_tokens(change: Transaction, row_id: int) -> None:
    """Changes a byte behind the storage's back, whichever it is."""
    if isinstance(change, SqliteTransaction):
        change.connection.execute("UPDATE token SET tokens = x'00' WHERE no = ?", (row_id,))
    else:
        change.session.do("UPDATE token SET tokens = '\\x00' WHERE no = %s", (row_id,))


# --- another embedder --------------------------------------------------------------------------------------


def test_vectors_of_the_next_embedder_wait_until_the_switch(storage: Storage) -> None:
    rows = add(storage, turn("one"), turn("two", 1), turn("for Bo", scope=BO))
    with storage.write() as change:
        pending = change.pending(0, 2)
        assert [p.row for p in pending] == rows[:2]
        assert [p.terms.tolist() for p in pending] == [terms("one").tolist(), terms("two").tolist()]
        assert [p.previous for p in pending] == [None, None]
        change.put_pending(pending, vectors_of(*rows[:2], seed=1))
        assert change.progress() == (2, 3)
    with storage.write("ana") as change:  # meanwhile
        change.update(rows[0], terms("one"))
        change.put_vectors(vectors_of(rows[0], seed=2))
        change.delete([rows[1].row_id])
    with storage.write() as change:
        left = change.pending(0, None)
        assert [p.row.row_id for p in left] == [rows[0].row_id, rows[2].row_id]
        change.put_pending(left, vectors_of(rows[0], rows[2], seed=3))
        change.put_pending(pending[1:], vectors_of(rows[1], seed=3))  # it is gone: nothing is kept
        assert change.pending(0, None) == []
        before = [change.version(user) for user in ("ana", "bo")]
        change.switch_vectors()
        assert change.progress() == (0, 2)
    with storage.read() as snapshot:
        assert snapshot.has_vectors(vectors_of(rows[0], rows[2], seed=3)) == [True, True]
        assert [snapshot.version(user) for user in ("ana", "bo")] == [version + 1 for version in before]
        assert snapshot.count_since(segment(snapshot), before[0]) == 1
        assert snapshot.findings(DIM, lambda memory: terms(memory.text)).damaged == []


# --- looking after it --------------------------------------------------------------------------------------


def test_a_sound_storage_has_no_findings(storage: Storage) -> None:
    rows = add(storage, turn("one"), turn("two", 1), turn(ODD, scope=BO))
    with storage.write() as change:
        change.set("terms", 1)
        change.update(replace(rows[0], memory=turn("other words")), terms("other"))
    with storage.read() as snapshot:
        found = snapshot.findings(DIM, lambda memory: terms(memory.text))
        assert (found.rows, list(found.damaged), list(found.problems)) == (3, [], [])
        wrong = snapshot.findings(DIM + 1, lambda memory: terms(memory.text))
        assert [damage.row for damage in wrong.damaged] == list(snapshot.rows(None))


def test_a_closed_storage_says_so(storage: Storage) -> None:
    storage.check_process()
    assert storage.erase_deleted(1.0)
    assert not storage.owns(Path("elsewhere"))
    storage.close()
    storage.close()
    for use in (storage.read, storage.write):
        with pytest.raises(StorageClosedError), use("ana"):
            pass


def test_reads_of_many_threads_run_side_by_side(
    reopen: Callable[[], AbstractContextManager[Storage]],
) -> None:
    with reopen() as storage:
        add(storage, turn("one"))
        together = threading.Barrier(4)

        def read() -> list[str]:
            with storage.read("ana") as snapshot:
                together.wait(30)
                return texts(snapshot.rows(segment(snapshot)))

        with ThreadPoolExecutor(4) as pool:
            assert [pool.submit(read) for _ in range(3)]
            assert read() == ["one"]


def test_read_only(tmp_path: Path) -> None:
    SqliteStorage(tmp_path / "memories.db").close()
    storage = SqliteStorage(tmp_path / "memories.db", read_only=True)
    assert storage.read_only
    with pytest.raises(StorageReadOnlyError), storage.write("ana"):
        pass
    storage.close()
