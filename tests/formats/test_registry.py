from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from romaine.errors import FormatError
from romaine.formats import FORMATS, detect, read
from tests.formats.samples import CARD_PICTURE, EXAMPLES, HEADER, VALID, jsonl, message


@pytest.mark.parametrize("name", sorted(VALID))
def test_every_format_is_detected_and_read(name: str) -> None:
    assert detect(("file", VALID[name])) == name
    result = read(("file", VALID[name]))
    assert result.format == name
    assert result.turns or result.memories


def test_every_format_that_is_named_has_a_sample() -> None:
    assert set(FORMATS) == set(VALID)


def test_a_picture_is_detected_by_its_bytes_not_its_name() -> None:
    assert detect(("chat.jsonl", CARD_PICTURE)) == "character-card"


def test_a_document_may_be_printed_on_one_line_or_many() -> None:
    for name in ("character-card", "lorebook", "locomo", "risu-chat"):
        spread = json.dumps(json.loads(VALID[name]), indent=2).encode()
        assert read(("x.json", spread)) == read(("x.json", VALID[name]))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"   \n ", "JSON"),
        (b"hello", "JSON"),
        (b"\xff\xfe{}", "UTF-8"),
        (b"{}", "no known format"),
        (b"[1, 2]", "no known format"),
        (b"3", "no known format"),
        (b'{"a": 1}\n{"a": 2}\n', "first line"),
        (b"PK\x03\x04nonsense", "damaged"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"text":' * 50_000, "nested too deep"),
        (b'{"entries": ' + b"9" * 5000 + b"}", "number too long"),
    ],
)
def test_what_is_no_known_file_is_one_clear_error(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        read(("file", data))


def test_numbers_that_json_does_not_have_are_tolerated() -> None:
    data = jsonl(HEADER, message("a")).replace(
        b'"extra": {}', b'"extra": {"x": NaN, "y": -Infinity, "z": 1e999}'
    )
    assert len(read(("chat.jsonl", data)).turns) == 1


def test_files_that_cannot_be_opened_are_a_clear_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing", "nul\0name"):
        with pytest.raises(FormatError, match="cannot read"):
            read(path)


def test_a_path_reads_as_its_bytes_do() -> None:
    for path in EXAMPLES.glob("*.json*"):
        assert read(path) == read((path.name, path.read_bytes()))


def test_the_sample_chat_knows_the_key_and_not_the_discarded_swipes() -> None:
    result = read(EXAMPLES / "heron-and-lantern.jsonl")
    texts = "\n".join(turn.text for turn in result.turns)
    assert len(result.turns) == 183
    assert "I left the silver key under the third step" in texts
    assert "in the clock on the landing" not in texts
    assert len({turn.source_id for turn in result.turns}) == 183


def test_lines_are_streamed(tmp_path: Path) -> None:
    """A chat whose messages carry much that is not text costs the text, not the file."""
    path = tmp_path / "chat.jsonl"
    padding = "x" * 1_000_000
    with path.open("wb") as file:
        file.write(jsonl(HEADER))
        for number in range(30):
            file.write(jsonl(message(f"turn {number}", extra={"reasoning": padding})))
    tracemalloc.start()
    try:
        result = read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(result.turns) == 30
    assert peak < 10_000_000
