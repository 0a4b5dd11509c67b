from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from romaine.errors import FormatError, PluginError, UnknownNameError
from romaine.formats import FORMATS, detect, format_names, read
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
        if path.name.endswith(".questions.json"):  # what a chat is asked, no chat
            continue
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


# --- formats of other packages -----------------------------------------------------------------------------

Install = Callable[[str, str, str], None]

THEIRS = """
from romaine.formats import Chat, Content, Format, ImportResult
from romaine.memory import Turn

def read_log(stream, options):
    turns = []
    for number, line in enumerate(stream.read().decode().splitlines()[1:]):
        speaker, text = line.split(": ", 1)
        turns.append(Turn(options.fill(text), speaker=speaker, role="character", source_id=str(number)))
    return ImportResult(format="irc-log", chats=(Chat(turns=tuple(turns)),))

def read_export(document, options):
    turns = tuple(Turn(text, speaker="Osk", role="character") for text in document["osk says"])
    return ImportResult(format="osk", chats=(Chat(turns=turns),))

LOG = Format(name="irc-log", content=Content.BYTES, recognises=lambda h: h.startswith(b"#log"), read=read_log)
OSK = Format(name="osk", content=Content.DOCUMENT, recognises=lambda d: "osk says" in d, read=read_export)
LINES = Format(name="x", content="lines", recognises=lambda first: "text" in first, read=lambda *_: 1 / 0)
"""
THEIR_POINTS = """[romaine.formats]
irc-log = theirs:LOG
osk = theirs:OSK
jsonl = theirs:OSK
"""
LOG = b"#log\nOsk: The vault opens at midnight, {{user}}.\nAna: Then we go.\n"
UNKNOWN = b'{"a": 1}'


def test_other_packages_may_bring_formats(install: Install, tmp_path: Path) -> None:
    install("theirs", THEIR_POINTS, THEIRS)
    assert format_names() == (*FORMATS, "irc-log", "osk")
    assert detect(("a.log", LOG)) == "irc-log"
    assert [turn.text for turn in read(("a.log", LOG), user_name="Ana").turns] == [
        "The vault opens at midnight, Ana.",
        "Then we go.",
    ]
    path = tmp_path / "osk.json"
    path.write_bytes(b'{"osk says": ["Hush."]}')
    assert [turn.text for turn in read(path).turns] == ["Hush."]
    for name in VALID:
        assert detect(("file", VALID[name])) == name
    with pytest.raises(
        FormatError, match=r"known: .*jsonl.*; nor is it 'irc-log' of theirs 1.0; nor is it 'osk'"
    ):
        read(("x", UNKNOWN))
    with pytest.raises(FormatError, match="empty"):
        read(("x", b""))


def test_a_format_may_be_named(install: Install) -> None:
    install("theirs", THEIR_POINTS + "texts = theirs:LINES", THEIRS)
    assert detect(("x", VALID["jsonl"])) == "jsonl"
    assert read(("x", VALID["jsonl"]), format="jsonl").format == "jsonl"
    assert read(("x", VALID["chatpkg"]), format="chatpkg").format == "chatpkg"
    with pytest.raises(FormatError, match="known: irc-log"):
        read(("x", VALID["jsonl"]), format="irc-log")
    with pytest.raises(FormatError, match="known: locomo"):
        read(("x", VALID["lorebook"]), format="locomo")
    with pytest.raises(PluginError, match=r"'texts' of theirs 1.0 failed with ZeroDivisionError"):
        read(("x", VALID["jsonl"]), format="texts")  # found by its name; what reads it needs other lines
    with pytest.raises(UnknownNameError, match=r"unknown format 'irclog'. Did you mean 'irc-log'.*'jsonl'"):
        read(("x", LOG), format="irclog")


@pytest.mark.parametrize(
    ("value", "code", "told"),
    [
        ("broken:NONE", "", "cannot be loaded from 'broken:NONE' .AttributeError"),
        ("broken:F", "import nothing_such", "cannot be loaded .* .ModuleNotFoundError"),
        ("broken:F", "def (", "cannot be loaded .* .SyntaxError"),
        ("broken:F", "F = 3", "is a int, needed is a romaine.formats.Format"),
        ("broken", "", "is a module, needed"),
        (
            "broken:F",
            "from romaine.formats import *\n"
            "F = Format(name='f', content=Content.BYTES, recognises=lambda head: 1 / 0, read=print)",
            "failed with ZeroDivisionError",
        ),
    ],
)
def test_a_broken_format_breaks_no_other(install: Install, value: str, code: str, told: str) -> None:
    install("theirs", THEIR_POINTS, THEIRS)
    install("broken", f"[romaine.formats]\nbroken = {value}\n", code)
    assert "broken" in format_names()
    assert detect(("x", VALID["jsonl"])) == "jsonl"
    assert detect(("x", LOG)) == "irc-log"
    with pytest.raises(FormatError, match="'broken' of broken 1.0 " + told):
        read(("x", UNKNOWN))
    with pytest.raises(PluginError, match="'broken' of broken 1.0 " + told):
        read(("x", UNKNOWN), format="broken")


def test_a_reader_that_gives_something_else_is_told(install: Install) -> None:
    code = (
        "from romaine.formats import *\n"
        "F = Format(name='f', content=Content.BYTES, recognises=bool, read=lambda stream, options: [])"
    )
    install("odd", "[romaine.formats]\nodd = odd:F\n", code)
    with pytest.raises(PluginError, match="'odd' gave list, needed is an ImportResult"):
        read(("x", b"hello"))
