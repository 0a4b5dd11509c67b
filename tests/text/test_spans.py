from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from romaine.text import spans
from romaine.text.spans import KEY_BYTES, NumberTable, Spans

any_text = st.text(st.characters(exclude_categories=()), max_size=60)


def chunks_of(found: Spans) -> list[list[str]]:
    every = found.chunks(np.arange(len(found.starts)))
    return [every[begin:end] for begin, end in zip(found.offsets[:-1], found.offsets[1:], strict=True)]


@given(st.lists(any_text, max_size=6))
def test_it_splits_at_white_space_of_ascii_alone(texts: list[str]) -> None:
    plain = str.maketrans("\t\n\r", "   ")
    want = [[chunk for chunk in text.translate(plain).split(" ") if chunk] for text in texts]
    assert chunks_of(Spans.of(texts)) == want


@given(st.sets(st.text(st.characters(exclude_characters="\t\n\r "), min_size=1, max_size=20)))
def test_a_key_is_one_chunks_alone(words: set[str]) -> None:
    short = [word for word in words if len(word.encode("utf-8", "surrogatepass")) <= KEY_BYTES]
    keys = Spans.of([" ".join(short)]).keys()
    assert len(set(zip(*(key.tolist() for key in keys), strict=True))) == len(short)


def test_a_table_finds_what_was_added_while_it_grows() -> None:
    table = NumberTable()
    for start in range(0, 20_000, 5_000):
        words = [f"word{number}" for number in range(start, start + 5_000)]
        keys = Spans.of([" ".join(words)]).keys()
        assert (table.find(keys) == -1).all()
        table = table.with_added(keys, np.arange(start, start + 5_000))
        found = table.find(keys)
        assert set(found[found != np.arange(start, start + 5_000)]) <= {-1}
        assert (found >= 0).mean() > 0.99


def test_chunks_that_all_collide_are_left_out_and_cost_little(monkeypatch) -> None:
    monkeypatch.setattr(NumberTable, "_slots", lambda self, keys: np.full(len(keys[0]), 7))
    table, keys = NumberTable(), Spans.of([" ".join(f"word{number}" for number in range(100))]).keys()
    for _ in range(3):
        missing = np.flatnonzero(table.find(keys) < 0)
        table = table.with_added((keys[0][missing], keys[1][missing]), missing)
        found = table.find(keys)
        assert (found >= 0).sum() == spans._PROBES
        assert (found[found >= 0] == np.flatnonzero(found >= 0)).all()
