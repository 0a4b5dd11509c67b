from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.errors import FormatError
from romaine.memory import RoleplayMemory, Scope, Turn

from .conftest import CHAT, said


def fill(memory: RoleplayMemory, scope: Scope) -> None:
    memory.add_turns(scope, [*CHAT, said("\ud800 odd", "5")], known_by={"Cassian"})
    old = memory.add_fact(scope, "The key is silver.", category="world_detail", metadata={"page": 7}).memory
    memory.add_fact(scope, "The key is bone.", supersedes=old.id, importance=0.5, valid_from=2)
    memory.add_lore(Scope(user=scope.user), "The river Orr is cursed.", pinned=True)


def test_what_goes_out_comes_in_again(
    memory: RoleplayMemory, scope: Scope, tmp_path: Path, gem: Embedder
) -> None:
    fill(memory, scope)
    file = tmp_path / "out.jsonl"
    assert memory.export_jsonl(file, scope) == 8
    with RoleplayMemory(":memory:", embedder=gem) as other:
        assert other.import_jsonl(file, user=scope.user) == 8
        assert other.import_jsonl(file, user=scope.user) == 0
        assert set(other.list(scope)) == set(memory.list(scope))
        theirs, ours = (m.recall("Where is the key?", scope, k=9) for m in (other, memory))
        assert {hit.memory.id for hit in theirs} == {hit.memory.id for hit in ours}
        assert other.add_turns(scope, CHAT, known_by={"Cassian"}).unchanged == 4


def test_an_import_may_name_another_scope(
    memory: RoleplayMemory, scope: Scope, tmp_path: Path, gem: Embedder
) -> None:
    memory.add_turns(scope, CHAT)
    file = tmp_path / "out.jsonl"
    memory.export_jsonl(file, scope)
    target = replace(scope, user="ben", chat="copy")
    with RoleplayMemory(":memory:", embedder=gem) as other:
        assert other.import_jsonl(file, scope=target) == 4
        assert [m.text for m in other.list(target)] == [turn.text for turn in CHAT]
        assert other.list(scope) == []


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"kind": "turn"}',
        '{"user": "", "kind": "turn", "text": "x"}',
        '{"user": "a", "kind": "x"}',
        "[" * 99999,
    ],
)
def test_one_bad_line_imports_nothing(
    memory: RoleplayMemory, scope: Scope, tmp_path: Path, line: str
) -> None:
    memory.add_turns(scope, CHAT)
    file = tmp_path / "out.jsonl"
    memory.export_jsonl(file, scope)
    ids = [m.id for m in memory.list(scope)]
    memory.forget(scope, ids)
    with file.open("a") as out:
        out.write(line + "\n")
    with pytest.raises(FormatError, match="line 5"):
        memory.import_jsonl(file, user=scope.user)
    assert memory.list(scope) == []


def test_files_that_cannot_be_read(memory: RoleplayMemory, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be opened"):
        memory.import_jsonl(tmp_path / "missing.jsonl", user="ana")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="not UTF-8"):
        memory.import_jsonl(tmp_path / "bytes", user="ana")


def test_unknown_fields_are_let_be(memory: RoleplayMemory, scope: Scope, tmp_path: Path) -> None:
    record = {"user": "ana", "kind": "fact", "text": "Ana paints.", "mood": "blue"}
    (tmp_path / "in.jsonl").write_text(json.dumps(record))
    assert memory.import_jsonl(tmp_path / "in.jsonl", user="ana") == 1
    assert memory.list(Scope(user="ana"))[0].text == "Ana paints."


def test_a_copy_for_another_user_in_one_file(memory: RoleplayMemory, scope: Scope, tmp_path: Path) -> None:
    memory.add_turns(scope, [Turn("The lamp is blue.", speaker="Ilse", role="character", source_id="1")])
    old = memory.add_fact(scope, "The lamp costs four crowns.").memory
    memory.add_fact(scope, "The lamp costs six crowns now.", supersedes=old.id)
    count = memory.export_jsonl(tmp_path / "out.jsonl", scope)
    other = Scope(user="somebody else", character=scope.character, chat=scope.chat)
    assert memory.import_jsonl(tmp_path / "out.jsonl", scope=other) == count
    assert memory.import_jsonl(tmp_path / "out.jsonl", scope=other) == 0
    copies = memory.list(other)
    assert [copy.text for copy in copies] == [mine.text for mine in memory.list(scope)]
    assert [copy.id for copy in copies] == [mine.id for mine in memory.list(scope)]  # tells nothing of others
    assert {copy.superseded_by for copy in copies} - {None} <= {copy.id for copy in copies}
    assert [hit.memory.text for hit in memory.recall("What does the lamp cost?", other, kinds=["fact"])] == [
        "The lamp costs six crowns now."
    ]
