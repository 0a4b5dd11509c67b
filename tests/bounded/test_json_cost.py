"""The cost that is told of JSON is never less than what parsing it takes."""

from __future__ import annotations

import json
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.bounded import json_cost
from romaine.bounded.json_cost import WORST_GROWTH, close_cost, rough_cost, text_cost
from tests.formats.hostile import TINY, many

SMALL = 4096  # what a parser takes for itself
DOCUMENTS = {name: many(item, 200_000).decode() for name, item in TINY.items()} | {
    "keys": json.dumps(dict.fromkeys(map(str, range(20_000)), 0)),
    "keys of many dicts": json.dumps([{str(number): 0} for number in range(20_000)]),
    "eleven members": json.dumps([dict.fromkeys("abcdefghijk", 0)] * 5000),
    "prose": json.dumps(["We close at ten, she said: no later {{user}}."] * 5000),
    "a wide text": '"' + "a" * 300_000 + '😀"',
    "an escaped wide text": '"' + "a" * 300_000 + r'\ud83d\ude00"',
    "escapes": json.dumps(['"\\' * 50 + "\n"] * 2000),
    "chinese": json.dumps(["中文字符" * 20] * 2000, ensure_ascii=False),
    "deep": "[" + ",".join(["[" * 400 + "]" * 400] * 200) + "]",
    "digits": many("9" * 4000, 200_000).decode(),
    "no numbers": many("NaN", 200_000).decode(),
    "an end behind the end": many("[]", 200_000).decode() + '":' * 100_000,
    "a text without end": many('"ab"', 200_000).decode()[:-1] + ',"' + "{[" * 1000,
}


def parsing_takes(text: str) -> int:
    tracemalloc.start()
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    del value
    return peak


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_what_is_told_is_enough(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_cost, "_CHUNK", 50_000)
    data = DOCUMENTS[name].encode()
    taken = parsing_takes(DOCUMENTS[name])
    assert taken <= sum(rough_cost(data)) + SMALL
    assert taken <= sum(close_cost(data)) + SMALL
    assert taken <= len(data) * WORST_GROWTH


def test_a_close_look_is_close() -> None:
    record = {f"name{number}": None for number in range(30)} | {
        "content": "We close at ten, she said: no." * 10
    }
    data = json.dumps([record] * 1000).encode()
    assert sum(close_cost(data)) <= 3 * parsing_takes(data.decode())


@given(
    st.recursive(
        st.none() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.booleans(),
    st.integers(1, 60),
)
@settings(max_examples=40, deadline=None)
def test_any_json_in_chunks_of_any_size(value: object, as_ascii: bool, chunk: int) -> None:
    text = json.dumps([value] * 3, ensure_ascii=as_ascii)
    data = text.encode("utf-8", "surrogatepass")
    before, json_cost._CHUNK = json_cost._CHUNK, chunk
    try:
        assert parsing_takes(text) <= sum(close_cost(data)) + SMALL
    finally:
        json_cost._CHUNK = before


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    assert min(rough_cost(data)) >= 0
    assert min(close_cost(data)) >= 0


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_text_takes_what_is_told(text: str) -> None:
    assert sys.getsizeof(text) <= text_cost(text.encode()) + 80
