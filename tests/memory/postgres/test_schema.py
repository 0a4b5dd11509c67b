from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.errors import (
    OptionError,
    StorageError,
    StorageFormatError,
    StorageReadOnlyError,
    StorageVersionError,
)
from romaine.memory import RoleplayMemory, Scope
from romaine.memory.postgres import PostgresStorage, exists, schema
from romaine.memory.postgres.schema import OWNED
from tests import postgres
from tests.contracts.test_storage_contract import BO, add, turn, vectors_of
from tests.memory.conftest import CHAT


def tables(path: Path) -> set[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = '{}'"
    return {str(name) for (name,) in postgres.execute(path, query.format(postgres.schema_for(path)))}


@pytest.fixture
def login(path: Path) -> Iterator[str]:
    """A login that is no superuser, and owns a schema that is empty."""
    name, here = f"login_{postgres.schema_for(path)}", postgres.schema_for(path)
    postgres.execute(path, f"CREATE ROLE {name} LOGIN", f"CREATE SCHEMA {here} AUTHORIZATION {name}")
    yield name
    postgres.execute(path, f"DROP SCHEMA {here} CASCADE", f"DROP ROLE {name}")


def as_login(url: str, name: str) -> str:
    return f"{url}&user={name}"


def test_the_tables_are_made_once_however_many_begin(url: str, path: Path) -> None:
    assert not exists(url)
    together = threading.Barrier(6)

    def opened() -> PostgresStorage:
        together.wait(20)
        return PostgresStorage(url)

    with ThreadPoolExecutor(6) as pool:
        storages = [future.result(60) for future in [pool.submit(opened) for _ in range(6)]]
    assert exists(url)
    assert {*OWNED, "setting", "schema_version"} == tables(path)
    assert postgres.execute(path, "SELECT number, least FROM schema_version") == [
        (schema.VERSION, schema.LEAST)
    ]
    for storage in storages:
        storage.close()


def test_a_migration_that_dies_leaves_nothing(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last = "SELECT pg_terminate_backend(pg_backend_pid())"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_STEPS", {**schema._STEPS, 1: (*schema._STEPS[1], last)})
        with pytest.raises(StorageError, match="lost"):
            PostgresStorage(url)
    assert tables(path) == set()
    assert postgres.execute(path, f"SELECT to_regnamespace('{postgres.schema_for(path)}')") == [(None,)]
    PostgresStorage(url).close()
    assert "memory" in tables(path)


def test_what_only_adds_lets_older_workers_go_on(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = PostgresStorage(url)
    with monkeypatch.context() as newer:
        newer.setattr(schema, "VERSION", 3)
        newer.setattr(schema, "_STEPS", {**schema._STEPS, 2: ("ALTER TABLE memory ADD COLUMN mood bytea",)})
        PostgresStorage(url).close()
    assert postgres.execute(path, "SELECT number, least FROM schema_version") == [(3, 1)]
    add(older, turn("one"))
    with older.read("ana") as snapshot:
        assert [row.memory.text for row in snapshot.rows(None)] == ["one"]
    again = PostgresStorage(url)  # an older one that comes later serves as well
    add(again, turn("two", 1))
    again.close()
    older.close()


def test_a_schema_of_the_first_version_gets_tables_for_tokens(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as first:
        first.setattr(schema, "VERSION", 1)
        PostgresStorage(url).close()
    assert "token" not in tables(path)
    storage = PostgresStorage(url)
    assert {"token", "next_token"} <= tables(path)
    (row,) = add(storage, turn("one"))
    with storage.write("ana") as change:
        change.put_vectors(replace(vectors_of(row), tokens=[b"of one"]))
    with storage.read("ana") as snapshot:
        assert snapshot.token_vectors([row.row_id]) == {row.row_id: b"of one"}
    # a worker of the release before, which serves beside this one, knows only the other table
    postgres.execute(path, "UPDATE vector SET checksum = checksum + 1")
    with storage.read("ana") as snapshot:
        assert snapshot.token_vectors([row.row_id]) == {}
    storage.close()


def test_a_schema_that_is_too_new_is_refused_at_once_and_while_open(url: str, path: Path) -> None:
    running = PostgresStorage(url)
    postgres.execute(path, "UPDATE schema_version SET number = 9, least = 9")
    with pytest.raises(StorageVersionError, match="version 9, this romaine knows up to 2"):
        PostgresStorage(url)
    for use in (running.read, running.write):
        with pytest.raises(StorageVersionError, match="newer"), use("ana"):
            pass
    postgres.execute(path, "UPDATE schema_version SET number = 2, least = 1")
    with running.read("ana"):
        pass
    running.close()


def test_read_only_makes_nothing(url: str, path: Path, gem: Embedder, scope: Scope) -> None:
    with pytest.raises(StorageError, match="read_only=True creates nothing"):
        PostgresStorage(url, read_only=True)
    assert tables(path) == set()
    with RoleplayMemory(url, embedder=gem) as memory:
        memory.add_turns(scope, CHAT)
    with RoleplayMemory(url, embedder=gem, read_only=True) as memory:
        assert memory.recall("silver key", scope)
        with pytest.raises(StorageReadOnlyError):
            memory.add_turns(scope, CHAT)


def test_tables_that_were_dropped_are_told(storage: PostgresStorage, path: Path) -> None:
    postgres.execute(path, "DROP TABLE schema_version")
    with pytest.raises(StorageFormatError, match="dropped"), storage.read("ana"):
        pass


# --- who acts ----------------------------------------------------------------------------------------------


def test_an_ordinary_login_needs_no_role_and_is_bound(url: str, path: Path, login: str) -> None:
    storage = PostgresStorage(as_login(url, login))
    assert storage._binding.role == "none"
    add(storage, turn("Ana's"), turn("Bo's", 0, BO))
    with storage.read("ana") as snapshot:
        assert {row.scope.user for row in snapshot.rows(None)} == {"ana"}
        assert snapshot.session.one("SELECT current_user") == (login,)
    storage.close()
    superuser = PostgresStorage(url)  # of another owner's tables, too
    with superuser.read("bo") as snapshot:
        assert {row.scope.user for row in snapshot.rows(None)} == {"bo"}
        assert snapshot.session.one("SELECT current_user") == ("romaine_memory",)
    superuser.close()


def test_a_login_without_ddl_may_write_to_tables_that_are_there(url: str, path: Path, login: str) -> None:
    PostgresStorage(url).close()
    postgres.execute(path, f"ALTER SCHEMA {postgres.schema_for(path)} OWNER TO postgres")
    with pytest.raises(StorageReadOnlyError, match="may not"):
        PostgresStorage(as_login(url, login)).close()
    postgres.execute(path, f"GRANT romaine_memory TO {login}")
    storage = PostgresStorage(as_login(url, login) + "&role=romaine_memory")
    add(storage, turn("one"))
    storage.close()


def test_a_role_that_is_not_bound_is_refused(url: str, path: Path, login: str) -> None:
    postgres.execute(path, f"ALTER ROLE {login} BYPASSRLS")
    with pytest.raises(OptionError, match="row-level security does not bind 'login_"):
        PostgresStorage(as_login(url, login))
    with pytest.raises(OptionError, match="row-level security does not bind"):
        PostgresStorage(f"{url}&role={login}")
    with pytest.raises(OptionError, match="there is no role 'nobody'"):
        PostgresStorage(f"{url}&role=nobody")
    assert tables(path) == set()
