"""No file takes more memory than it may: measured, for files made to take the most."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from romaine.bounded import budget
from romaine.bounded.budget import Budget
from romaine.errors import FormatError
from romaine.formats import read
from romaine.formats.result import Skipped
from tests.formats.hostile import FILES, unpacked_size
from tests.formats.samples import jsonl

SIZE = 300_000
FREE = 1024 * 1024  # in place of what any file may take, so that a small file shows it
ARRAYS = 2 * 1024 * 1024  # what looking at a chunk takes, whatever the file's size


def peak_of_reading(data: bytes) -> tuple[int, bool]:
    """Returns the most memory at any time and whether the file was read."""
    tracemalloc.start()
    try:
        read(("file", data))
        was_read = True
    except FormatError:
        was_read = False
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak, was_read


@pytest.mark.parametrize("name", sorted(FILES))
def test_no_file_takes_more_than_it_may(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "FREE_BYTES", FREE)
    data = FILES[name](SIZE)
    peak, _ = peak_of_reading(data)
    assert peak <= FREE + budget.MAX_GROWTH * unpacked_size(data) + ARRAYS


def test_no_file_takes_more_than_the_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MAX_MEMORY_BYTES", 4 * 1024 * 1024)
    line = jsonl({"text": "a " * 200, "speaker": "Ana"})
    read(("short", line * 1000))
    with pytest.raises(FormatError, match="4,194,304 at most"):
        read(("long", line * 20_000))


def test_short_messages_of_a_long_chat_are_read() -> None:
    lines = jsonl({"text": "Yes.", "speaker": "Ana", "role": "user"}) * 50_000
    assert len(read(("file", lines)).turns) == 50_000


def test_a_small_file_on_disk_takes_little(tmp_path: Path) -> None:
    path = tmp_path / "lore.json"
    path.write_text('{\n"entries": {}}')
    tracemalloc.start()
    read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1024 * 1024


def test_a_record_costs_at_least_what_it_takes() -> None:
    room = Budget()
    before = room.room
    tracemalloc.start()
    kept = [room.keep(Skipped(where=f"line {number}", why=f"because {number}")) for number in range(10_000)]
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(kept) == 10_000
    assert taken <= before - room.room


def test_an_error_states_what_was_asked_for_and_allowed() -> None:
    room = Budget()
    room.grant(1000)
    with pytest.raises(
        FormatError,
        match=r"a text would bring .* to 100,000,000 bytes; allowed are 33,564,432 .*split the file",
    ):
        room.check(100_000_000, "a text")


@pytest.mark.parametrize("content", ["😀" + "a" * 400, "{{unknown}} 😀" + "a" * 400, "中" * 400])
def test_a_large_lorebook_is_read(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "FREE_BYTES", 2 * FREE)
    book = {"entries": [{"content": content, "keys": ["inn", "roof"], "order": 100}] * 5000}
    data = json.dumps(book, ensure_ascii=False, separators=(",", ":")).encode()
    assert len(read(("book.json", data)).memories) == 5000


def test_a_long_text_without_known_macros_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "FREE_BYTES", FREE)
    text = "😀{{unknown}} {{user}}" + "a" * 3_000_000
    (note,) = read(
        ("b.json", json.dumps({"entries": [{"content": text}]}, ensure_ascii=False).encode())
    ).memories
    assert note.text == text
