"""Whatever bytes or fields come in: a result with reported skips, or a FormatError; never anything else."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from romaine.errors import FormatError
from romaine.formats import ImportResult, detect, read
from romaine.formats.reading import UniqueIds
from romaine.formats.times import parse_time
from tests.formats.samples import (
    CARD,
    CARD_PICTURE,
    CHATPKG,
    HEADER,
    LOCOMO,
    RISU,
    VALID,
    WORLD_INFO,
    chunk,
    encoded,
    jsonl,
    message,
    package,
    png,
)

FILES = {**VALID, "picture": CARD_PICTURE}
DOCUMENTS: list[Any] = [CARD, CARD["data"], WORLD_INFO, RISU, CHATPKG, LOCOMO]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**25),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", " ", "\ud800", "\x00", "unused", "allBefore", "{{char}}", "9" * 30]),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def read_or_refuse(data: bytes) -> ImportResult | None:
    """Reads, checks what came out, and lets nothing but a FormatError out."""
    try:
        result = read(("file", data), user_name="Ana")
    except FormatError:
        return None
    for chat in result.chats:
        ids = [turn.source_id for turn in chat.turns]
        assert len(set(ids)) == len(ids)
        assert all(turn.text.strip() and turn.speaker for turn in chat.turns)
        assert chat.pinned <= set(ids)
    for note in result.memories:
        assert note.text.strip()
        json.dumps(dict(note.metadata), allow_nan=False)
    assert all(entry.where and entry.why for entry in result.skipped)
    return result


@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    read_or_refuse(data)


@pytest.mark.parametrize("start", [b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"{", b"[", b'{"mes": '])
@given(rest=st.binary(max_size=200))
@settings(max_examples=50)
def test_random_bytes_behind_a_known_start(start: bytes, rest: bytes) -> None:
    read_or_refuse(start + rest)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_valid_file_cut_off_anywhere(name: str) -> None:
    data = FILES[name]
    for length in range(0, len(data), max(1, len(data) // 150)):
        read_or_refuse(data[:length])


@pytest.mark.parametrize("name", sorted(FILES))
@given(data=st.data())
@settings(max_examples=60)
def test_a_valid_file_with_bytes_flipped(name: str, data: st.DataObject) -> None:
    changed = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(changed))


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [here]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += paths(inner, (*here, key))
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


WRONG_VALUES: list[Any] = [
    None,
    True,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\ud800",
    [],
    [None],
    ["x", 1],
    {},
    {"x": {"y": []}},
]


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=["card", "card-v1", "world-info", "risu", "chatpkg", "locomo"]
)
def test_every_field_with_a_value_of_every_wrong_type(document: Any) -> None:
    for path in paths(document):
        for wrong in WRONG_VALUES:
            read_or_refuse(json.dumps(replaced(document, path, wrong)).encode())


MESSAGE = message(
    "a", swipes=["a", "b"], swipe_id=1, swipe_info=[{"send_date": "June 3, 2024 5:12pm", "extra": {}}, {}]
)
PLAIN_MESSAGE = {"text": "a", "speaker": "b", "role": "user", "at": 1, "id": "c", "parent_id": "d"}


@pytest.mark.parametrize("lines", [[HEADER, MESSAGE], [MESSAGE, MESSAGE], [PLAIN_MESSAGE, PLAIN_MESSAGE]])
def test_every_field_of_a_line_with_a_value_of_every_wrong_type(lines: list[Any]) -> None:
    for path in paths(lines):
        for wrong in WRONG_VALUES:
            read_or_refuse(jsonl(*replaced(lines, path, wrong)) if path else b"")


@given(
    st.lists(
        st.dictionaries(st.sampled_from([*MESSAGE, "text", "speaker", "role", "at"]), json_values), max_size=4
    )
)
def test_lines_of_known_fields_with_any_values(lines: list[Any]) -> None:
    read_or_refuse(jsonl(HEADER, *lines))
    read_or_refuse(jsonl(*lines))


@given(
    st.dictionaries(
        st.sampled_from(["spec", "data", "type", "ver", "entries", "name", "qa", "session_1"]), json_values
    )
)
def test_documents_of_known_fields_with_any_values(document: Any) -> None:
    read_or_refuse(json.dumps(document).encode())


@given(json_values)
@settings(max_examples=50)
def test_any_card_in_a_picture_and_any_chat_in_a_package(document: Any) -> None:
    read_or_refuse(png(chunk(b"tEXt", b"chara\0" + encoded(document))))
    read_or_refuse(package(document))


def test_deep_nesting_inside_a_valid_file() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    for data in (
        b'{"spec": "chara_card_v2", "data": {"name": "x", "extensions": ' + deep + b"}}",
        jsonl(HEADER) + b'{"mes": "a", "extra": ' + deep + b"}\n",
    ):
        with pytest.raises(FormatError, match="nested too deep"):
            read(("file", data))


def test_names_that_imitate_numbered_ids_stay_apart_and_cost_little() -> None:
    ids = UniqueIds()
    names = ["a" + " #2" * depth for depth in range(300)]
    claimed = [ids.claim(name) for name in names for _ in range(3)]
    assert len(set(claimed)) == len(claimed)


def test_detection_refuses_as_reading_does() -> None:
    for data in (b"", b"{", b"[]", b"PK", b"\x89PNG"):
        with pytest.raises(FormatError):
            detect(("file", data))


@pytest.mark.parametrize("name", ["user_name", "character_name"])
def test_a_name_that_macros_repeat_is_refused_with_what_to_do(name: str) -> None:
    macro = "{{user}}" if name == "user_name" else "{{char}}"
    chat = jsonl(HEADER | {name: "n" * 1_000_000}, message(macro * 100_000))
    with pytest.raises(
        FormatError, match=r"100,000 times for a name of 1,000,000 characters .* shorten"
    ) as told:
        read(("file", chat))
    assert "allowed are" in str(told.value)


def test_usual_macros_are_filled_in_however_many() -> None:
    chat = jsonl(HEADER, *[message("{{User}} and {{ char }}: " * 20)] * 500)
    assert {turn.text for turn in read(("file", chat)).turns} == {"Ana and Cassian: " * 20}


def test_a_letter_that_only_folds_to_one_of_a_macro_is_none() -> None:
    (turn,) = read(("file", jsonl(HEADER, message("{{u\u017fer}} waits")))).turns
    assert turn.text == "{{u\u017fer}} waits"


EXTREME_TIMES = [
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01",
    10**400,
    -(10**400),
    1e308,
    -1e308,
    253402300800000,
    "1e5",
    "9" * 17,
    "December 31, 9999 11:59pm",
    "0000-1-1@1h1m",
    "\ud800",
    datetime.max.isoformat() + "-23:59",
]


@pytest.mark.parametrize("value", EXTREME_TIMES, ids=[str(value)[:30] for value in map(ascii, EXTREME_TIMES)])
def test_a_time_at_the_end_of_time_is_one_or_none(value: Any) -> None:
    moment = parse_time(value)
    assert moment is None or moment.utcoffset() == timedelta(0)
    read_or_refuse(jsonl(HEADER, message("a", send_date=value)))
    read_or_refuse(jsonl({"text": "a", "at": value}))


@given(st.datetimes(timezones=st.timezones() | st.just(timezone(timedelta(hours=23))) | st.none()))
def test_any_time_is_read_or_none(value: datetime) -> None:
    moment = parse_time(value.isoformat())
    assert moment is None or moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "1e999", "-1e999", "NaN", "1" + "0" * 400])
def test_absurd_numbers_anywhere(number: str) -> None:
    for document in DOCUMENTS:
        for path in paths(document):
            marked = json.dumps(replaced(document, path, "NUMBER")).replace('"NUMBER"', number)
            read_or_refuse(marked.encode())
    for field in PLAIN_MESSAGE:
        read_or_refuse(json.dumps(PLAIN_MESSAGE | {field: 0}).replace(": 0", f": {number}").encode())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_file_is_one_error(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR)  # so that opening it does not wait
    try:
        for path in (pipe, tmp_path, tmp_path / "a\0b", tmp_path / "missing"):
            for reads in (read, detect):
                os.write(end, b'{"text": "a"}\n')
                with pytest.raises(FormatError, match="check the path"):
                    reads(path)
    finally:
        os.close(end)
