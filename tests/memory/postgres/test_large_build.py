"""Filling what the server keeps of a large user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope, index_large
from romaine.memory.postgres import PostgresStorage, large_build
from romaine.memory.postgres.session import BoundSession, Values
from romaine.memory.postgres.transaction import PostgresTransaction
from tests import postgres
from tests.memory.conftest import said

_READ = """SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables
    WHERE schemaname = current_schema() AND relname IN ('memory', 'vector')"""


def test_each_batch_is_read_on_from_the_one_before(gem: Embedder, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(large_build, "_BATCH", 20)
    url = postgres.url_for(tmp_path)
    with RoleplayMemory(url, embedder=gem) as memory:
        for user in ("before", "world", "after"):
            memory.add_turns(Scope(user=user, chat="x"), [said(f"{user} {n}", str(n)) for n in range(200)])
    index_large(url, rows=1000)  # makes the tables; nobody has so many
    read: list[int] = []

    class Counting(BoundSession):
        def do(self, statement: str, values: Values = ()) -> list[tuple[object, ...]]:
            if "large_add" in statement:  # chosen are those it takes in
                read[-1] = int(self.all(_READ)[0][0]) - read[-1]
            return super().do(statement, values)

    @contextmanager
    def counting(*users: str) -> Iterator[PostgresTransaction]:
        with storage.write(*users) as transaction:
            transaction.session.__class__ = Counting
            read.append(int(transaction.session.all(_READ)[0][0]))
            yield transaction

    batches: list[int] = []
    storage = PostgresStorage(url)
    large_build.fill(counting, "world", batches.append)
    storage.close()
    assert batches == [20] * 10
    # each of the user's once, and those that stand before them; the last finds none
    assert sum(read[:-1]) == 400
