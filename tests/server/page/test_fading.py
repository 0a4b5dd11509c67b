from __future__ import annotations

from romaine.memory import Kind, Lifecycle, Memory, Scope
from romaine.server.page.fading import CYCLES, fading_chart


def note(importance: float, **fields: object) -> Memory:
    kind = fields.pop("kind", Kind.FACT)
    return Memory(
        scope=Scope(user="ana"), kind=kind, text="x", importance=importance, token_count=7, **fields
    )


def test_what_fades_first_stands_first():
    notes = [note(0.9), note(0.35), note(0.2, cold=True), note(0.31, pinned=True), note(1, kind=Kind.LORE)]
    chart = fading_chart(notes, Lifecycle())
    assert [row.memory for row in chart.rows] == [notes[2], notes[1], notes[0], notes[3]]
    assert [row.cold_in for row in chart.rows] == [0, 1, 8, None]
    assert chart.warm_tokens == 21
    assert len(chart.dots) == 4


def test_the_line_is_that_of_the_lifecycle():
    (row,) = fading_chart([note(1.0)], Lifecycle(decay=0.5, cold_below=0.6)).rows
    points = row.line.split()
    assert len(points) == CYCLES + 1
    assert points[:3] == ["0.0,0.0", "4.2,12.0", "8.3,24.0"]
    assert row.cold_in == 1


def test_a_long_list_is_cut():
    chart = fading_chart([note(1.0)] * 250, Lifecycle())
    assert (len(chart.rows), chart.more, len(chart.dots)) == (100, 150, 250)
    assert fading_chart([], Lifecycle()).rows == []
