from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from romaine.memory.postgres import PostgresStorage
from romaine.memory.postgres.rows import owner_of, sees, to_array
from romaine.memory.records import Scope
from romaine.memory.stored import Segment
from tests.contracts.test_storage_contract import ANA, ODD, add, terms, turn


def test_owners_are_apart_and_of_one_size() -> None:
    names = ["ana", "Ana", "ana ", "", ODD, "x" * 9999]
    assert len({owner_of(name) for name in names}) == len(names)
    assert {len(owner_of(name)) for name in names} == {32}


@pytest.mark.parametrize("numbers", [[], [0], [1, (1 << 32) - 1, 1 << 31, 7, 7]])
def test_terms_come_back_from_the_server(storage: PostgresStorage, numbers: list[int]) -> None:
    given = np.array(numbers, dtype=np.uint32)
    with storage.read("ana") as snapshot:
        ((back,),) = snapshot.session.all("SELECT %s::integer[]", (to_array(given),))
    assert back.tolist() == numbers


def test_a_row_is_seen_here_as_it_is_there(storage: PostgresStorage) -> None:
    """`sees` says of a row what `SEEN` says in the database."""
    scopes = [ANA, replace(ANA, character=None), replace(ANA, character="Mira")]
    memories = [
        turn(f"{number}", at, scope) for number, (at, scope) in enumerate(product((0, 5, None), scopes))
    ]
    rows = add(storage, *memories)
    with storage.write("ana") as change:
        for row in rows[::2]:
            change.update(replace(row, retired=change.next_version("ana")), terms("x"))
    with storage.read("ana") as snapshot:
        every = list(snapshot.rows(None))
        space = snapshot.space("ana", "tavern")
        assert space is not None
        for character, until, as_of, everyone, hidden in product(
            (None, "Cassian"), (None, 0, 4), (None, 0, 1, 2), (False, True), (set(), {rows[1].root})
        ):
            segment = Segment(space.row_id, character, until, as_of, frozenset(hidden), everyone=everyone)
            assert [row for row in every if sees(segment, row)] == list(snapshot.rows(segment))
        assert not any(sees(Segment(space.row_id + 1, None, everyone=True), row) for row in every)
        assert snapshot.space_versions(Scope(user="ana"), []) == frozenset()
