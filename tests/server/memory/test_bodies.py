"""The API's document: every body has an example, which is taken."""

from __future__ import annotations

from uuid import uuid4

import pytest


def examples(client):
    """Method, path and example of every route that takes JSON."""
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            content = route.get("requestBody", {}).get("content", {}).get("application/json")
            if path.startswith("/v1/memory/") and content:
                yield method, path, schemas[content["schema"]["$ref"].rpartition("/")[2]]["example"]


def test_every_example_is_taken(client, memory):
    chat = f"examples {uuid4()}"
    made: dict[str, str] = {}
    found = list(examples(client))
    assert len(found) == 13
    last = ["/v1/memory/retract", "/v1/memory/forget"]
    for method, path, example in sorted(found, key=lambda each: (each[1] in last, "{" in each[1])):
        body = example | {"scope": example["scope"] | {"chat": chat}}
        if "ids" in body:
            body["ids"] = [made["id"]]
        if "to_chat" in body:
            body["to_chat"] = f"{chat} {body['to_chat']}"
        answer = client.request(method, path.replace("{memory_id}", made.get("id", "")), json=body)
        assert answer.status_code == 200, (path, answer.text)
        if path == "/v1/memory/facts":
            made = answer.json()
        if path == "/v1/memory/retract":
            assert answer.json() == {"memories": 1}


def test_the_document_tells_errors_as_they_are(client):
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        if path.startswith("/v1/memory/"):
            for route in methods.values():
                assert {"400", "401", "403", "404", "413", "422", "429"} <= set(route["responses"])
                refused = route["responses"]["422"]["content"]["application/json"]["schema"]
                assert refused == {"$ref": "#/components/schemas/ErrorAnswer"}


@pytest.mark.parametrize("route", ["turns", "facts", "lore", "summaries", "recall", "retract", "branch"])
def test_what_is_not_known_is_refused(post, route):
    refused = post(route, charakter="Cassian")
    assert refused.status_code == 422
    assert "charakter" in refused.json()["detail"]
