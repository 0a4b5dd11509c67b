from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from romaine.memory.plain import clean_text, hit_metadata, memory_metadata
from romaine.memory.records import Hit, Kind, Memory, Role, Scope

SCOPE = Scope(user="ana", character="Cassian", chat="tavern")
AT = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)


def memory(text: str = "The key is under the step.", **more) -> Memory:
    return Memory(scope=SCOPE, kind=Kind.TURN, text=text, speaker="Cassian", role=Role.CHARACTER, **more)


def test_a_memory_keeps_what_is_known_and_leaves_out_what_is_not():
    shown = memory_metadata(memory(position=3, created_at=AT, known_by=frozenset({"b", "a"})))
    assert shown["speaker"] == "Cassian"
    assert f"{shown['role']} {shown['kind']}" == "character turn"
    assert shown["position"] == 3
    assert shown["created_at"] == "2026-01-02T03:04:00+00:00"
    assert shown["known_by"] == ["a", "b"]
    assert (shown["user"], shown["character"], shown["chat"]) == ("ana", "Cassian", "tavern")
    assert not {"id", "text", "category", "metadata"} & shown.keys()


def test_the_metadata_of_a_user_stay_apart_from_the_attributes():
    shown = memory_metadata(memory(metadata={"score": "mine", "mood": "calm"}))
    assert shown["metadata"] == {"score": "mine", "mood": "calm"}


def test_a_hit_shows_its_score_parts_and_neighbours():
    hit = Hit(memory=memory(), score=1.5, parts={"dense": 1.0, "lexical": 0.5})
    shown = hit_metadata(hit)
    assert shown["score"] == 1.5
    assert shown["parts"] == {"dense": 1.0, "lexical": 0.5}
    assert "neighbours" not in shown
    around = hit_metadata(Hit(memory=memory(), score=1.0, neighbours=(memory("Where?", position=0),)))
    assert around["neighbours"][0]["text"] == "Where?"
    assert json.loads(json.dumps(around)) == around


@pytest.mark.parametrize(
    ("text", "clean"),
    [("plain", "plain"), ("half \ud83d of", "half \ufffd of"), ("\udc00\x00é😀", "\ufffd\x00é😀"), ("", "")],
)
def test_text_that_utf8_can_hold(text: str, clean: str) -> None:
    assert clean_text(text) == clean
