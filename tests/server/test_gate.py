"""What a request passes before a route sees it."""

from __future__ import annotations

import json
import logging

import pytest

from romaine.server.keys import KeyFile

HI = {"input": "hi"}


@pytest.fixture
def keys(tmp_path):
    return KeyFile(tmp_path / "keys.json")


def test_a_key_is_needed_where_there_are_keys(client_of, keys):
    client = client_of(keys=keys.path)
    refused = client.post("/v1/embeddings", json=HI)
    assert refused.status_code == 401
    assert refused.json()["error"]["type"] == "authentication_error"
    assert refused.headers["www-authenticate"] == "Bearer"
    assert client.get("/nowhere").status_code == 401
    assert client.get("/metrics").status_code == 401
    assert client.get("/health").status_code == client.get("/ready").status_code == 200
    key = keys.make("ana")
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"authorization": f"bearer {key}"},
        {"X-API-Key": key},
    ):
        assert client.post("/v1/embeddings", json=HI, headers=headers).status_code == 200
    keys.revoke(key.split("-")[1])
    assert client.post("/v1/embeddings", json=HI, headers={"X-API-Key": key}).status_code == 401


@pytest.mark.parametrize(
    "path", ["/v1/embeddings", "/api/embed", "/embed", "/v1/rerank", "/api/tags", "/info"]
)
def test_each_dialect_has_its_own_shape_of_errors(client_of, keys, path):
    said = client_of(keys=keys.path).post(path, json={}).json()
    if path == "/v1/rerank":
        assert isinstance(said["message"], str)
    elif path == "/v1/embeddings":
        assert isinstance(said["error"]["message"], str)
    else:
        assert isinstance(said["error"], str)


@pytest.mark.parametrize(
    "host", ["evil.org", "evil.org:8000", "", "localhost.evil.org", "evillocalhost", "127.0.0.1.evil.org"]
)
def test_a_name_that_is_not_ours_is_refused(client_of, host):
    assert client_of().get("/health", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    "host",
    ["localhost:8000", "LOCALHOST", "a.localhost:1", "127.0.0.1:1", "[::1]:8000", "10.1.2.3", "my.org"],
)
def test_addresses_and_named_hosts_are_ours(client_of, host):
    assert client_of(hosts=["my.org"]).get("/health", headers={"Host": host}).status_code == 200


def test_pages_may_call_from_named_origins_only(client_of):
    client = client_of(cors=["https://risuai.xyz"])
    allowed, foreign = {"Origin": "https://risuai.xyz"}, {"Origin": "https://evil.org"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    preflight = client.options("/v1/embeddings", headers=allowed | asked)
    assert preflight.headers["access-control-allow-origin"] == "https://risuai.xyz"
    answer = client.post("/v1/embeddings", json=HI, headers=allowed)
    assert answer.headers["access-control-allow-origin"] == "https://risuai.xyz"
    assert client.options("/v1/embeddings", headers=foreign | asked).status_code == 400
    for origin in ("https://evil.org", "null"):
        refused = client.post("/v1/embeddings", json=HI, headers={"Origin": origin})
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers
    assert client.post("/v1/embeddings", json=HI, headers={"Origin": "http://localhost"}).status_code == 200


def test_a_page_from_the_web_may_ask_to_call_a_private_network(client_of):
    asked = {
        "Origin": "https://risuai.xyz",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Private-Network": "true",
    }
    answer = client_of(cors=["https://risuai.xyz"]).options("/v1/memory/recall", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize("origin", ["http://localhost:8000", "http://127.0.0.1:5173", "https://[::1]"])
def test_all_pages_of_this_machine_may_be_let_in(client_of, origin):
    client = client_of(cors=["localhost"])
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert client.options("/v1/embeddings", headers=asked).headers["access-control-allow-origin"] == origin
    answer = client.post("/v1/embeddings", json=HI, headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize(
    "origin", ["http://localhost.evil.org", "http://evil.org:8000", "http://127.0.0.1.evil.org", "null"]
)
def test_no_other_page_passes_for_one_of_this_machine(client_of, origin):
    client = client_of(cors=["localhost"])
    assert client.post("/v1/embeddings", json=HI, headers={"Origin": origin}).status_code == 403


def test_a_body_over_the_limit_is_refused_told_or_not(client_of):
    client = client_of(max_body_bytes=100)
    assert client.post("/v1/embeddings", json={"input": "x" * 200}).status_code == 413
    parts = client.post("/v1/embeddings", content=iter([b"x" * 60] * 3))
    assert parts.status_code == 413
    assert client.post("/v1/embeddings", json=HI).status_code == 200


def test_a_key_has_its_rate(client_of, keys):
    client = client_of(keys=keys.path, rate=3)
    ana, ben = ({"X-API-Key": keys.make(user)} for user in ("ana", "ben"))
    got = [client.get("/v1/models", headers=ana) for _ in range(5)]
    assert [each.status_code for each in got] == [200, 200, 200, 429, 429]
    assert 1 <= int(got[-1].headers["retry-after"]) <= 60
    assert client.get("/v1/models", headers=ben).status_code == 200


def test_an_answer_has_the_requests_id(client_of):
    client = client_of()
    assert client.get("/health", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = client.get("/health", headers={"X-Request-Id": "a b"}).headers["x-request-id"]
    assert len(made) == 16
    assert client.get("/nowhere").headers["x-request-id"]


def test_the_log_tells_of_a_request_without_its_words(tmp_path, caplog):
    from fastapi.testclient import TestClient

    from romaine.server.app import create_app
    from romaine.server.settings import ServerSettings

    caplog.set_level(logging.DEBUG)
    with TestClient(create_app(ServerSettings()), base_url="http://localhost") as client:
        client.post("/v1/embeddings?q=privateword", json={"input": "privateword"})
        client.post("/v1/embeddings", json={"inputs": "privateword"})
        client.get("/v1/models/privateword")
    lines = [json.loads(each.message) for each in caplog.records if each.name == "romaine.access"]
    assert [each["status"] for each in lines] == [200, 400, 404]
    assert lines[0].keys() == {"id", "method", "route", "status", "ms", "key"}
    assert lines[2]["route"] == "/v1/models/{name:path}"
    ours = [each.getMessage() for each in caplog.records if each.name.startswith("romaine")]
    assert "privateword" not in "".join(ours)
