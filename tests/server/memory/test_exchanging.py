"""Export and import over HTTP."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from romaine.memory import Scope
from tests.formats import samples
from tests.server.memory.conftest import KEY, said

LINES = [said(KEY, "1"), said("Is it?", "2")]
CHAT = "".join(json.dumps(line) + "\n" for line in LINES).encode()


@pytest.fixture
def send(client, scope):
    def post(data: bytes, *, headers=None, **query):
        query = {name: value for name, value in (scope | query).items() if value is not None}
        return client.post("/v1/memory/import", params=query, content=data, headers=headers)

    return post


def test_a_chat_comes_in_and_again_adds_nothing(send, memory, scope):
    first = send(CHAT).json()
    assert (first["format"], first["chats"][0]["added"]) == ("jsonl", 2)
    assert send(CHAT).json()["chats"][0]["unchanged"] == 2
    assert [each.text for each in memory.list(Scope(user="ana", **scope))] == [KEY, "Is it?"]


def test_a_chat_is_called_as_its_file(send, memory):
    answer = send(CHAT, chat=None, file_name="../../harbour.jsonl").json()
    assert answer["chats"][0]["chat"] == "harbour"
    assert memory.stats(Scope(user="ana", character="Cassian", chat="harbour")).total == 2


def test_what_the_file_no_longer_holds_goes_if_asked(send):
    send(CHAT)
    shorter = CHAT.splitlines(keepends=True)[0]
    assert send(shorter, sync=True).json()["chats"][0]["retracted"] == 1


def test_an_export_comes_in_again(send, post, get, client, memory, scope):
    post("turns", turns=LINES)
    post("facts", text="Ana is afraid of bees.", pinned=True)
    exported = get("export")
    assert exported.headers["content-type"].startswith("application/x-ndjson")
    assert {json.loads(line)["kind"] for line in exported.content.splitlines()} == {"fact", "turn"}
    assert send(exported.content).json()["restored"] == 0
    ids = [each.id for each in memory.list(Scope(user="ana", **scope))]
    post("forget", ids=ids)
    assert get("export").content == b""
    assert send(exported.content).json()["restored"] == 3


def test_a_large_export_is_whole(get, post):
    for part in range(12):
        post("turns", turns=[said(f"{part} {n} " + "word " * 200) for n in range(1000)])
    lines = get("export").content.splitlines()
    assert len(lines) == 12_000
    assert [json.loads(line)["position"] for line in lines] == list(range(12_000))


def test_an_export_of_another_user_is_refused(send, client, anyone):
    bobs = {
        "user": "bob",
        "id": str(uuid4()),
        "kind": "turn",
        "text": "x",
        "created_at": "2026-01-01T00:00:00",
    }
    refused = send(json.dumps(bobs).encode(), character=None, chat=None)
    assert refused.status_code == 400
    assert client.get("/v1/memory/scopes", params={"user": "bob"}, headers=anyone).json() == {"scopes": []}


def test_an_import_is_answered_alike_when_tried_again(send):
    headers = {"Idempotency-Key": str(uuid4())}
    first, again = send(CHAT, headers=headers), send(CHAT, headers=headers)
    assert first.json()["chats"][0]["added"] == 2
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert send(CHAT + CHAT, headers=headers).status_code == 422


@pytest.mark.parametrize("name", samples.VALID)
def test_every_format_is_taken(send, name):
    answer = send(samples.VALID[name], file_name=name).json()
    assert answer["chats"] or answer["notes"]["added"]


@pytest.mark.parametrize(
    "data", [b"", b"what is this", b"{}", b"[" * 10_000, b"\x89PNG\r\n\x1a\n", b"PK\x03\x04"]
)
def test_what_is_no_file_is_told(send, data):
    refused = send(data)
    assert refused.status_code == 400
    assert set(refused.json()) == {"detail"}


def test_an_unknown_format_lists_all(send):
    refused = send(CHAT, format="word")
    assert refused.status_code == 400
    assert "sillytavern-chat" in refused.json()["detail"]
