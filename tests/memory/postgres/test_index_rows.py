"""What a scope costs the database when it is asked for the first time, and after others have written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import psycopg
import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope
from romaine.memory.postgres.index_rows import _terms_of
from romaine.memory.postgres.rows import to_array
from tests import postgres
from tests.memory.conftest import said

SCOPE = Scope(user="ana", chat="tavern")
OTHER = Scope(user="ana", chat="harbour")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[str]]:
    """Tells what a call asks the server, a statement for each time that it waits for an answer."""

    def asked(work: Callable[[], object]) -> list[str]:
        statements: list[str] = []
        execute = psycopg.Cursor.execute

        def told(cursor, query, *args, **options):
            statements.append(" ".join(str(query).split()))
            return execute(cursor, query, *args, **options)

        with monkeypatch.context() as patch:
            patch.setattr(psycopg.Cursor, "execute", told)
            work()
        return statements

    return asked


@pytest.mark.parametrize("count", [3, 1500])
def test_a_cold_scope_is_had_in_a_few_trips(url: str, gem: Embedder, asked, count: int) -> None:
    with RoleplayMemory(url, embedder=gem) as memory:
        memory.add_turns(SCOPE, [said(f"Door {n} is locked.", str(n)) for n in range(count)])
    with RoleplayMemory(url, embedder=gem) as memory:
        memory.recall("Is it locked?", OTHER)  # makes the connection
        trips = asked(lambda: memory.recall("Is it locked?", SCOPE))
    # begins, its places, which rows, the rows in batches, and what is shown
    assert len(trips) <= 4 + -(-count // 1024), trips


def test_a_turn_of_another_worker_costs_no_question_for_its_neighbours(
    url: str, gem: Embedder, asked
) -> None:
    with RoleplayMemory(url, embedder=gem) as writer, RoleplayMemory(url, embedder=gem) as reader:
        writer.add_turns(SCOPE, [said(f"Door {n} is locked.", str(n)) for n in range(9)])
        fork = writer.branch(SCOPE, at=5, to_chat="fork")
        reader.recall("Is it locked?", fork)
        for turns in (2, 40):  # however many there are
            said_now = [said(f"Window {turns} {n} is open.", f"{turns}-{n}") for n in range(turns)]
            writer.add_turns(fork, said_now)
            trips = asked(lambda: reader.recall("Is a window open?", fork))
            assert not [trip for trip in trips if "m.position >" in trip or "m.position <= %(before)" in trip]


def test_terms_come_back_as_they_were_sent() -> None:
    lists = [[3, 2**32 - 1, 0], [], [7], [2**31, 5]]
    sent = [to_array(np.array(terms, "<u4")) for terms in lists]
    with psycopg.connect(postgres.server()) as connection:
        cursor = connection.cursor(binary=True)
        cursor.execute("SELECT array_send(t::integer[]) FROM unnest(%s::text[]) AS of (t)", (sent,))
        blobs = [blob for (blob,) in cursor.fetchall()]
    assert [terms.tolist() for terms in _terms_of(blobs)] == lists
    assert _terms_of(blobs)[0].dtype == np.uint32
    assert _terms_of([]) == []
