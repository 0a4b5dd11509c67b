"""A file of the first format answers as it did in its time, once it is opened.

`data/memory-v1.db` and the answers beside it were made with the code of that time:

    import json, sqlite3, sys
    from datetime import datetime, timedelta, timezone
    from pathlib import Path
    from romaine import Embedder
    from romaine.memory import RoleplayMemory, Scope, Turn

    data = Path(sys.argv[1])
    path = data / "memory-v1.db"
    DAY = datetime(2025, 3, 1, tzinfo=timezone.utc)


    def said(text, n, speaker="Cassian", **more):
        return Turn(
            text,
            speaker=speaker,
            role="character",
            source_id=f"s{n}",
            at=DAY + timedelta(minutes=n),
            **more,
        )


    ana = Scope(user="ana", character="Cassian", chat="tavern")
    mira = Scope(user="ana", character="Mira", chat="tavern")
    everyone = Scope(user="ana", chat="council")
    bo = Scope(user="bo", character="Cassian", chat="tavern")
    far = Scope(user="čáp", character="Ródan", chat="moře")
    path.unlink(missing_ok=True)
    with RoleplayMemory(path, embedder=Embedder(dim=64)) as m:
        m.add_turns(
            ana,
            [
                said("I left the silver key under the third step.", 1),
                said("Then lock the door.", 2, "Ana"),
                said(
                    "The harbour master owes me forty gold pieces.",
                    3,
                    metadata={"swipe": 2, "mood": "grim"},
                ),
                said("We should visit him tomorrow.", 4, "Ana", parent_id="s3"),
                said("This one was a mistake.", 5),
            ],
        )
        m.add_turns(mira, [said("Only I saw the heron fly at dusk.", 30, "Mira")])
        old = m.add_fact(
            ana, "The key is made of silver.", parent_id="s1", metadata={"source": {"page": 3}}, at=DAY
        ).memory
        m.add_fact(
            ana, "Ana fears deep water.", category="character_trait", importance=0.6, pinned=True, at=DAY
        )
        m.add_fact(Scope(user="ana"), "Winters in Port Vell are short.", valid_from=1, valid_to=900, at=DAY)
        m.add_lore(
            Scope(user="ana", character="Cassian"),
            "The Lantern inn has three floors.",
            metadata={"keys": ["inn"]},
        )
        early = m.branch(ana, at=3, to_chat="early fork")
        m.add_turns(ana, [said("I left the brass key under the fourth step.", 1)])  # edited after the fork
        m.add_fact(
            ana, "The key is made of brass after all.", supersedes=old.id, at=DAY + timedelta(hours=1)
        )
        m.retract(ana, ["s5"])
        late = m.branch(ana, at=3, to_chat="late fork")
        m.add_turns(
            late,
            [said("Then lock the door and bar it.", 2, "Ana"), said("A storm comes in from the north.", 6)],
        )
        m.retract(late, ["s3"])
        m.add_turns(ana, [said("The tavern smells of leek soup again.", 7)])
        nested = m.branch(late, at=4, to_chat="nested fork")
        m.add_turns(late, [said("A storm comes in from the south.", 6)])  # edited after the nested fork
        m.add_turns(nested, [said("We sleep in the barn instead.", 8, "Ana")])
        m.add_turns(everyone, [said("The council meets in secret.", 1, "Mira")], known_by=["Mira", "Odo"])
        m.add_turns(everyone, [said("All of you, sit down.", 2, "Odo")])
        m.add_fact(everyone, "The treasurer is a spy.", known_by=["Mira"], at=DAY)
        m.add_turns(bo, [said("My ship burned in the bay.", 1), said("Nobody came to help.", 2, "Bo")])
        m.add_fact(bo, "Bo lost a ship.", importance=0.4, at=DAY)
        m.add_summary(bo, "Bo told Cassian of the burnt ship and wept.", source_id="sum1")
        m.mark_used(m.recall("ship", bo, k=2))
        m.decay(bo)
        m.forget(bo, [x.id for x in m.list(bo) if x.text.startswith("Nobody")], derived=False)
        lines = data / "far.jsonl"
        lines.write_text(
            "\n".join(
                json.dumps(
                    {
                        "id": f"0197a000-0000-7000-8000-00000000000{i}",
                        "kind": "turn",
                        "text": t,
                        "speaker": "Ródan",
                        "role": "character",
                        "position": p,
                        "created_at": (DAY + timedelta(minutes=i)).isoformat(),
                    }
                )
                for i, (t, p) in enumerate([("Moře je dnes klidné.", 0), ("Zítra přijde bouře.", 2**53)])
            )
        )
        m.import_jsonl(lines, scope=far)
        lines.unlink()
    with RoleplayMemory(path, embedder=Embedder(dim=64)) as m:  # as a fresh process answers
        queries = [
            "Where is the silver key?",
            "Who owes gold?",
            "a storm",
            "the burnt ship",
            "bouře",
            "secret council",
        ]
        scopes = [
            ana,
            mira,
            Scope(user="ana"),
            Scope(user="ana", chat="tavern"),
            early,
            late,
            nested,
            everyone,
            Scope(user="ana", character="Mira", chat="council"),
            Scope(user="ana", character="Cassian", chat="council"),
            bo,
            far,
        ]
        con = sqlite3.connect(path)
        from uuid import UUID

        origin = {
            str(UUID(bytes=a)): str(UUID(bytes=b))
            for a, b in con.execute("SELECT c.id, m.id FROM memory c JOIN memory m ON m.no = c.origin")
        }
        origin |= {
            str(UUID(bytes=a)): str(UUID(bytes=b))
            for a, b in con.execute(
                "SELECT c.id, m.id FROM memory c JOIN hidden h ON h.space = c.space "
                "JOIN memory m ON m.no = h.memory "
                "WHERE c.source_id = m.source_id"
            )
        }
        con.close()

        def row(x):
            return {
                "ids": [x.id, *([origin[x.id]] if x.id in origin else [])],
                "text": x.text,
                "kind": x.kind.value,
                "speaker": x.speaker,
                "position": x.position,
                "chat": x.scope.chat,
                "character": x.scope.character,
                "source_id": x.source_id,
                "parent_id": x.parent_id,
                "known_by": sorted(x.known_by),
                "category": x.category and x.category.value,
                "importance": round(x.importance, 6),
                "pinned": x.pinned,
                "cold": x.cold,
                "access_count": x.access_count,
                "valid_from": x.valid_from,
                "valid_to": x.valid_to,
                "token_count": x.token_count,
                "metadata": dict(x.metadata),
                "superseded_by": x.superseded_by,
                "created_at": x.created_at.isoformat(),
            }

        expected = [
            {
                "scope": {"user": s.user, "character": s.character, "chat": s.chat},
                "list": [row(x) for x in m.list(s)],
                "recall": [
                    {
                        "query": q,
                        "hits": [
                            {"ids": row(h.memory)["ids"], "text": h.memory.text, "score": round(h.score, 3)}
                            for h in m.recall(q, s, k=4)
                        ],
                    }
                    for q in queries
                ],
            }
            for s in scopes
        ]
    con = sqlite3.connect(path, isolation_level=None)
    con.execute("PRAGMA journal_mode = DELETE")
    con.execute("PRAGMA page_size = 4096")
    con.execute("VACUUM")
    con.execute("PRAGMA journal_mode = WAL")
    con.close()
    (data / "memory-v1.json").write_text(
        json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope, Turn

from .kills import EXPECTED, FAR, OLD_FILE, check_old_lists, scope_from
from .vectors import stale_vectors


@pytest.fixture
def old(path: Path) -> Path:
    shutil.copyfile(OLD_FILE, path)
    return path


def test_the_file_is_of_the_first_format() -> None:
    connection = sqlite3.connect(f"file:{OLD_FILE}?immutable=1", uri=True)
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()


def test_an_old_file_lists_what_it_did(old: Path, gem: Embedder) -> None:
    for _ in range(2):  # the second time it is of the present format
        with RoleplayMemory(old, embedder=gem) as memory:
            check_old_lists(memory)
            assert memory.verify().is_sound


def test_an_old_file_finds_what_it_did(old: Path, gem: Embedder) -> None:
    with RoleplayMemory(old, embedder=gem) as memory:
        for record in EXPECTED:
            for asked in record["recall"]:
                scope = scope_from(record)
                hits = memory.recall(asked["query"], scope, k=4)
                if (scope.user, scope.character) == ("ana", "Cassian"):
                    # contexts in these chats were those of other forks and witnesses
                    assert len(hits) == len(asked["hits"])
                    continue
                assert [hit.memory.text for hit in hits] == [hit["text"] for hit in asked["hits"]]
                assert all(h.memory.id in e["ids"] for h, e in zip(hits, asked["hits"], strict=True))
                told = [hit["score"] for hit in asked["hits"]]
                # recency, at most 0.1, went by the order of rows
                assert [hit.score for hit in hits] == pytest.approx(told, abs=0.101)


def test_an_old_files_vectors_are_those_of_the_present(old: Path, gem: Embedder) -> None:
    RoleplayMemory(old, embedder=gem).close()
    assert stale_vectors(old, gem, old.parent) == []


def test_old_forks_are_forks(old: Path, gem: Embedder) -> None:
    """From now on neither side sees what the other does."""
    scopes = [scope_from(record) for record in EXPECTED if record["scope"]["user"] == "ana"]
    early = Scope(user="ana", character="Cassian", chat="early fork")
    parent = Scope(user="ana", character="Cassian", chat="tavern")
    with RoleplayMemory(old, embedder=gem) as memory:
        before = {scope: memory.list(scope) for scope in scopes}
        (door,) = (m for m in memory.list(early) if m.text == "Then lock the door.")
        memory.update(early, door.id, importance=0.25)
        assert {s: memory.list(s) for s in scopes if s != early} == {
            s: m for s, m in before.items() if s != early
        }
        changed = memory.list(early)
        memory.update(parent, door.id, text="Leave the door open.")
        assert memory.list(early) == changed


def test_a_chat_at_the_end_of_all_positions_goes_on(old: Path, gem: Embedder) -> None:
    far = next(scope_from(record) for record in EXPECTED if record["scope"]["chat"] == FAR)
    with RoleplayMemory(old, embedder=gem) as memory:
        memory.add_turns(far, [Turn("A pak vyjde slunce.", speaker="Ródan", role="character")])
        assert [m.text for m in memory.list(far)][-1] == "A pak vyjde slunce."
        assert memory.recall("slunce", far)
        assert memory.verify().is_sound
