"""Who may see the page, and how they come in."""

from __future__ import annotations

import pytest

from romaine.server.cookies import cookie_name
from romaine.server.page.entering import Entry
from tests.server.page.conftest import BASE, about

OWN = {"Origin": BASE, "Sec-Fetch-Site": "same-origin"}


def sign_in(client, key):
    return client.post("/page/sign-in", data={"key": key}, headers=OWN, follow_redirects=False)


def test_a_form_asks_for_the_key(client, memory):
    page = client.get("/")
    assert page.status_code == 200
    assert 'action="/page/sign-in"' in page.text
    assert "tavern" not in page.text
    for path in ("/page/view", "/page/turns", "/page/scopes", "/page/notes"):
        assert client.get(path, params=about()).status_code == 401
    assert client.post("/page/recall", params=about(), data={"message": "key"}).status_code == 401


def test_a_key_is_exchanged_for_a_cookie(client, keys, memory):
    came_in = sign_in(client, keys.make("ana"))
    assert came_in.status_code == 303
    cookie = came_in.headers["set-cookie"].lower()
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
    assert "secure" not in cookie
    assert "tavern" in client.get("/").text
    client.post("/page/sign-out", headers=OWN)
    assert 'action="/page/sign-in"' in client.get("/").text


def test_a_wrong_key_opens_nothing(client, memory):
    refused = sign_in(client, "romaine-12345678-nothing")
    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers
    assert 'role="alert"' in refused.text


def test_behind_tls_the_cookie_stays_there(client, keys):
    headers = OWN | {"X-Forwarded-Proto": "https"}
    came_in = client.post(
        "/page/sign-in", data={"key": keys.make("ana")}, headers=headers, follow_redirects=False
    )
    assert "secure" in came_in.headers["set-cookie"].lower()


def test_a_revoked_key_is_out_at_once(client, keys, memory):
    key = keys.make("ana")
    sign_in(client, key)
    assert client.get("/page/view", params=about()).status_code == 200
    keys.revoke(key.split("-")[1])
    assert client.get("/page/view", params=about()).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "https://evil.org"},
        {"Origin": "null"},
        {"Origin": BASE, "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {},
    ],
)
def test_another_page_changes_nothing_with_the_cookie(client, keys, memory, headers):
    sign_in(client, keys.make("ana"))
    made = client.post("/page/note", params=about(), data={"text": "Owned."}, headers=headers)
    assert made.status_code in (401, 403)
    forgot = client.post("/v1/memory/decay", json={"scope": {"user": "ana"}}, headers=headers)
    assert forgot.status_code in (401, 403)
    assert client.post("/page/note", params=about(), data={"text": "Mine."}, headers=OWN).status_code == 200


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_another_page_reads_nothing_with_the_cookie(client, keys, memory, site):
    sign_in(client, keys.make("ana"))
    asked = {"params": about(), "headers": {"Sec-Fetch-Site": site}}
    assert client.get("/page/view", **asked).status_code == 401
    assert client.get("/v1/memory/export", **asked).status_code == 401
    assert "tavern" not in client.get("/", **asked).text


def test_a_page_that_may_call_the_api_still_has_no_cookie(client_of, keys, tmp_path):
    app = "http://127.0.0.1:8000"
    client = client_of(memory=tmp_path / "memories.db", keys=keys.path, cors=(app,))
    client.base_url = BASE
    client.cookies.set(cookie_name("127.0.0.1"), keys.make("ana"))
    for headers in ({"Origin": app}, {"Origin": app, "Sec-Fetch-Site": "same-site"}):
        assert (
            client.post("/page/note", params=about(), data={"text": "x"}, headers=headers).status_code == 401
        )


def test_a_name_that_is_not_ours_sees_no_page(client):
    assert client.get("/", headers={"Host": "evil.org"}).status_code == 400


def test_two_servers_on_one_machine_keep_their_cookies_apart():
    assert cookie_name("127.0.0.1:8000") != cookie_name("127.0.0.1:8001")


def test_an_address_opens_once(client_of, keys, tmp_path):
    client = client_of(memory=tmp_path / "memories.db", keys=keys.path)
    client.app.state.entry = Entry(once="secret", key=keys.make("*"))
    assert client.get("/page/enter", params={"once": "other"}, follow_redirects=False).status_code == 401
    came_in = client.get("/page/enter", params={"once": "secret"}, follow_redirects=False)
    assert (came_in.status_code, came_in.headers["location"]) == (303, "/")
    again = client.get("/page/enter", params={"once": "secret"}, follow_redirects=False)
    assert again.status_code == 401
    assert "set-cookie" not in again.headers


def test_without_keys_the_page_is_open(client_of, tmp_path):
    client = client_of(memory=tmp_path / "memories.db")
    assert 'id="ask-form"' in client.get("/").text
    assert "sign-out" not in client.get("/").text


def test_without_a_memory_the_page_says_so(client_of):
    page = client_of().get("/")
    assert "romaine serve --memory" in page.text


def test_the_page_does_not_stand_in_the_way_of_a_dialect(client_of):
    assert client_of().post("/", json={"inputs": ["hi"]}).status_code == 200
