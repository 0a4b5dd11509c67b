"""Row-level security: whatever is asked in a transaction, it sees and changes its own users' rows alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from romaine.embedder import Embedder
from romaine.errors import RomaineError, StorageError
from romaine.memory import RoleplayMemory
from romaine.memory.postgres import PostgresStorage, places, snapshot
from romaine.memory.postgres.schema import OWNED
from romaine.memory.records import Scope
from romaine.memory.stored import Segment, Wanted
from tests import postgres
from tests.contracts.test_storage_contract import ANA, BO, DIM, add, terms, turn, vectors_of
from tests.reliability.play import LIFECYCLE, Play


def fill(storage: PostgresStorage) -> None:
    """Something of two users in every table."""
    rows = add(storage, turn("Ana's"), turn("Ana's too", 1), turn("Bo's", 0, BO), turn("Bo's too", 1, BO))
    with storage.write() as change:
        for scope, (old, new) in ((ANA, rows[:2]), (BO, rows[2:])):
            space = change.make_space(scope.user, "fork").row_id
            change.add_fork(space, old.space, character=None, at=1)
            fork = change.fork(space, None)
            assert fork is not None
            change.hide(fork, old.root)
            change.supersede(old.space, old.root, new.root)
            (gone,) = change.new_row_ids(1)
            change.insert(
                [type(old)(gone, gone, old.space, old.born, None, turn("x", 5, scope))], [terms("x")]
            )
            change.delete([gone])
        kept = replace(vectors_of(*rows), tokens=[b"tokens"] * len(rows))
        change.put_vectors(kept)
        change.put_pending(change.pending(0, None), kept)


def test_nothing_of_others_is_seen_without_any_condition(storage: PostgresStorage) -> None:
    fill(storage)
    with storage.read() as every, storage.read("ana") as own:
        for table in OWNED:
            both = {owner for (owner,) in every.session.all(f"SELECT owner FROM {table}")}
            assert len(both) == 1, "the inner read is bound to Ana, and so is what is asked now"
            assert own.session.all(f"SELECT count(*) FROM {table}") != [(0,)]
    with storage.read() as every:
        for table in OWNED:
            assert len(every.session.all(f"SELECT DISTINCT owner FROM {table}")) == 2
    with storage.read("cy") as stranger:
        for table in OWNED:
            assert stranger.session.all(f"SELECT * FROM {table}") == []
        assert list(stranger.rows(None)) == []


def test_numbers_of_others_lead_nowhere(storage: PostgresStorage) -> None:
    fill(storage)
    with storage.read("ana") as own:
        space = own.space("ana", "tavern")
        assert space is not None
        (fork,) = own.forks_of(space.row_id)
        rows = list(own.rows(None))
    at = Segment(space.row_id, None, everyone=True)
    with storage.read("bo") as other:
        assert (
            list(other.rows(at)) == list(other.rows(at, Wanted(row_ids=[row.row_id for row in rows]))) == []
        )
        assert list(other.rows(None, Wanted(id=rows[0].memory.id))) == []
        assert {row.scope.user for row in other.rows_after(0, 99)} == {"bo"}
        assert other.vectors([row.row_id for row in rows], DIM) == {}
        assert other.has_vectors(vectors_of(*rows)) == [False] * len(rows)
        assert (other.hidden(fork.row_id), other.superseded(space.row_id)) == ({}, [])
        assert (other.forks_of(space.row_id), other.fork(fork.space, None)) == ([], None)
        assert not other.is_taken(space.row_id, None)
        assert (list(other.counts(at)), list(other.index_rows(at, -1, DIM)), other.turns(at)) == ([], [], [])
        assert (other.gone_since(at, -1), other.count_since(at, -1)) == ([], 0)
        spaces = other.space_versions(Scope(user="bo"), [space.row_id])
        assert space.row_id not in {no for no, _ in spaces}


def test_nothing_of_others_is_changed(storage: PostgresStorage) -> None:
    fill(storage)
    with storage.read("ana") as own:
        rows = list(own.rows(None))
        before = own.vectors([row.row_id for row in rows], DIM)
    with storage.write("bo") as change:
        change.delete([row.row_id for row in rows])
        change.put_vectors(vectors_of(*rows, seed=9))
        change.session.do("UPDATE account SET version = 99 WHERE name = %s", (b"ana",))
        change.session.do("DELETE FROM space WHERE user_name = %s", (b"ana",))
    with storage.read("ana") as own:
        assert list(own.rows(None)) == rows
        after = own.vectors(list(before), DIM)
        assert len(before) == len(rows)
        assert all((after[no] == before[no]).all() for no in before)
        assert own.version("ana") < 99
    with pytest.raises(StorageError, match="row-level security"), storage.write("bo") as change:
        change.insert(rows[:1], [terms("x")])


def test_a_setting_that_a_users_write_makes_is_theirs(storage: PostgresStorage) -> None:
    with storage.write("ana") as change:
        change.set("receipts/of ana", "told")
    with storage.write() as change:
        change.set("model", "of all")
    with storage.read("ana") as own, storage.read("ana") as inner:
        assert (own.setting("receipts/of ana"), inner.setting("model")) == ("told", "of all")
    with storage.read("bo") as other:
        assert (other.setting("receipts/of ana"), other.setting("model")) == (None, "of all")


def test_nothing_is_left_set_on_a_connection(url: str, path: Path) -> None:
    storage = PostgresStorage(url + "&pool=1")
    fill(storage)
    with storage.read("ana"):
        pass
    connection = storage._pool.getconn()
    left = connection.execute(
        """SELECT current_user, current_setting('romaine.owners', true),
            current_setting('romaine.everyone', true)"""
    ).fetchone()
    assert left == ("postgres", "", "")
    connection.execute(f"SET ROLE romaine_memory; SET search_path TO {postgres.schema_for(path)}")
    assert connection.execute("SELECT count(*) FROM memory").fetchone() == (0,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("INSERT INTO gone VALUES (1, 1, 1, gen_random_uuid())")
    connection.execute("RESET ALL; RESET ROLE")
    storage._pool.putconn(connection)
    storage.close()


class OnPostgres(Play):
    def _open(self) -> RoleplayMemory:
        return RoleplayMemory(postgres.url_for(self.folder), embedder=self.embedder, lifecycle=LIFECYCLE)


def _without_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the user out of every condition of ours, as a mistake might."""
    anybody = "(%s::uuid IS NOT NULL OR TRUE)"
    for module, name, condition in (
        (places, "_PLACES", "s.owner = %s::uuid"),
        (snapshot, "_SCOPES", "s.owner = %(owner)s::uuid"),
        (snapshot, "_SPACE_VERSIONS", "owner = %(owner)s::uuid"),
    ):
        query = getattr(module, name)
        assert condition in query
        named = "%(owner)s" if "(owner)" in condition else "%s"
        monkeypatch.setattr(module, name, query.replace(condition, anybody.replace("%s", named)))


def _play(folder: Path, embedder: Embedder, *, policies: bool) -> None:
    folder.mkdir()
    game = OnPostgres(folder, 3, embedder)
    if not policies:
        postgres.execute(folder, *(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY" for table in OWNED))
    try:
        for number in range(18):
            game.step(number)
        game.check_everything()
    finally:
        game.memory.close()


def test_nothing_crosses_even_without_our_own_conditions(
    tmp_path: Path, gem: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_conditions(monkeypatch)
    _play(tmp_path / "bound", gem, policies=True)
    with pytest.raises(
        (AssertionError, RomaineError, LookupError, ValueError)
    ):  # so the play would have shown it
        _play(tmp_path / "unbound", gem, policies=False)
