from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from romaine.cli.memory import app
from romaine.embedder import Embedder
from romaine.errors import (
    FormatError,
    MemoryNotFoundError,
    OptionError,
    OtherEmbedderError,
    StorageError,
    UnknownNameError,
)
from romaine.memory import RoleplayMemory, Scope
from romaine.models.catalog import BUNDLED_FOLDER
from tests import late_models

DATA = Path(__file__).parents[2] / "examples" / "data"
FILES = tuple(
    str(DATA / name) for name in ("heron-and-lantern.jsonl", "cassian.card.png", "veldmouth-world.json")
)
KEY = "I left the silver key under the third step"
QUESTION = "Where is the silver key hidden?"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "memories.db"


class Shell:
    """Runs commands against one file for one user, as a terminal would."""

    def __init__(self, db: Path, user: str = "ana", *whose: str) -> None:
        self.tail = ("--db", str(db), "--user", user, *whose)

    def run(self, *arguments: object, typed: str | None = None) -> Any:
        return CliRunner().invoke(app, [*map(str, arguments), *self.tail], input=typed)

    def __call__(self, *arguments: object) -> str:
        done = self.run(*arguments)
        assert done.exit_code == 0, done.output + repr(done.exception)
        return done.stdout

    def json(self, *arguments: object):
        return json.loads(self(*arguments, "--json"))

    def fails(self, error: type[Exception], *arguments: object) -> str:
        done = self.run(*arguments)
        assert isinstance(done.exception, error), done.output + repr(done.exception)
        assert "\n" not in str(done.exception)
        return str(done.exception)


@pytest.fixture
def tavern(db: Path) -> Shell:
    shell = Shell(db, "ana", "--character", "Cassian", "--chat", "tavern")
    shell("import", *FILES)
    return shell


def chat_file(path: Path, *messages: str | None, speaker: str = "Cassian") -> Path:
    """A plain chat; the number of a message is its id, None is a message that was deleted."""
    lines = [
        json.dumps({"source_id": str(number), "speaker": speaker, "role": "character", "text": text}) + "\n"
        for number, text in enumerate(messages)
        if text is not None
    ]
    path.write_text("".join(lines))
    return path


# --- importing -------------------------------------------------------------------------------------------


def test_the_same_import_again_adds_nothing(db):
    shell = Shell(db, "ana", "--character", "Cassian", "--chat", "tavern")
    first = shell.json("import", *FILES)["files"]
    assert [file["format"] for file in first] == ["sillytavern-chat", "character-card", "lorebook"]
    (chat,) = first[0]["chats"]
    assert chat == {
        "user": "ana",
        "character": "Cassian",
        "chat": "tavern",
        "added": 183,
        "edited": 0,
        "unchanged": 0,
        "pinned": 0,
        "retracted": 0,
    }
    assert first[1]["notes"]["added"] > 0
    assert first[0]["skipped"] == [{"where": "line 19", "why": "hidden from the model (is_system)"}]
    before = shell.json("stats")
    again = shell.json("import", *FILES, "--sync")["files"]
    (chat,) = again[0]["chats"]
    assert (chat["added"], chat["edited"], chat["unchanged"], chat["retracted"]) == (0, 0, 183, 0)
    assert all(file["notes"]["added"] == 0 for file in again)
    assert shell.json("stats")["memories"] == before["memories"]


def test_an_import_in_one_table(db):
    shell = Shell(db)
    output = shell("import", *FILES)
    assert "heron-and-lantern" in output  # a chat without a name is called after its file
    assert "183" in output
    assert "cassian.card.png: 9 notes, 0 known" in output
    assert "veldmouth-world.json: skipped lore entry 6: disabled" in output


def test_an_edited_message_replaces_the_old_one(db, tmp_path):
    shell = Shell(db, "ana", "--chat", "boat")
    shell("import", chat_file(tmp_path / "a.jsonl", "The boat is called Second Thoughts.", "Hm."))
    edited = chat_file(tmp_path / "a.jsonl", "The boat is called Patient Margery.", "Hm.")
    (chat,) = shell.json("import", edited)["files"][0]["chats"]
    assert (chat["added"], chat["edited"], chat["unchanged"]) == (0, 1, 1)
    assert [memory["text"] for memory in shell.json("list")] == ["The boat is called Patient Margery.", "Hm."]


def test_a_deleted_message_goes_only_if_asked(db, tmp_path):
    shell = Shell(db, "ana", "--chat", "boat")
    shell("import", chat_file(tmp_path / "a.jsonl", "One.", "Two.", "Three."))
    shorter = chat_file(tmp_path / "a.jsonl", "One.", None, "Three.")
    shell("import", shorter)
    assert len(shell.json("list")) == 3
    (chat,) = shell.json("import", shorter, "--sync")["files"][0]["chats"]
    assert chat["retracted"] == 1
    assert [memory["text"] for memory in shell.json("list")] == ["One.", "Three."]


def test_two_files_never_become_one_chat(db, tmp_path):
    files = [chat_file(tmp_path / name, "Hello.") for name in ("a.jsonl", "b.jsonl")]
    message = Shell(db, "ana", "--chat", "boat").fails(OptionError, "import", *files)
    assert "'boat'" in message
    assert not db.exists()
    Shell(db)("import", *files)
    assert len(Shell(db, "ana", "--chat", "b").json("list")) == 1


def test_a_bad_file_among_good_ones_writes_nothing(db, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text("no chat")
    assert str(bad) in Shell(db).fails(FormatError, "import", FILES[0], bad)
    assert not db.exists()
    assert str(tmp_path / "none") in Shell(db).fails(FormatError, "import", tmp_path / "none")


def test_where_vectors_of_tokens_come_from_is_said_once(db, tmp_path, minilm_folder):
    oak = late_models.write_own(tmp_path / "little-oak", minilm_folder)
    path = chat_file(tmp_path / "chat.jsonl", "Where is the key?")
    shell = Shell(db)
    assert "late_interaction='stored' needs vectors of tokens" in shell.fails(
        OptionError, "import", path, "--late-interaction", "stored"
    )
    db.unlink()
    shell("import", path, "--model", oak, "--late-interaction", "computed")
    embedder = Embedder(oak, dim=8)
    with RoleplayMemory(db, embedder=embedder) as memory, memory._store.storage.read() as snapshot:
        assert snapshot.setting("late_interaction") == "computed"
        assert snapshot.token_vectors([1]) == {}


def test_an_analyzer_of_another_package_is_named_once(db, tmp_path, install):
    install("loud", "[romaine.analyzers]\nloud = loud:LOUD\n", LOUD_ANALYZER)
    path = tmp_path / "log.jsonl"
    path.write_text('{"speaker": "Tomas", "role": "character", "text": "The key hangs by the door."}\n')
    assert "'loud'" in Shell(db).fails(UnknownNameError, "import", path, "--analyzer", "lou")
    Shell(db).run("import", path, "--analyzer", "loud")
    with RoleplayMemory(db) as memory:
        assert memory.analyzer.id == "loud"


LOUD_ANALYZER = """
from romaine.memory import Analyzer


class Loud(Analyzer):
    id, version = "loud", 1

    def terms(self, text):
        return text.upper().split()


LOUD = Loud()
"""


def test_formats_of_other_packages_are_listed_and_read(db, tmp_path, install):
    install("theirs", "[romaine.formats]\nlog = theirs:LOG\n", THEIR_FORMAT)
    path = tmp_path / "a.log"
    path.write_text("#log\nThe vault opens at midnight.\n")
    assert "'log'" in Shell(db).fails(UnknownNameError, "import", path, "--format", "logs")
    assert str(path) in Shell(db).fails(FormatError, "import", path, "--format", "jsonl")
    for options in ((), ("--format", "log")):
        (report,) = Shell(db).json("import", path, *options)["files"]
        assert report["format"] == "log"
    assert [row["text"] for row in Shell(db, "ana", "--chat", "a").json("list")] == [
        "The vault opens at midnight."
    ]


THEIR_FORMAT = """
from romaine.formats import Chat, Content, Format, ImportResult
from romaine.memory import Turn

def read(stream, options):
    lines = stream.read().decode().splitlines()[1:]
    turns = tuple(Turn(line, speaker="Osk", role="character", source_id=line) for line in lines)
    return ImportResult(format="log", chats=(Chat(turns=turns),))

LOG = Format(name="log", content=Content.BYTES, recognises=lambda head: head.startswith(b"#log"), read=read)
"""


def test_names_stand_for_macros(db, tmp_path):
    book = tmp_path / "book.json"
    entry = {
        "uid": 0,
        "key": ["inn"],
        "content": "{{char}} owns the inn; {{user}} owes rent.",
        "disable": False,
    }
    book.write_text(json.dumps({"entries": {"0": entry}}))
    shell = Shell(db, "ana", "--character", "Cassian")
    shell("import", book, "--user-name", "Ana")
    assert [memory["text"] for memory in shell.json("list")] == ["Cassian owns the inn; Ana owes rent."]


# --- recalling and looking -------------------------------------------------------------------------------


def test_recall_finds_the_key(tavern):
    output = tavern("recall", QUESTION, "-k", 1, "--neighbours", 1)
    assert KEY in output
    (hit,) = tavern.json("recall", QUESTION, "-k", 1, "--neighbours", 1)["hits"]
    assert KEY in hit["memory"]["text"]
    assert hit["score"] == pytest.approx(sum(hit["parts"].values()), abs=1e-4)
    assert len(hit["neighbours"]) == 2
    assert hit["memory"]["id"] in output


def test_recall_takes_the_last_messages(tavern):
    hits = tavern.json("recall", "We should look into the cellar.", QUESTION, "-k", 3)["hits"]
    assert any(KEY in hit["memory"]["text"] for hit in hits)


def test_recall_hears_every_option(tavern):
    found = tavern.json(
        *("recall", QUESTION, "-k", 4, "--token-budget", 300, "--kind", "turn", "--speaker", "Cassian"),
        *("--as-character", "Cassian", "--as-of", 90, "--order", "chronological", "--diversity", 3),
        *("--dim", 128, "--include-superseded", "--min-score", "0.5", "--explain"),
    )
    memories = [hit["memory"] for hit in found["hits"]]
    assert memories
    assert all(memory["speaker"] == "Cassian" and memory["kind"] == "turn" for memory in memories)
    assert sum(memory["token_count"] for memory in memories) <= 300
    positions = [memory["position"] for memory in memories]
    assert positions == sorted(positions)
    assert max(positions) <= 90
    assert found["rejected"]
    assert 0 <= found["confidence"] <= 1
    assert found["damaged"] == 0


def test_explain_tells_what_was_left_out(tavern):
    output = tavern("recall", QUESTION, "-k", 1, "--explain")
    assert "left out" in output
    assert "rank" in output
    assert "confidence" in output
    assert "lexical +" in output


def test_recall_may_find_nothing(tavern):
    done = tavern.run(
        "recall", "Which quantum computer did the astronaut buy in Tokyo?", "--min-score", "auto"
    )
    assert done.exit_code == 0
    assert done.stdout == ""
    assert done.stderr == "nothing fits\n"


def test_recall_writes_only_when_told(tavern):
    question = ("recall", QUESTION, "-k", 1)
    tavern(*question)
    assert tavern.json(*question, "--mark-used")["hits"][0]["memory"]["access_count"] == 0
    assert tavern.json(*question)["hits"][0]["memory"]["access_count"] == 1


def test_list_in_the_order_of_the_story(tavern):
    memories = tavern.json("list")
    positions = [memory["position"] for memory in memories if memory["kind"] == "turn"]
    assert positions == list(range(183))
    assert [memory["id"] for memory in tavern.json("list", "--offset", 3, "-n", 2)] == [
        memory["id"] for memory in memories[3:5]
    ]
    assert {memory["kind"] for memory in tavern.json("list", "--kind", "lore")} == {"lore"}
    output = tavern("list")
    assert all(memory["id"] in output for memory in memories)


def test_ids_are_whole_in_a_narrow_terminal(tavern, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    output = tavern("list", "-n", 3)
    assert all(memory["id"] in output for memory in tavern.json("list", "-n", 3))
    assert max(map(len, output.splitlines())) <= 80


def test_show_one(tavern):
    (hit,) = tavern.json("recall", QUESTION, "-k", 1)["hits"]
    id_ = hit["memory"]["id"]
    assert tavern.json("show", id_) == hit["memory"]
    assert KEY in tavern("show", id_)


def test_stats(tavern):
    figures = tavern.json("stats")
    assert figures["memories"]["turn"] == 183
    assert figures["total"] == sum(figures["memories"].values())
    assert figures["full_dim"] == Embedder().full_dim
    assert "183" in tavern("stats")


def test_another_user_sees_nothing(tavern, db):
    id_ = tavern.json("recall", QUESTION, "-k", 1)["hits"][0]["memory"]["id"]
    other = Shell(db, "bob", "--character", "Cassian", "--chat", "tavern")
    done = other.run("recall", QUESTION)
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "nothing is stored for --user bob" in done.stderr
    assert other.json("recall", QUESTION) == {"hits": []}
    assert other.json("list") == []
    assert other.json("stats")["total"] == 0
    assert other("export") == ""
    for command in ("show", "pin", "unpin"):
        other.fails(MemoryNotFoundError, command, id_)
    other.fails(MemoryNotFoundError, "forget", id_, "--yes")
    assert tavern.json("show", id_)


# --- changing --------------------------------------------------------------------------------------------


def test_pin_and_unpin(tavern):
    ids = [memory["id"] for memory in tavern.json("list", "-n", 2)]
    assert [memory["pinned"] for memory in tavern.json("pin", *ids)] == [True, True]
    assert "pinned" in tavern("list", "-n", 1)
    tavern("unpin", *ids)
    assert not any(memory["pinned"] for memory in tavern.json("list", "-n", 2))


def test_forget_asks_first(tavern):
    memory = tavern.json("list", "-n", 1)[0]
    for answer in ("n\n", ""):
        done = tavern.run("forget", memory["id"], typed=answer)
        assert done.exit_code == 1
        assert memory["id"] in done.stderr
    assert tavern.json("show", memory["id"]) == memory
    assert tavern.run("forget", memory["id"], typed="y\n").stdout.endswith("1 forgotten\n")
    tavern.fails(MemoryNotFoundError, "show", memory["id"])


def test_forgotten_text_is_out_of_the_file(tavern, db):
    id_ = tavern.json("recall", QUESTION, "-k", 1)["hits"][0]["memory"]["id"]
    assert KEY.encode() in db.read_bytes()
    assert tavern.json("forget", id_, "--yes") == {"forgotten": 1, "pending": False}
    assert KEY.encode() not in db.read_bytes()
    assert (
        tavern.json("forget", tavern.json("list", "-n", 1)[0]["id"], "--yes", "--keep-derived")["forgotten"]
        == 1
    )


def erase(db: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["erase", "--db", str(db), *arguments])


def test_text_that_another_still_reads_is_erased_later(tavern, db):
    import sqlite3

    id_ = tavern.json("recall", QUESTION, "-k", 1)["hits"][0]["memory"]["id"]
    reader = sqlite3.connect(db, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM memory").fetchone()[0] > 0  # an older state, from here on
    done = tavern.run("forget", id_, "--yes")
    assert done.stdout == "1 forgotten\n"
    assert f"`romaine memory erase --db {db}`" in done.stderr
    done = erase(db)
    assert done.exit_code == 1
    assert "end that process" in done.stderr
    assert json.loads(erase(db, "--json").stdout) == {"erased": False}
    reader.close()
    assert json.loads(erase(db, "--json").stdout) == {"erased": True}
    assert erase(db).stdout == "nothing of what was forgotten is left in any file\n"
    assert not any(KEY.encode() in file.read_bytes() for file in db.parent.glob(f"{db.name}*"))


def test_decay(tavern, db):
    everywhere = Shell(db, "ana", "--character", "Cassian")
    result = everywhere.json("decay", "--rate", "0.9", "--cold-below", "0.5", "--hot-tokens", 1000)
    assert result["decayed"] == result["cooled"] == everywhere.json("stats")["memories"]["fact"]
    assert result["trimmed"] == 0
    assert everywhere("decay", "--rate", "0").startswith("0 faded, 0 turned cold")
    assert everywhere.json("decay", "--max-entries", 2)["trimmed"] == result["decayed"] - 2


def test_branch_shares_the_past(tavern, db):
    fork = Shell(db, "ana", "--character", "Cassian")
    position = tavern.json("recall", QUESTION, "-k", 1)["hits"][0]["memory"]["position"]
    made = fork.json("branch", "elsewhere", "--at", position, "--chat", "tavern")
    assert made == {"user": "ana", "character": "Cassian", "chat": "elsewhere"}
    elsewhere = Shell(db, "ana", "--character", "Cassian", "--chat", "elsewhere")
    assert KEY in elsewhere("recall", QUESTION, "-k", 1)
    assert elsewhere.json("stats")["memories"]["turn"] == position + 1
    fork.fails(OptionError, "branch", "elsewhere", "--at", 0, "--chat", "tavern")


# --- the file --------------------------------------------------------------------------------------------


def test_export_and_import_again(tavern, db, tmp_path):
    out = tmp_path / "all.jsonl"
    assert tavern.json("export", "--out", out) == {
        "memories": tavern.json("stats")["total"],
        "file": str(out),
    }
    lines = out.read_text().splitlines()
    assert sorted(tavern("export").splitlines()) == sorted(lines)
    assert "--overwrite" in tavern.fails(OptionError, "export", "--out", out)
    tavern("export", "--out", out, "--overwrite")
    for own in (db, Path(f"{db}-wal")):
        tavern.fails(OptionError, "export", "--out", own, "--overwrite")
    tavern.fails(OptionError, "export", "--out", tmp_path, "--overwrite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.jsonl", "memories.db"]
    copy = tmp_path / "copy.db"
    Shell(copy)("import", out)
    assert Shell(copy)("import", out).startswith("all.jsonl: 0 new memories")
    same = Shell(copy, "ana", "--character", "Cassian", "--chat", "tavern")
    assert same.json("list") == tavern.json("list")
    assert KEY in same("recall", QUESTION, "-k", 1)


def test_an_export_of_one_user_does_not_become_anothers_unasked(tavern, tmp_path):
    out = tmp_path / "all.jsonl"
    tavern("export", "--out", out)
    copy = tmp_path / "copy.db"
    assert "'bob'" in Shell(copy, "bob").fails(FormatError, "import", out)
    assert Shell(copy, "bob").json("stats")["total"] == 0
    taken = Shell(copy, "bob", "--character", "Cassian", "--chat", "tavern")
    taken("import", out)
    assert taken.json("stats")["total"] == tavern.json("stats")["total"]
    assert Shell(copy, "ana", "--character", "Cassian", "--chat", "tavern").json("stats")["total"] == 0


def test_halves_of_pairs_go_out_and_come_in_as_they_were(db, tmp_path):
    text = "one \ud83d\ude00 two"  # two halves, which stand side by side and are no character
    with RoleplayMemory(db) as memory:
        memory.add_fact(Scope(user="ana"), text)
    out = tmp_path / "out.jsonl"
    Shell(db)("export", "--out", out)
    copy = Shell(tmp_path / "copy.db")
    copy("import", out)
    with RoleplayMemory(tmp_path / "copy.db") as memory:
        assert memory.list(Scope(user="ana"))[0].text == text


def reembed(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["reembed", *map(str, arguments)])


def test_reembed(tavern, db):
    count = tavern.json("stats")["total"]
    done = reembed("--db", db, "--batch-size", 50)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{count} memories embedded with little-gem\n"
    assert json.loads(reembed("--db", db, "--json").stdout)["embedded"] == count
    assert KEY in tavern("recall", QUESTION, "-k", 1)


@pytest.mark.parametrize("language", ["ko", "ja", "zh"])
def test_import_says_which_model_a_chat_needs(db, language):
    done = Shell(db).run("import", DATA / f"demo-{language}.jsonl", "--character", "x")
    assert done.exit_code == 0, done.output
    assert f"these chats are in {language!r}" in done.stderr
    assert "pip install 'romaine[multilingual]'" in done.stderr
    assert f"romaine memory reembed --db {db}" in done.stderr
    assert "Warning" not in done.stderr


def test_import_says_nothing_of_what_the_model_knows(db, tmp_path):
    assert "chats are in" not in Shell(db).run("import", *FILES).stderr
    german = tmp_path / "german.jsonl"
    lines = ["Wo hast du den Schlüssel versteckt?", "Unter der dritten Stufe.", "Sag es niemandem!"]
    german.write_text("".join(json.dumps({"speaker": "Ana", "text": line}) + "\n" for line in lines))
    done = Shell(db).run("import", german)
    assert "these chats are in 'de', which little-gem does not know" in done.stderr


@pytest.mark.filterwarnings("ignore::romaine.UnfamiliarTextWarning")
def test_reembed_brings_an_old_file_to_a_model_of_another_distribution(db, install):
    files = {name: (BUNDLED_FOLDER / name).read_bytes() for name in ("model.safetensors", "tokenizer.json")}
    card = json.loads((BUNDLED_FOLDER / "romaine.json").read_text(encoding="utf-8"))
    card |= {"id": "korean-gem", "languages": ["en", "ko"]}
    files["romaine.json"] = json.dumps(card).encode()
    Shell(db).run("import", DATA / "demo-ko.jsonl")
    question = "반지를 찾을 때 대야 하는 암호가 뭐였지?"
    before = Shell(db, "ana", "--character", "두억", "--chat", "demo-ko")("recall", question, "-k", 1)
    assert "달걀은" in before
    install("korean_gem", "[romaine.models]\nkorean-gem = korean_gem\n", "", files=files)
    done = reembed("--db", db, "--model", "korean-gem")
    assert done.exit_code == 0, done.output
    assert "embedded with korean-gem" in done.stdout
    whose = ("--character", "두억", "--chat", "demo-ko")
    assert "달걀은" in Shell(db, "ana", *whose, "--model", "korean-gem")("recall", question, "-k", 1)
    assert "달걀은" in Shell(db, "ana", *whose)("recall", question, "-k", 1)  # the file's own
    of_another = Shell(db, "ana", *whose, "--model", "little-gem")
    assert "reembed" in of_another.fails(OtherEmbedderError, "recall", question)
    again = Shell(db, "ana", "--model", "korean-gem").run("import", DATA / "demo-ko.jsonl")
    assert "chats are in" not in again.stderr


def test_an_interrupted_reembed_goes_on(tavern, db, monkeypatch):
    count = tavern.json("stats")["total"]
    embed, calls = Embedder.embed_documents, []

    def interrupted(self, texts):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return embed(self, texts)

    monkeypatch.setattr(Embedder, "embed_documents", interrupted)
    done = reembed("--db", db, "--batch-size", 50)
    assert done.exit_code == 130
    assert "the same command goes on" in done.stderr
    assert KEY in tavern("recall", QUESTION, "-k", 1)
    assert json.loads(reembed("--db", db, "--json").stdout)["embedded"] == count - 100


def test_a_file_of_another_embedder(db, tmp_path):
    with RoleplayMemory(db, embedder=Embedder(document_prompt="other: ")) as memory:
        memory.add_fact(Scope(user="ana"), "The boat is called Margery.")
    assert "romaine memory reembed" in Shell(db).fails(OtherEmbedderError, "list")
    assert reembed("--db", db).exit_code == 0
    assert "Margery" in Shell(db)("list")


def test_a_memory_is_copied_and_compared(tavern, db, tmp_path):
    other = tmp_path / "copy.db"
    done = CliRunner().invoke(app, ["copy", str(db), str(other), "--user", "ana"])
    assert done.exit_code == 0
    count = tavern.json("stats")["total"]
    assert f"{count:,} rows copied" in done.stdout
    assert "copying and comparing" in done.stderr
    copied = json.loads(CliRunner().invoke(app, ["copy", str(db), str(other), "--json"]).stdout)
    assert copied["rows"] == 0
    assert [(user["user"], user["rows"]) for user in copied["users"]] == [("ana", count)]
    question = ("recall", QUESTION, "--json")
    whose = tavern.tail[2:]
    assert Shell(other, *whose[1:])(*question) == tavern(*question)


def test_check_and_repair(tavern, db):
    import sqlite3

    def check(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["check", "--db", str(db), *arguments])

    assert check().exit_code == 0
    with sqlite3.connect(db) as connection:
        connection.execute("UPDATE vector SET checksum = checksum + 1 WHERE no = 3")
    connection.close()
    assert check().exit_code == 1
    report = json.loads(check("--json").stdout)
    assert len(report["damaged"]) == 1
    assert report["problems"] == []
    assert f"damaged: {report['damaged'][0]}" in check().stdout
    repaired = check("--repair")
    assert repaired.exit_code == 0
    assert "0 damaged, 1 repaired" in repaired.stdout


# --- what must not happen --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (OptionError, ("recall", "key", "--min-score", "much")),
        (OptionError, ("recall", "key", "--as-of", "yesterday")),
        (OptionError, ("recall", "key", "-k", "-1")),
        (OptionError, ("recall", "key", "--dim", "77")),
        (UnknownNameError, ("recall", "key", "--kind", "song")),
        (UnknownNameError, ("recall", "key", "--order", "random")),
        (OptionError, ("show", "12")),
        (MemoryNotFoundError, ("show", "01a1fca7-cfab-71f9-8dcb-c0ca170b8548")),
        (MemoryNotFoundError, ("pin", "01a1fca7-cfab-71f9-8dcb-c0ca170b8548")),
        (MemoryNotFoundError, ("forget", "01a1fca7-cfab-71f9-8dcb-c0ca170b8548", "--yes")),
        (OptionError, ("decay", "--rate", "2")),
    ],
)
def test_errors_are_one_line(db, tmp_path, error, arguments):
    shell = Shell(db, "ana", "--chat", "boat")
    shell("import", chat_file(tmp_path / "a.jsonl", "One."))
    shell.fails(error, *arguments)


@pytest.mark.parametrize("command", ["list", "stats", "export", "decay"])
def test_a_file_that_is_not_there_is_not_made(db, command):
    assert "is not there" in Shell(db).fails(StorageError, command)
    assert not db.exists()
    assert isinstance(reembed("--db", db).exception, StorageError)
    assert not db.exists()


def test_text_of_a_chat_is_never_obeyed(db, tmp_path):
    hostile = "[bold]red[/bold] [/] \x1b[2J\x1b]0;owned\x07 \x9b31m \u202eback\nnext\rline \ud800"
    shell = Shell(db, "ana", "--chat", "evil")
    path = tmp_path / "a.jsonl"
    message = {"source_id": "1", "speaker": "[red]\x1b[31mMallory", "role": "character", "text": hostile}
    path.write_text(json.dumps(message) + "\n")
    shell("import", path)
    (memory,) = shell.json("list")
    outputs = [
        shell("list"),
        shell("list", "--json"),
        shell("show", memory["id"]),
        shell("recall", "red back next line"),
        shell("recall", "red back next line", "--explain"),
        shell("recall", "red back next line", "--json"),
        shell("pin", memory["id"]),
        shell.run("forget", memory["id"], typed="n\n").stderr,
    ]
    for output in outputs:
        assert not set(output) & set("\x1b\x07\x9b\u202e\r\x00")
        assert "[bold]red[/bold] [/]" in output
    assert memory["text"] == hostile


def command_line(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "romaine", "memory", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COLUMNS": "200"},
    )


def test_as_a_command(db, tmp_path):
    whose = ("--db", db, "--user", "ana", "--character", "Cassian", "--chat", "tavern")
    done = command_line("import", FILES[0], *whose)
    assert done.returncode == 0, done.stderr
    assert "importing" in done.stderr
    assert KEY in command_line("recall", QUESTION, "-k", "1", *whose).stdout
    failed = command_line("show", "12", *whose)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1
    assert command_line("list", "--db", db).returncode == 2  # --user is never left out


def test_a_terminal_that_knows_no_unicode(tavern):
    runner = CliRunner(charset="ascii")
    for arguments in (("list",), ("list", "--json"), ("recall", QUESTION)):
        done = runner.invoke(app, [*arguments, *tavern.tail])
        assert done.exit_code == 0, repr(done.exception)
        assert done.stdout.isascii()
