"""Importing a file, from disk or from memory; `tests/cli/test_memory.py` has more of it, by the command."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from romaine.errors import FormatError, OptionError
from romaine.formats.importing import check_chats, read_source, write_source
from romaine.memory import RoleplayMemory, Scope, Turn

SCOPE = Scope(user="ana", character="Cassian")
LINES = [
    {"text": "I hid the key.", "speaker": "Cassian", "role": "character", "source_id": "1"},
    {"text": "Where?", "speaker": "Ana", "role": "user", "source_id": "2"},
]
DATA = "".join(json.dumps(line) + "\n" for line in LINES).encode()


@pytest.fixture
def memory():
    with RoleplayMemory(":memory:") as opened:
        yield opened


@pytest.mark.parametrize("from_disk", [True, False])
def test_a_file_goes_to_its_scope_and_again_adds_nothing(memory, tmp_path: Path, from_disk):
    path = tmp_path / "tavern.jsonl"
    path.write_bytes(DATA)
    source = path if from_disk else ("tavern.jsonl", DATA)
    for added, unchanged in ((2, 0), (0, 2)):
        file = read_source(source, SCOPE, {})
        (chat,) = write_source(memory, file, SCOPE).to_json()["chats"]
        assert (chat["chat"], chat["added"], chat["unchanged"]) == ("tavern", added, unchanged)
    assert memory.stats(Scope(user="ana", character="Cassian", chat="tavern")).total == 2


def test_what_a_chat_no_longer_holds_is_taken_out_if_asked(memory):
    write_source(memory, read_source(("tavern.jsonl", DATA), SCOPE, {}), SCOPE)
    shorter = read_source(("tavern.jsonl", DATA.splitlines(keepends=True)[0]), SCOPE, {})
    assert write_source(memory, shorter, SCOPE).chats[0]["retracted"] == 0
    assert write_source(memory, shorter, SCOPE, sync=True).chats[0]["retracted"] == 1


def test_an_export_comes_in_from_memory(memory):
    scope = Scope(user="ana", character="Cassian", chat="tavern")
    memory.add_turns(scope, [Turn("half \ud83d of a pair", speaker="Ana", role="user")])
    out = io.BytesIO()
    assert memory.export_jsonl(out, scope) == 1
    with RoleplayMemory(":memory:") as other:
        file = read_source(("out.jsonl", out.getvalue()), Scope(user="ana"), {})
        assert (file.format, file.steps) == ("export", 1)
        assert write_source(other, file, Scope(user="ana")).restored == 1
        assert other.list(scope) == memory.list(scope)
        with pytest.raises(FormatError, match=r"the file, line 1.*of user 'ana'"):
            write_source(other, file, Scope(user="bob"))


def test_a_file_of_no_format_is_named(memory):
    with pytest.raises(FormatError, match=r"^what\.txt: "):
        read_source(("what.txt", b"what is this"), SCOPE, {})


def test_two_files_of_one_chat_are_refused():
    file = read_source(("tavern.jsonl", DATA), SCOPE, {})
    with pytest.raises(OptionError, match="one at a time"):
        check_chats([file, file])
