"""Taking a file in: what it would be, and then what became of it."""

from __future__ import annotations

import json

import pytest

from romaine.memory import Scope
from tests.formats.samples import VALID
from tests.server.page.conftest import CHAT, ESCAPED, SCRIPT, TAVERN, about

PLAIN = "\n".join(
    json.dumps({"text": text, "speaker": who, "role": role}) for who, role, text in CHAT
).encode()
ANA = {"user": "ana"}


def imported(answer):
    """The lines of an import's answer."""
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_preview_writes_nothing(ana, memory):
    before = memory.scopes("ana")
    shown = ana.post("/page/import/preview", params=ANA | {"file_name": "evening.jsonl"}, content=PLAIN).text
    assert "evening" in shown
    assert "4 turns" in shown
    assert "Nothing would be skipped" in shown
    assert memory.scopes("ana") == before


def test_what_would_be_skipped_is_told(ana, memory):
    broken = PLAIN + b'\n{"text": "", "speaker": "Ana", "role": "user"}\n{"speaker": "Ana"}'
    shown = ana.post("/page/import/preview", params=ANA, content=broken).text
    assert "Would be skipped" in shown
    assert "line 6" in shown


@pytest.mark.parametrize("name", VALID)
def test_every_format_is_previewed(ana, memory, name):
    answer = ana.post("/page/import/preview", params=ANA | {"file_name": name}, content=VALID[name])
    assert answer.status_code == 200
    assert "import-do" in answer.text


def test_what_cannot_be_read_says_so(ana, memory):
    answer = ana.post("/page/import/preview", params=ANA | {"file_name": SCRIPT}, content=b"\x00\x01 no chat")
    assert answer.status_code == 200
    assert 'role="alert"' in answer.text
    assert "import-do" not in answer.text
    assert "<script>" not in answer.text


def test_an_import_tells_how_far_it_is(ana, memory):
    lines = imported(ana.post("/page/import", params=ANA | {"file_name": "evening.jsonl"}, content=PLAIN))
    assert lines[0] == {"done": 0, "steps": 4}
    assert lines[-2] == {"done": 4, "steps": 4}
    assert "4 new" in lines[-1]["html"]
    scope = next(each.scope for each in memory.scopes("ana") if each.scope.chat == "evening")
    assert [each.text for each in memory.list(scope)] == [text for _, _, text in CHAT]
    again = imported(ana.post("/page/import", params=ANA | {"file_name": "evening.jsonl"}, content=PLAIN))
    assert "0 new" in again[-1]["html"]


def test_an_export_comes_back(ana, memory):
    exported = ana.get("/v1/memory/export", params=about()).content
    other = about(Scope(user="ana", character="Cassian", chat="copy"))
    preview = ana.post("/page/import/preview", params=other, content=exported).text
    assert "4 memories that were exported" in preview
    lines = imported(ana.post("/page/import", params=other, content=exported))
    assert "4 new" in lines[-1]["html"]


def test_an_import_that_fails_says_why(ana, memory):
    answer = ana.post("/page/import", params=ANA, content=b"nothing at all")
    assert answer.status_code == 400
    with_bobs = json.dumps(
        {"user": "bob", "id": "01a2003c-5c62-7c97-ad15-67ece870e079", "kind": "turn", "text": "x"}
        | {"created_at": "2026-01-01T00:00:00+00:00"}
    ).encode()
    lines = imported(ana.post("/page/import", params=ANA, content=with_bobs))
    assert "problem" in lines[-1]
    assert memory.scopes("bob") == []


def test_names_in_files_are_only_text(ana, memory):
    file = json.dumps({"text": SCRIPT, "speaker": SCRIPT, "role": "user"}).encode()
    asked = ANA | {"file_name": f"{SCRIPT}.jsonl", "character": SCRIPT}
    shown = ana.post("/page/import/preview", params=asked, content=file).text
    done = imported(ana.post("/page/import", params=asked, content=file))[-1]["html"]
    for text in (shown, done):
        assert "<script>" not in text
        assert ESCAPED in text


def test_a_chat_that_is_named_takes_the_file(ana, memory):
    imported(ana.post("/page/import", params=about(file_name="evening.jsonl"), content=PLAIN))
    assert len(memory.list(TAVERN)) == 8
