"""Routes that write, over a real memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from uuid import uuid4

import pytest

from romaine.memory import Scope
from tests.server.memory.conftest import KEY, NOBODY, said


@pytest.fixture
def whole(scope) -> Scope:
    return Scope(user="ana", **scope)


def test_turns_are_added_once_by_their_source_and_edited(post, memory, whole):
    turns = [said(KEY, "1", at="2026-05-01T20:15:00Z"), said("Is it?", "2")]
    first = post("turns", turns=turns, known_by=["Cassian"]).json()
    assert (first["added"], first["edited"], first["unchanged"]) == (2, 0, 0)
    stored = memory.get(whole, first["ids"][0])
    assert (stored.text, stored.speaker, stored.position) == (KEY, "Cassian", 0)
    assert stored.known_by == {"Cassian"}
    assert stored.created_at == datetime(2026, 5, 1, 20, 15, tzinfo=timezone.utc)
    turns[1]["text"] = "It is not."
    again = post("turns", turns=turns).json()
    assert again == {"added": 0, "edited": 1, "unchanged": 1, "ids": first["ids"]}


@pytest.mark.parametrize(
    ("route", "kind", "more"),
    [
        ("facts", "fact", {"category": "world_detail", "speaker": "Ana", "valid_from": 1, "valid_to": 9}),
        ("lore", "lore", {"category": "world_detail"}),
        ("summaries", "summary", {"parent_id": "1"}),
    ],
)
def test_notes(post, memory, whole, route, kind, more):
    fields = {"importance": 0.5, "source_id": "s", "pinned": True, "metadata": {"page": [7]}} | more
    added = post(route, text=KEY, known_by=["Cassian"], **fields).json()
    stored = memory.get(whole, added["id"])
    assert (stored.kind, stored.text, stored.known_by) == (kind, KEY, {"Cassian"})
    assert {name: getattr(stored, name) for name in fields} == fields
    again = post(route, text=KEY, known_by=["Cassian"]).json()
    assert again == {"id": added["id"], "stored": False, "reason": "same text"}
    newer = post(route, text="It was moved to the attic.", supersedes=[added["id"]]).json()
    assert memory.get(whole, added["id"]).superseded_by == newer["id"]


def test_retract_takes_what_was_made_from_it_along(post, memory, whole):
    post("turns", turns=[said(KEY, "1"), said("Oh.", "2")])
    post("facts", text="The key is under the step.", parent_id="1")
    assert post("retract", source_ids=["1"]).json() == {"memories": 2}
    assert [each.text for each in memory.list(whole)] == ["Oh."]


def test_a_branch_sees_what_was_before_it(post, memory, whole, scope):
    post("turns", turns=[said(KEY, "1"), said("Oh.", "2")])
    fork = post("branch", at=0, to_chat=scope["chat"] + " fork").json()["scope"]
    assert fork == {"user": "ana", "character": "Cassian", "chat": scope["chat"] + " fork"}
    assert [each.text for each in memory.list(Scope(**fork))] == [KEY]
    assert post("branch", at=0, to_chat=scope["chat"] + " fork").status_code == 400


def test_update_pin_and_unpin(post, client, memory, whole, scope):
    id_ = post("facts", text=KEY, category="plot_event", valid_from=1).json()["id"]
    place = f"/v1/memory/memories/{id_}"
    changed = client.patch(place, json={"scope": scope, "text": "Gone.", "category": None, "importance": 0.5})
    assert changed.json() == {"id": id_, "pinned": False, "cold": False, "importance": 0.5}
    stored = memory.get(whole, id_)
    assert (stored.text, stored.category, stored.valid_from) == ("Gone.", None, 1)
    assert client.post(f"{place}/pin", json={"scope": scope}).json()["pinned"]
    assert memory.get(whole, id_).pinned
    assert not client.post(f"{place}/unpin", json={"scope": scope}).json()["pinned"]


def test_forget_deletes_for_good(post, memory, whole):
    id_ = post("turns", turns=[said(KEY, "1")]).json()["ids"][0]
    assert post("forget", ids=[id_]).json() == {"memories": 1, "pending": False}
    assert memory.stats(whole).total == 0
    assert post("forget", ids=[id_]).status_code == 404


def test_mark_used_and_decay(post, memory, whole):
    id_ = post("facts", text=KEY, importance=0.5).json()["id"]
    assert post("mark_used", ids=[id_, NOBODY]).json() == {"memories": 1}
    assert (memory.get(whole, id_).access_count, memory.get(whole, id_).importance) == (1, 0.7)
    assert post("decay").json() == {"decayed": 1, "cooled": 0, "trimmed": 0}


def test_a_retry_is_answered_and_not_done(post, memory, whole):
    headers = {"Idempotency-Key": str(uuid4())}
    first = post("turns", turns=[said("*nods*")], headers=headers)
    again = post("turns", turns=[said("*nods*")], headers=headers)
    assert again.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert memory.stats(whole).total == 1


def test_every_write_can_be_retried(post, client, scope, memory, whole):
    """What would be done twice, or fail the second time, is answered as the first time."""
    made = post("turns", turns=[said(KEY, "1"), said("Oh.", "2")]).json()["ids"]
    fact = post("facts", text=KEY).json()["id"]
    place = f"/v1/memory/memories/{fact}"
    writes = [
        lambda h: post("facts", text="Ana is afraid of bees.", headers=h),
        lambda h: post("lore", text="The tavern has no windows.", headers=h),
        lambda h: post("summaries", text="They made peace.", headers=h),
        lambda h: post("mark_used", ids=[fact], headers=h),
        lambda h: post("decay", headers=h),
        lambda h: client.patch(place, json={"scope": scope, "importance": 0.1}, headers=h),
        lambda h: client.post(f"{place}/pin", json={"scope": scope}, headers=h),
        lambda h: client.post(f"{place}/unpin", json={"scope": scope}, headers=h),
        lambda h: post("branch", at=0, to_chat=scope["chat"] + " fork", headers=h),
        lambda h: post("retract", source_ids=["2"], headers=h),
        lambda h: post("forget", ids=[made[0]], headers=h),
    ]
    for write in writes:
        headers = {"Idempotency-Key": str(uuid4())}
        first = write(headers)
        before = memory.list(whole)
        again = write(headers)
        assert first.status_code == again.status_code == 200
        assert again.json() == first.json()
        assert again.headers["idempotent-replayed"] == "true"
        assert memory.list(whole) == before


def test_a_key_of_another_request_is_refused(post):
    headers = {"Idempotency-Key": str(uuid4())}
    post("facts", text=KEY, headers=headers)
    refused = post("facts", text="Ana is afraid of bees.", headers=headers)
    assert refused.status_code == 422
    assert "another request" in refused.json()["detail"]


def test_keys_of_two_credentials_are_two(post, anyone, memory, whole, scope):
    headers = {"Idempotency-Key": str(uuid4())}
    post("turns", turns=[said("*nods*")], headers=headers)
    asked = {"user": "ana", **scope}
    other = post("turns", scope=asked, turns=[said("*nods*")], headers=headers | anyone)
    assert other.status_code == 200
    assert memory.stats(whole).total == 2


def test_a_failed_write_can_be_tried_again(post, memory, whole):
    headers = {"Idempotency-Key": str(uuid4())}
    assert post("forget", ids=[NOBODY], headers=headers).status_code == 404
    assert post("forget", ids=[NOBODY], headers=headers).status_code == 404


def test_retries_at_once_are_done_once(post, memory, whole):
    headers = {"Idempotency-Key": str(uuid4())}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post("turns", turns=[said("*nods*")], headers=headers), range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert memory.stats(whole).total == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_length(post, key):
    assert post("facts", text=KEY, headers={"Idempotency-Key": key}).status_code == 422


@pytest.mark.parametrize(
    ("route", "body", "status"),
    [
        ("turns", {}, 422),
        ("turns", {"turns": []}, 422),
        ("turns", {"turns": [{"text": KEY}]}, 422),
        ("turns", {"turns": [said(KEY)] * 1001}, 422),
        ("turns", {"turns": [said(KEY, metadata={"x": float("1e300")})], "more": 1}, 422),
        ("turns", {"turns": [said(KEY, at="yesterday")]}, 422),
        ("turns", {"turns": [said(KEY, at="0001-01-01T00:00:00+23:59")]}, 400),
        ("turns", {"turns": [said(KEY, at=1e300)]}, 422),
        ("turns", {"turns": [said(KEY)], "scope": {"user": ""}}, 422),
        ("facts", {"text": KEY, "importance": 2}, 422),
        ("facts", {"text": KEY, "category": "what"}, 422),
        ("facts", {"text": KEY, "supersedes": ["x" * 36]}, 422),
        ("facts", {"text": KEY, "supersedes": [NOBODY]}, 404),
        ("facts", {"text": KEY, "valid_from": 3, "valid_to": 2}, 400),
        ("facts", {"text": KEY, "valid_from": 1 << 80}, 400),
        ("branch", {"at": 0, "to_chat": "x"}, 400),
        ("branch", {"at": 1 << 60, "to_chat": "x"}, 400),
        ("branch", {"at": 0, "to_chat": "x", "scope": {"character": "Cassian"}}, 400),
        ("forget", {"ids": []}, 422),
        ("forget", {"ids": [NOBODY]}, 404),
        ("mark_used", {"ids": ["x" * 36]}, 422),
    ],
)
def test_what_is_wrong_is_told(post, memory, whole, route, body, status):
    refused = post(route, **body)
    assert refused.status_code == status
    assert set(refused.json()) == {"detail"}
    assert refused.json()["detail"]
    assert KEY not in refused.text
    assert memory.stats(whole).total == 0


def test_metadata_that_is_too_deep_or_no_json(post, client):
    deep: dict = {}
    for _ in range(100):
        deep = {"d": deep}
    assert post("facts", text=KEY, metadata=deep).status_code == 400
    for bad in (b'{"text": "x", "metadata": {"a": NaN}}', b'{"text": "x", "metadata": {"a": 1e999}}'):
        said_so = client.post("/v1/memory/facts", content=bad, headers={"Content-Type": "application/json"})
        assert said_so.status_code == 400


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[" * 100_000, b'{"\\ud800": 1}', b'{"text": "\\ud800"}', b"\xff", b"null", b"7" * 9000],
)
def test_bodies_that_are_none(client, content):
    refused = client.post("/v1/memory/facts", content=content, headers={"Content-Type": "application/json"})
    assert refused.status_code in {400, 422}
    assert refused.json()["detail"]
