"""A file of the second format answers as it did before each user had a version of its own.

`data/memory-v2.db` and the answers beside it were made with the code of that time:

    import json, sqlite3, sys
    from datetime import datetime, timedelta, timezone
    from pathlib import Path
    from romaine import Embedder
    from romaine.memory import RoleplayMemory, Scope, Turn, reembed
    from romaine.memory.exchange import to_json

    data = Path(sys.argv[1])
    path = data / "memory-v2.db"
    DAY = datetime(2025, 3, 1, tzinfo=timezone.utc)


    def said(text, n, speaker="Cassian"):
        return Turn(text, speaker=speaker, role="character", source_id=f"s{n}", at=DAY + timedelta(minutes=n))


    def interrupt(done, total):
        raise KeyboardInterrupt


    ana = Scope(user="ana", character="Cassian", chat="tavern")
    odd = Scope(user="\\ud83d bo\\0", chat="\\udc80")
    path.unlink(missing_ok=True)
    gem = Embedder(dim=64)
    with RoleplayMemory(path, embedder=gem, vector_format="int8") as m:
        m.add_turns(
            ana, [said("I left the silver key under the third step.", 1), said("Lock the door.", 2, "Ana")]
        )
        m.add_turns(ana, [said("The harbour master owes me gold.", 3)], known_by=["Cassian", "Odo"])
        old = m.add_fact(ana, "The key is made of silver.", parent_id="s1", at=DAY).memory
        m.add_turns(odd, [said("My ship burned in the bay.", 1), said("Nobody came \\ud800 to help.", 2)])
        fork = m.branch(ana, at=2, to_chat="fork")
        m.add_turns(ana, [said("I left the brass key under the fourth step.", 1)])
        m.add_fact(ana, "The key is made of brass after all.", supersedes=old.id, at=DAY + timedelta(hours=1))
        m.retract(fork, ["s3"])
        nested = m.branch(fork, at=1, to_chat="nested")
        m.add_turns(fork, [said("A storm comes in from the north.", 6), said("Then bar the door.", 2, "Ana")])
        m.add_lore(Scope(user="ana"), "Winters in Port Vell are short.")
        m.retract(ana, ["s2"])
        m.forget(odd, [x.id for x in m.list(odd) if x.text.startswith("My")])
        try:
            reembed(path, Embedder(dim=64, document_prompt="passage: "), batch_size=3, progress=interrupt)
        except KeyboardInterrupt:
            pass
        m.add_turns(ana, [said("The tavern smells of leek soup.", 7)])
    with RoleplayMemory(path, embedder=gem) as m:
        scopes = [ana, Scope(user="ana"), Scope(user="ana", chat="tavern"), fork, nested, odd]
        told = [
            {
                "scope": {"user": s.user, "character": s.character, "chat": s.chat},
                "list": [to_json(x) for x in m.list(s)],
                "recall": {
                    q: [[h.memory.id, round(h.score, 4)] for h in m.recall(q, s, k=4)]
                    for q in ("Where is the key?", "a storm", "help")
                },
            }
            for s in scopes
        ]
    with sqlite3.connect(path, isolation_level=None) as con:
        for statement in ("journal_mode = DELETE", "page_size = 4096", "journal_mode = WAL"):
            con.execute(f"PRAGMA {statement}")
            con.execute("VACUUM")
    con.close()
    (data / "memory-v2.json").write_text(json.dumps(told, indent=1) + "\\n", encoding="utf-8")
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope, Turn, reembed
from romaine.memory.exchange import to_json
from romaine.memory.sqlite.schema import VERSION

DATA = Path(__file__).parent / "data"
TOLD = [
    (Scope(**record["scope"]), record)
    for record in json.loads((DATA / "memory-v2.json").read_text(encoding="utf-8"))
]
ANA = Scope(user="ana", character="Cassian", chat="tavern")


@pytest.fixture
def old(path: Path) -> Path:
    shutil.copyfile(DATA / "memory-v2.db", path)
    return path


def test_it_answers_as_it_did(old: Path, gem: Embedder) -> None:
    connection = sqlite3.connect(f"file:{old}?immutable=1", uri=True)
    assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()
    for _ in range(2):  # the second time it is of the present format
        with RoleplayMemory(old, embedder=gem) as memory:
            for scope, record in TOLD:
                assert [to_json(found) for found in memory.list(scope)] == record["list"]
                for query, told in record["recall"].items():
                    hits = memory.recall(query, scope, k=4)
                    assert [hit.memory.id for hit in hits] == [id_ for id_, _ in told]
                    assert [hit.score for hit in hits] == pytest.approx([s for _, s in told], abs=2e-4)
            assert memory.verify().is_sound
    connection = sqlite3.connect(f"file:{old}?immutable=1", uri=True)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


def test_forks_stay_apart_and_each_user_counts_on(old: Path, gem: Embedder) -> None:
    with RoleplayMemory(old, embedder=gem) as memory:
        with memory._store.storage.read() as snapshot:
            before = {scope.user: snapshot.version(scope.user) for scope, _ in TOLD}
        assert len(set(before.values())) == 1
        memory.add_turns(ANA, [Turn("The door is green.", speaker="Ana", role="user")])
        (fact,) = (found for found in memory.list(ANA) if found.text.startswith("The key is made of brass"))
        memory.update(ANA, fact.id, text="The key is made of iron.")
        for scope, record in TOLD:
            if scope.chat in ("fork", "nested"):
                assert [to_json(found) for found in memory.list(scope)] == record["list"]
        with memory._store.storage.read() as snapshot:
            after = {scope.user: snapshot.version(scope.user) - before[scope.user] for scope, _ in TOLD}
        assert after == {user: 2 * (user == "ana") for user in before}
        assert memory.verify().is_sound


def test_an_interrupted_reembed_goes_on(old: Path, gem: Embedder) -> None:
    other = Embedder(dim=64, document_prompt="passage: ")
    with RoleplayMemory(old, embedder=gem) as memory, memory._store.storage.read() as snapshot:
        done, total = snapshot.progress()
    assert done == 3
    assert reembed(old, other) == total - done
    with RoleplayMemory(old, embedder=other) as memory:
        assert memory.verify().is_sound


def test_an_older_process_with_the_file_open_is_told(old: Path, gem: Embedder) -> None:
    older = sqlite3.connect(old, isolation_level=None)
    assert older.execute("SELECT value FROM meta WHERE key = 'embedder'").fetchone() is not None
    RoleplayMemory(old, embedder=gem).close()
    # what every recall and every write of that release asks first
    with pytest.raises(sqlite3.OperationalError, match="a newer one has changed the file"):
        older.execute("SELECT value FROM meta WHERE key = ?", ("embedder",))
    with pytest.raises(sqlite3.OperationalError, match="a newer one has changed the file"):
        older.execute("UPDATE meta SET value = value + 1 WHERE key = 'change'")
    older.close()
