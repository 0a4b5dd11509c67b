from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from romaine.embedder import Embedder
from romaine.errors import FormatError, OptionError
from romaine.memory import RoleplayMemory, Scope, Turn
from romaine.memory.stored import StoredMemory
from romaine.memory.views import View

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
        '{"user": "ana", "kind": "fact", "text": "x", "superseded_by": "the next"}',
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


def test_halves_of_pairs_side_by_side_stay_two(
    memory: RoleplayMemory, path: Path, scope: Scope, tmp_path: Path, gem: Embedder
) -> None:
    halves = "\ud83d\ude00"  # as escapes in JSON, a reader would make one character of them
    turn = said(f"One {halves} two.", f"m{halves}", metadata={halves: [halves]})
    memory.add_turns(scope, [turn], known_by={"Cassian", halves})
    memory.add_fact(
        scope, f"A fact of {halves}.", known_by={"Cassian", halves}, metadata={"a": {"b": halves}}
    )
    file = tmp_path / "out.jsonl"

    def holds(there: RoleplayMemory) -> bool:
        first, second = there.list(scope)
        return (
            (first.text, first.source_id, first.metadata) == (turn.text, turn.source_id, turn.metadata)
            and (second.text, second.metadata) == (f"A fact of {halves}.", {"a": {"b": halves}})
            and first.known_by == second.known_by == {"Cassian", halves}
        )

    assert holds(memory)
    assert memory.export_jsonl(file, scope) == 2
    with RoleplayMemory(path, embedder=gem) as again, RoleplayMemory(":memory:", embedder=gem) as other:
        assert holds(again)
        assert other.import_jsonl(file, user=scope.user) == 2
        assert holds(other)
        assert [hit.memory.text for hit in other.recall(turn.text, scope, k=1)] == [turn.text]


def test_no_position_is_taken_that_leaves_no_room(
    memory: RoleplayMemory, scope: Scope, tmp_path: Path
) -> None:
    memory.add_turns(scope, CHAT[:1])
    file = tmp_path / "out.jsonl"
    memory.export_jsonl(file, scope)
    record = json.loads(file.read_text())
    other = replace(scope, chat="other")
    for position, count in ((1 << 40, 1), ((1 << 40) + 1, 0), (1 << 53, 0), (1 << 63, 0)):
        sound = {"kind": "fact", "text": f"Fact {position}."}
        late = record | {"position": position, "id": str(uuid4())}
        file.write_text("".join(json.dumps(line) + "\n" for line in ({"user": "ana"} | sound, late)))
        before = memory.list(other)
        if count:
            assert memory.import_jsonl(file, scope=other) == 2
            assert memory.add_turns(other, [said("Later.")]).added == 1
            assert memory.list(other)[1].text == "Later."
        else:
            with pytest.raises(FormatError, match=r"line 2: .*position"):
                memory.import_jsonl(file, scope=other)
            assert memory.list(other) == before


def test_an_export_never_lands_on_the_memory_itself(
    memory: RoleplayMemory, path: Path, scope: Scope, tmp_path: Path
) -> None:
    memory.add_turns(scope, CHAT)
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    (tmp_path / "folder").symlink_to(tmp_path)
    own = [
        path,
        f"{path}-wal",
        f"{path}-shm",
        link,
        tmp_path / "folder" / path.name,
        tmp_path / "x" / ".." / path.name,
    ]
    (tmp_path / "x").mkdir()
    for target in own:
        with pytest.raises(OptionError, match="own file"):
            memory.export_jsonl(target, scope)
    assert memory.add_turns(scope, [said("Still there?")]).added == 1
    assert len(memory.list(scope)) == 5
    assert memory.verify().is_sound


def test_an_export_that_fails_leaves_the_older_one(
    memory: RoleplayMemory, scope: Scope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.add_turns(scope, CHAT[:2])
    file = tmp_path / "out.jsonl"
    assert memory.export_jsonl(file, scope) == 2
    older = file.read_bytes()
    memory.add_turns(scope, CHAT[2:])
    story = View.story

    def torn(self: View, snapshot: object) -> Iterator[StoredMemory]:
        for number, row in enumerate(story(self, snapshot)):  # type: ignore[arg-type]
            if number == 3:
                raise KeyboardInterrupt
            yield row

    with monkeypatch.context() as patched:
        patched.setattr(View, "story", torn)
        with pytest.raises(KeyboardInterrupt):
            memory.export_jsonl(file, scope)
    assert file.read_bytes() == older
    assert [found.name for found in tmp_path.iterdir() if found.suffix in (".tmp", ".part")] == []
    assert memory.export_jsonl(file, scope) == 4
    assert len(file.read_bytes().splitlines()) == 4


def test_two_users_may_hold_the_same_ids(
    memory: RoleplayMemory, scope: Scope, tmp_path: Path, gem: Embedder
) -> None:
    memory.add_turns(scope, CHAT)
    memory.add_fact(scope, "There is a key.", parent_id="1")
    memory.export_jsonl(tmp_path / "out.jsonl", scope)
    other = replace(scope, user="ben")
    assert memory.import_jsonl(tmp_path / "out.jsonl", scope=other) == 5
    mine, theirs = memory.list(scope), memory.list(other)
    assert [m.id for m in mine] == [t.id for t in theirs]
    assert {t.scope for t in theirs} == {other}
    memory.update(other, theirs[1].id, text="There is a lock.")
    assert memory.list(scope) == mine
    assert memory.forget(scope, mine[0].id).memories == 2  # and the fact drawn from it
    assert [t.text for t in memory.list(other)] == [
        CHAT[0].text,
        "There is a lock.",
        *(t.text for t in theirs[2:]),
    ]
    assert memory.forget(other, [t.id for t in theirs]).memories == 5
    assert memory.list(other) == []
    assert memory.list(scope) == mine[2:]
    assert memory.recall("harbour master", scope)[0].memory == mine[3]
    assert memory.verify().is_sound
