"""Making the index of large scopes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope, index_large, reembed
from romaine.memory.codec import VectorFormat
from romaine.memory.postgres import PostgresStorage, large_schema
from romaine.memory.postgres.address import Address
from tests import postgres
from tests.memory.conftest import said

_INDEX = "SELECT indexrelid, indisvalid FROM pg_index WHERE indexrelid = to_regclass('large_row_nearest')"


def add(memory: RoleplayMemory, user: str) -> None:
    memory.add_turns(Scope(user=user, chat="x"), [said(f"{user} says {n}", str(n)) for n in range(30)])


def test_the_index_is_made_when_rows_are_in_and_kept_while_it_is_asked(gem: Embedder, tmp_path: Path) -> None:
    url = postgres.url_for(tmp_path)
    with RoleplayMemory(url, embedder=gem) as memory:
        add(memory, "ana")
        assert index_large(url, rows=20) == 30
        first = postgres.execute(tmp_path, _INDEX)
        add(memory, "ben")
        assert index_large(url, rows=20) == 30
        assert postgres.execute(tmp_path, _INDEX) == first
    reembed(url, Embedder(dim=64, document_prompt="passage: "))
    assert index_large(url, rows=20) == 60
    ((number, is_valid),) = postgres.execute(tmp_path, _INDEX)
    assert is_valid
    assert number != first[0][0]  # of the vectors before, nobody asked it


def test_an_index_that_was_left_half_made_is_made_anew(gem: Embedder, tmp_path: Path) -> None:
    url = postgres.url_for(tmp_path)
    with RoleplayMemory(url, embedder=gem) as memory:
        add(memory, "ana")
        index_large(url, rows=20)
        postgres.execute(  # as CREATE INDEX CONCURRENTLY leaves it when it is killed
            tmp_path,
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'large_row_nearest'::regclass",
        )
        add(memory, "ben")
        assert index_large(url, rows=20) == 30
    assert [is_valid for _, is_valid in postgres.execute(tmp_path, _INDEX)] == [True]


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[tuple[psycopg.Connection[Any], Address]]:
    """A connection to tables of 3,000 rows without an index."""
    url = postgres.url_for(tmp_path)
    PostgresStorage(url).close()
    address = Address.parse(url)
    with psycopg.connect(postgres.server(), autocommit=True) as connection:
        large_schema.prepare(connection, address, VectorFormat.FLOAT32, 64, "none")
        postgres.execute(
            tmp_path,
            """INSERT INTO large_row SELECT n, 1, '{}', v, v FROM generate_series(1, 3000) AS n,
                LATERAL (SELECT array_agg(sin(n * i))::halfvec(64) v FROM generate_series(1, 64) i) s""",
        )
        yield connection, address


def test_the_graph_is_made_in_memory_where_the_server_is_set_for_less(
    tables: tuple[psycopg.Connection[Any], Address],
) -> None:
    connection, address = tables
    told: list[str] = []
    connection.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
    connection.execute("SET maintenance_work_mem = '1MB'")
    large_schema.make_index(connection, address)
    assert not [line for line in told if "maintenance_work_mem" in line]
    assert connection.execute("SHOW max_parallel_maintenance_workers").fetchone() == ("2",)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is promised that is not there")
def test_workers_without_room_for_the_graph_between_them_leave_it_to_one(
    tables: tuple[psycopg.Connection[Any], Address], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, address = tables
    monkeypatch.setattr(large_schema, "_ROW_BYTES", 1 << 29)  # of 3,000 rows, more than any machine has
    connection.execute("SET effective_cache_size = '15TB'")
    postgres.execute(tmp_path, "ALTER TABLE large_row SET (parallel_workers = 2)")
    large_schema.make_index(connection, address)
    assert [is_valid for _, is_valid in postgres.execute(tmp_path, _INDEX)] == [True]
