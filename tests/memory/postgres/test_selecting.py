from __future__ import annotations

from itertools import islice

from romaine.memory.postgres import PostgresStorage
from romaine.memory.records import Kind
from romaine.memory.stored import TURNS, Wanted
from tests.contracts.test_storage_contract import segment, stored, texts, turn

COUNT = 2100  # more than are read at a time, however they are asked for


def test_many_rows_come_whole_and_in_order_few_at_once(storage: PostgresStorage) -> None:
    kinds = ["turn", "fact", "turn", "lore"]
    memories = [turn(f"{i:04}", None if i % 7 == 6 else i // 3, kind=kinds[i % 4]) for i in range(COUNT)]
    with storage.write("ana") as change:
        rows = stored(change, *memories)
    placed = sorted((row for row in rows if row.position is not None), key=lambda r: (r.position, r.row_id))
    turns = [row for row in placed if row.is_turn]

    def said(of) -> list[str]:
        return [row.memory.text for row in of]

    with storage.read("ana") as snapshot:
        at = segment(snapshot)
        assert texts(snapshot.rows(at)) == texts(snapshot.rows(None)) == said(rows)
        assert texts(snapshot.rows(at, Wanted(placed=True))) == said(placed)
        assert texts(snapshot.rows(at, Wanted(placed=False))) == said(r for r in rows if r.position is None)
        assert texts(snapshot.rows(at, Wanted(kinds=TURNS, before=(1 << 60, 0)))) == said(turns[::-1])
        half = turns[len(turns) // 2]
        before = Wanted(kinds=TURNS, before=(half.position or 0, half.row_id))
        assert texts(snapshot.rows(at, before)) == said(turns[: len(turns) // 2][::-1])
        after = Wanted(kinds=TURNS, after=half.position)
        assert texts(snapshot.rows(at, after)) == said(
            r for r in turns if (r.position or 0) > (half.position or 0)
        )
        lore = Wanted(kinds=frozenset({Kind.LORE, Kind.SUMMARY}))
        assert texts(snapshot.rows(at, lore)) == said(r for r in rows if r.memory.kind is Kind.LORE)
        # two that are read side by side do not disturb each other
        one, other = snapshot.rows(at), snapshot.rows(at, Wanted(placed=True))
        pairs = list(islice(zip(one, other, strict=False), 1500))
        assert [r.row_id for r, _ in pairs] == [r.row_id for r in rows[:1500]]
        assert [r.row_id for _, r in pairs] == [r.row_id for r in placed[:1500]]
        batches = list(snapshot.index_rows(at, -1, 8))
        assert [no for batch in batches for no in batch.row_ids] == [row.row_id for row in rows]
        assert len(batches) > 1
