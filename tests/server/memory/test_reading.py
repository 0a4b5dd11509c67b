"""Routes that read, over a real memory."""

from __future__ import annotations

from dataclasses import fields

import pytest
from pydantic import TypeAdapter

from romaine.memory import RoleplayMemory, Scope, Turn
from romaine.memory.options import RecallOptions
from romaine.server.memory import answers
from romaine.server.memory.access import QUERIES
from romaine.server.memory.bodies import RecallBody
from tests.server.memory.conftest import KEY, NOBODY, said


@pytest.fixture
def filled(post) -> list[str]:
    """Ids of three turns; a fact is there, too."""
    turns = [said(KEY, "1"), said("The soup is leek.", "2", speaker="Ana", role="user"), said("Again?", "3")]
    post("facts", text="Ana is afraid of bees.", pinned=True)
    ids: list[str] = post("turns", turns=turns).json()["ids"]
    return ids


def test_recall_finds_as_the_memory_does(post, filled, memory, scope):
    found = post("recall", query="Where is the key?", k=1, neighbours=1).json()
    expected = memory.recall("Where is the key?", Scope(user="ana", **scope), k=1, neighbours=1)
    assert set(found) == {"hits"}
    assert [hit["memory"]["id"] for hit in found["hits"]] == [hit.memory.id for hit in expected]
    first = found["hits"][0]
    assert first["score"] == pytest.approx(expected[0].score)
    assert first["confidence"] == pytest.approx(expected[0].confidence)
    assert sum(first["parts"].values()) == pytest.approx(first["score"])
    assert [near["source_id"] for near in first["neighbours"]] == ["2"]


def test_recall_explains(post, filled):
    found = post("recall", query=["Well?", "Where is the key?"], k=1, explain=True).json()
    assert set(found) == {"hits", "rejected", "confidence", "threshold", "evidence", "damaged"}
    assert {each["reason"] for each in found["rejected"]} == {"rank"}


def test_recall_takes_every_option_but_a_function(post, filled):
    assert {each.name for each in fields(RecallOptions)} - {"where"} == set(RecallBody.model_fields) - {
        "scope",
        "query",
    }
    options = {
        "k": 2,
        "token_budget": 100,
        "min_score": "auto",
        "kinds": ["turn"],
        "speakers": ["Cassian"],
        "as_character": "Cassian",
        "as_of": 2,
        "include_superseded": True,
        "neighbours": 1,
        "order": "chronological",
        "diversity": 1,
        "dim": 32,
        "without_sources": ["3"],
        "explain": True,
    }
    assert post("recall", query="Where is the key?", **options).status_code == 200
    assert post("recall", query="key", as_of="2031-01-01T00:00:00Z").json()["hits"]
    assert not post("recall", query="key", as_of="1999-01-01T00:00:00Z").json()["hits"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"query": []}, 422),
        ({"query": "x", "k": -1}, 422),
        ({"query": "x", "k": 10**9}, 422),
        ({"query": "x", "min_score": "high"}, 422),
        ({"query": "x", "dim": 10**30}, 400),
        ({"query": "x", "as_of": 10**30}, 400),
        ({"query": "x", "as_of": "soon"}, 422),
        ({"query": "x", "order": "random"}, 422),
        ({"query": "x", "where": "1=1"}, 422),
    ],
)
def test_what_is_wrong_is_told(post, filled, body, status):
    refused = post("recall", **body)
    assert refused.status_code == status
    assert set(refused.json()) == {"detail"}


def test_lists_come_in_pages_and_by_what_is_asked(get, filled):
    def sources(**query: object) -> list[str | None]:
        return [each.get("source_id") for each in get("memories", **query).json()["memories"]]

    assert sources(kinds="turn") == ["1", "2", "3"]
    assert sources(kinds="turn", offset=1, limit=1) == ["2"]
    assert sources(kinds=["fact", "lore"]) == [None]
    assert sources(source_ids=["1", "3"]) == ["1", "3"]
    assert sources(source_prefix="2") == ["2"]
    assert get("memories", source_ids=["1"], source_prefix="2").status_code == 400
    assert get("memories", limit=100_000).status_code == 422


def test_one_memory_by_its_id(get, filled):
    shown = get(f"memories/{filled[0]}").json()
    assert (shown["text"], shown["position"], shown["user"]) == (KEY, 0, "ana")
    assert get(f"memories/{NOBODY}").status_code == 404
    assert get("memories/" + "x" * 36).status_code == 422
    assert get("memories/1").status_code == 422


def test_stats_count_what_the_scope_sees_and_nothing_of_the_file(get, filled):
    counted = get("stats").json()
    assert (counted["total"], counted["memories"]) == (4, {"fact": 1, "turn": 3})
    assert counted["pinned"] == 1
    assert "file_bytes" not in counted


def test_scopes_are_those_of_the_user(get, filled, scope, client, bob):
    held = get("scopes").json()["scopes"]
    assert {"scope": {"user": "ana", **scope}, "memories": 4} in held
    assert client.get("/v1/memory/scopes", headers=bob).json() == {"scopes": []}


def test_answers_are_as_the_document_says(post, get, filled):
    for answer, model in (
        (post("recall", query="key", explain=True, neighbours=1), answers.RecallAnswer),
        (get("memories"), answers.MemoriesAnswer),
        (get(f"memories/{filled[0]}"), answers.MemoryRecord),
        (get("stats"), answers.StatsAnswer),
        (get("scopes"), answers.ScopesAnswer),
        (post("turns", turns=[said("Yes.")]), answers.TurnsAnswer),
    ):
        model.model_config["extra"] = "forbid"
        try:
            model.model_rebuild(force=True)
            TypeAdapter(model).validate_json(answer.content)
        finally:
            model.model_config.pop("extra")
            model.model_rebuild(force=True)


def test_texts_that_utf8_cannot_hold(get, post, memory: RoleplayMemory, scope):
    odd = "half \ud83d of\x00 a pair"
    memory.add_turns(Scope(user="ana", **scope), [Turn(odd, speaker="Ana", role="user")])
    assert get("memories").json()["memories"][0]["text"] == odd
    assert post("recall", query="half of a pair").json()["hits"][0]["memory"]["text"] == odd
    exported = get("export").content.decode("utf-8", "surrogatepass")
    assert odd.replace("\x00", "\\u0000") in exported


def test_whose_memory_is_told_by_the_key(client, anyone, bob):
    assert client.get("/v1/memory/stats", params={"user": "ana"}).status_code == 200
    refused = client.get("/v1/memory/stats", params={"user": "bob"})
    assert refused.status_code == 403
    assert client.get("/v1/memory/stats", headers=anyone).status_code == 422
    assert client.get("/v1/memory/stats", headers=anyone, params={"user": "bob"}).status_code == 200
    assert client.get("/v1/memory/stats", headers={"Authorization": "Bearer no"}).status_code == 401


def test_a_mistyped_name_does_not_ask_for_more(client, get, filled):
    refused = get("memories", charakter="Cassian")
    assert refused.status_code == 422
    assert "charakter" in refused.json()["detail"]
    document = client.get("/openapi.json").json()
    routes = [route for path in document["paths"].values() for route in path.values()]
    ours = [route for route in routes if route.get("tags") == ["Memory"]]
    named = [each for route in ours for each in route.get("parameters", [])]
    assert {each["name"] for each in named if each["in"] == "query"} == QUERIES
