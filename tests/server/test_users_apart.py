"""A key of one user never reads, counts or changes another's memory, whatever is asked.

The same requests with Ana's key go to two servers, one of which holds Bob's memory, too. All answers must be
the same but for ids and times, and what Bob has must stay as it is. Bob has the same characters, chats and
message ids, says the same words and used the same idempotency keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")

from fastapi import FastAPI
from httpx import Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from romaine.mcp.tools import TOOLS
from romaine.memory import RoleplayMemory, Scope
from romaine.server.agents import PATH as MCP
from romaine.server.app import create_app
from romaine.server.keys import KeyFile
from romaine.server.settings import ServerSettings

SECRET = "xyzzy"
WORDS = ("The zeppelin sails at dawn.", "Who has the silver key?", "Ana is afraid of bees.")
SCOPES = [(character, chat) for character in (None, "Cassian", "Mira") for chat in (None, "tavern", "fork")]
OURS, THEIRS = "\0ours", "\0theirs"  # stand for ids until a request is sent
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
TOOK = re.compile(r"recalled in \d+ ms")
DAY = re.compile(r"\d+ \w{3} \d{4}, \d\d:\d\d")
FLOAT = re.compile(r"-?\d+\.\d+(e-?\d+)?")

NO_MEMORY = {
    ("POST", "/v1/embeddings"),
    ("POST", "/embeddings"),
    ("POST", "/api/extra/embeddings"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{name:path}"),
    ("POST", "/api/embed"),
    ("POST", "/api/embeddings"),
    ("GET", "/api/tags"),
    ("GET", "/api/ps"),
    ("POST", "/api/show"),
    ("GET", "/api/version"),
    ("POST", "/api/embeddings/compute"),
    ("GET", "/api/modules"),
    ("POST", "/"),
    ("POST", "/embed"),
    ("GET", "/info"),
    ("POST", "/rerank"),
    ("POST", "/v1/rerank"),
    ("POST", "/v2/rerank"),
    ("POST", "/rerank/v1/rerank"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/page/enter"),
    ("POST", "/page/sign-in"),
    ("POST", "/page/sign-out"),
    ("GET", "/page/static/{name}"),
}
"""Routes that know of no memory."""


@dataclass(frozen=True)
class Asked:
    """A request with Ana's key, where ids may stand in."""

    method: str
    path: str
    body: Any = None
    query: dict[str, Any] = field(default_factory=dict)
    content: bytes | None = None
    key: str | None = None
    form: Any = None


# --- what may be asked -------------------------------------------------------------------------------------

ids = st.builds(lambda whose, n: f"{whose}{n}", st.sampled_from([OURS, OURS, THEIRS]), st.integers(0, 5))
sources = st.sampled_from(["1", "2", "3"])
parents = st.one_of(sources, ids)
texts = st.sampled_from([*WORDS, SECRET])
keys = st.sampled_from([None, "k1", "k2"])
scopes = st.builds(
    lambda user, names: {
        name: value
        for name, value in zip(("user", "character", "chat"), (user, *names), strict=True)
        if value
    },
    st.sampled_from([None, None, None, None, "bob", "*"]),
    st.sampled_from(SCOPES),
)
turns = st.lists(
    st.builds(
        lambda text, source: {"text": text, "speaker": "Cassian", "role": "character", "source_id": source},
        texts,
        st.one_of(st.none(), sources),
    ),
    min_size=1,
    max_size=3,
)
optional = st.booleans()


def to(path: str, method: str = "POST", **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Asked]:
    """A request of a memory's route; parts named in the path go there, all others into the body."""
    named = {name: parts.pop(name) for name in list(parts) if f"{{{name}}}" in path}

    def made(scope: dict[str, str], body: dict[str, Any], names: dict[str, str], key: str | None) -> Asked:
        place = f"/v1/memory{path.format(**names)}"
        if method == "GET":
            return Asked(method, place, query=scope | body)
        return Asked(method, place, body={"scope": scope} | body, key=key)

    return st.builds(made, scopes, st.fixed_dictionaries(parts), st.fixed_dictionaries(named), keys)


def imported(scope: dict[str, str], content: bytes, sync: bool, key: str | None) -> Asked:
    return Asked("POST", "/v1/memory/import", query=scope | {"sync": sync}, content=content, key=key)


_EXPORTED = {"id": f"{THEIRS}0", "kind": "turn", "text": WORDS[0], "created_at": "2026-01-01T00:00:00+00:00"}
FILES = [
    b'{"text": "Hm.", "speaker": "Ana", "role": "user", "source_id": "1"}\n',
    json.dumps(_EXPORTED | {"user": "bob"}).encode() + b"\n",
    json.dumps(_EXPORTED | {"user": "ana", "character": "Cassian"}).encode() + b"\n",
    b'{"spec": "chara_card_v2", "data": {"name": "Cassian", "description": "A spy."}}',
]
notes = {"text": texts, "source_id": st.one_of(st.none(), sources), "supersedes": st.lists(ids, max_size=1)}
fact = {**notes, "parent_id": st.one_of(st.none(), parents), "pinned": optional}

CASES: dict[tuple[str, str], st.SearchStrategy[Asked]] = {
    ("POST", "/v1/memory/turns"): to("/turns", turns=turns),
    ("POST", "/v1/memory/facts"): to("/facts", **fact),
    ("POST", "/v1/memory/lore"): to("/lore", **notes),
    ("POST", "/v1/memory/summaries"): to("/summaries", **notes),
    ("POST", "/v1/memory/retract"): to("/retract", source_ids=st.lists(sources, min_size=1, max_size=2)),
    ("POST", "/v1/memory/branch"): to(
        "/branch", at=st.integers(0, 3), to_chat=st.sampled_from(["fork", "x"])
    ),
    ("POST", "/v1/memory/forget"): to("/forget", ids=st.lists(ids, min_size=1, max_size=2), derived=optional),
    ("POST", "/v1/memory/mark_used"): to("/mark_used", ids=st.lists(ids, min_size=1, max_size=3)),
    ("POST", "/v1/memory/decay"): to("/decay"),
    ("PATCH", "/v1/memory/memories/{memory_id}"): to(
        "/memories/{memory_id}", "PATCH", memory_id=ids, text=texts
    ),
    ("POST", "/v1/memory/memories/{memory_id}/pin"): to("/memories/{memory_id}/pin", memory_id=ids),
    ("POST", "/v1/memory/memories/{memory_id}/unpin"): to("/memories/{memory_id}/unpin", memory_id=ids),
    ("POST", "/v1/memory/recall"): to("/recall", query=texts, explain=optional, neighbours=st.integers(0, 2)),
    ("GET", "/v1/memory/memories"): to("/memories", "GET", source_prefix=sources),
    ("GET", "/v1/memory/memories/{memory_id}"): to("/memories/{memory_id}", "GET", memory_id=ids),
    ("GET", "/v1/memory/stats"): to("/stats", "GET"),
    ("GET", "/v1/memory/scopes"): to("/scopes", "GET"),
    ("GET", "/v1/memory/export"): to("/export", "GET"),
    ("POST", "/v1/memory/import"): st.builds(imported, scopes, st.sampled_from(FILES), optional, keys),
}


def on_page(path: str, method: str = "GET", **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Asked]:
    """A request of the page's: whose memory stands in the query, all others in the query or the form."""
    named = {name: parts.pop(name) for name in list(parts) if f"{{{name}}}" in path}

    def made(scope: dict[str, str], given: dict[str, Any], names: dict[str, str]) -> Asked:
        place = path.format(**names)
        if method == "GET":
            return Asked(method, place, query=scope | given)
        return Asked(method, place, query=scope, form=given)

    return st.builds(made, scopes, st.fixed_dictionaries(parts), st.fixed_dictionaries(named))


def dropped(path: str) -> st.SearchStrategy[Asked]:
    return st.builds(
        lambda scope, content: Asked("POST", path, query=scope, content=content),
        scopes,
        st.sampled_from(FILES),
    )


_VIEWS = st.sampled_from(["chat", "facts", "lore", "summaries", "fading", "map"])
_UNDO = st.builds(
    lambda id_, whose: json.dumps(
        {
            "memories": [_EXPORTED | {"id": id_, "user": whose, "character": "Cassian"}],
            "superseded": {id_: f"{THEIRS}1"},
            "added": [],
        }
    ),
    ids,
    st.sampled_from(["\0me", "bob"]),
)
CASES |= {
    ("GET", "/"): on_page("/", view=_VIEWS),
    ("GET", "/page/view"): on_page("/page/view", view=_VIEWS),
    ("GET", "/page/scopes"): on_page("/page/scopes"),
    ("GET", "/page/turns"): on_page("/page/turns", start=st.integers(0, 3)),
    ("GET", "/page/notes"): on_page("/page/notes", q=st.sampled_from(["", "e"])),
    ("GET", "/page/memory/{memory_id}"): on_page("/page/memory/{memory_id}", memory_id=ids),
    ("GET", "/page/memory/{memory_id}/text"): on_page("/page/memory/{memory_id}/text", memory_id=ids),
    ("POST", "/page/recall"): on_page("/page/recall", "POST", message=texts, dim=st.sampled_from([32, 384])),
    ("POST", "/page/memory/{memory_id}/{action}"): on_page(
        "/page/memory/{memory_id}/{action}",
        "POST",
        memory_id=ids,
        action=st.sampled_from(["pin", "unpin", "edit", "witnesses", "supersede", "retract", "forget"]),
        text=texts,
        known_by=st.sampled_from(["", "Mira"]),
    ),
    ("POST", "/page/note"): on_page("/page/note", "POST", text=texts),
    ("POST", "/page/undo"): on_page("/page/undo", "POST", undo=_UNDO),
    ("POST", "/page/import/preview"): dropped("/page/import/preview"),
    ("POST", "/page/import"): dropped("/page/import"),
}


def agent(method: str, **params: Any) -> st.SearchStrategy[Asked]:
    """A request of an agent's, whose URL names the user, or Bob."""

    def made(user: str, names: tuple[str | None, str | None], given: dict[str, Any]) -> Asked:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": given}
        character, chat = names
        path = MCP.format(user=user, character=character or "Cassian")
        return Asked("POST", path, body=message, query={"chat": chat} if chat else {})

    users = st.sampled_from(["\0me", "\0me", "\0me", "bob", "*"])
    return st.builds(made, users, st.sampled_from(SCOPES), st.fixed_dictionaries(params))


def tool(name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Asked]:
    return agent("tools/call", name=st.just(name), arguments=st.fixed_dictionaries(arguments))


TOOL_CASES = {
    "search_memories": tool("search_memories", query=texts, neighbours=st.integers(0, 2)),
    "get_memories": tool("get_memories", pinned=optional, include_superseded=optional),
    "get_memory": tool("get_memory", memory_id=ids),
    "add_memory": tool("add_memory", text=texts, supersedes=st.lists(ids, max_size=1), pinned=optional),
    "add_turns": tool("add_turns", turns=turns),
    "update_memory": tool("update_memory", memory_id=ids, text=texts, pinned=optional),
    "delete_memory": tool("delete_memory", memory_id=ids, derived=optional),
    "retract_turns": tool("retract_turns", source_ids=st.lists(sources, min_size=1, max_size=2)),
    "memory_stats": tool("memory_stats"),
}
AGENT_CASES = [
    *TOOL_CASES.values(),
    agent("resources/list"),
    agent("resources/read", uri=st.just("romaine://pinned")),
    agent("resources/read", uri=st.builds("romaine://memories/{}".format, ids)),
    agent("prompts/get", name=st.just("use_memory")),
]


# --- the two servers ---------------------------------------------------------------------------------------


class World:
    """A server, and what Ana got from it."""

    def __init__(self, client: TestClient, theirs: list[str]) -> None:
        self.client = client
        self.theirs = theirs
        self.ours: list[str] = []
        self.user = ""
        self.headers: dict[str, str] = {}

    def begin(self, user: str, key: str) -> None:
        """Forgets what was; Ana is someone new."""
        self.ours, self.user = [], user
        self.headers = {"Authorization": f"Bearer {key}", "Accept": "application/json, text/event-stream"}

    def ask(self, asked: Asked) -> str:
        """Sends a request; returns the answer as it is to be compared."""
        headers = self.headers | ({"Idempotency-Key": asked.key} if asked.key else {})
        sent: dict[str, Any] = {"params": asked.query, "headers": headers}
        if asked.content is not None:
            sent["content"] = self._filled(asked.content.decode()).encode()
        elif asked.form is not None:
            sent["data"] = {name: self._filled(str(value)) for name, value in asked.form.items()}
        elif asked.body is not None:
            sent["json"] = json.loads(self._filled(json.dumps(asked.body)))
        answer: Response = self.client.request(asked.method, self._filled(asked.path), **sent)
        assert answer.status_code < 500, answer.text
        return f"{answer.status_code} {self._plain(answer.text)}"

    def _filled(self, text: str) -> str:
        text = text.replace("\\u0000", "\0").replace("\0me", self.user)

        def id_(found: re.Match[str]) -> str:
            known = self.theirs if found[1] == THEIRS else self.ours
            return known[int(found[2]) % len(known)] if known else "01a2003c-5c62-7c97-ad15-67ece870e079"

        return re.sub(f"({OURS}|{THEIRS})(\\d+)", id_, text)

    def _plain(self, text: str) -> str:
        def number(found: re.Match[str]) -> str:
            id_ = found[0]
            if id_ in self.theirs:
                return f"theirs {self.theirs.index(id_)}"
            if id_ not in self.ours:
                self.ours.append(id_)
            return f"ours {self.ours.index(id_)}"

        text = TIME.sub("TIME", UUID.sub(number, text))
        text = TOOK.sub("TOOK", DAY.sub("DAY", text))
        return FLOAT.sub(lambda found: f"{float(found[0]):.2f}", text)


def opened(path: Path, keys_file: KeyFile) -> Iterator[tuple[FastAPI, TestClient]]:
    app = create_app(ServerSettings(memory=path, keys=keys_file.path, access_log=False))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield app, client


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> KeyFile:
    return KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def empty(key_file, tmp_path_factory):
    yield from opened(tmp_path_factory.mktemp("empty") / "memories.db", key_file)


@pytest.fixture(scope="module")
def shared(key_file, tmp_path_factory):
    """The server that holds Bob's memory."""
    yield from opened(tmp_path_factory.mktemp("shared") / "memories.db", key_file)


@pytest.fixture(scope="module")
def bobs(shared, key_file) -> list[str]:
    """Ids of Bob's memories."""
    _, client = shared
    headers = {"Authorization": f"Bearer {key_file.make('bob')}"}

    def post(route: str, **body: Any) -> None:
        made = client.post(
            f"/v1/memory/{route}", json=body, headers=headers | {"Idempotency-Key": next(used)}
        )
        assert made.status_code == 200, made.text

    used = iter(["k1", "k2", *map(str, range(100))])
    for character, chat in [each for each in SCOPES if each[1] != "fork"]:
        scope = {name: value for name, value in (("character", character), ("chat", chat)) if value}
        said = {"text": f"{WORDS[0]} {SECRET}", "speaker": "Cassian", "role": "character"}
        post("turns", scope=scope, turns=[said | {"source_id": n} for n in ("1", "2", "3")])
        post("facts", scope=scope, text=f"{WORDS[1]} {SECRET}", pinned=True, parent_id="1", source_id="2")
    post("branch", scope={"character": "Mira", "chat": "tavern"}, at=1, to_chat="fork")
    listed = client.get(
        "/v1/memory/export", params={"character": "Cassian", "chat": "tavern"}, headers=headers
    )
    return [json.loads(line)["id"] for line in listed.content.splitlines()]


def state_of_bob(memory: RoleplayMemory) -> list[Any]:
    whose = [Scope(user="bob", character=character, chat=chat) for character, chat in SCOPES]
    return [memory.scopes("bob"), *(memory.list(scope) for scope in whose)]


def leaves(routes: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of every route, those of routers within routers, too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from leaves(inner.routes, prefix + route.include_context.prefix)
        elif route.path.startswith(prefix):
            yield from ((method, route.path) for method in route.methods - {"HEAD"})
        else:
            yield from ((method, prefix + route.path) for method in route.methods - {"HEAD"})


def test_every_route_and_every_tool_has_a_case(empty):
    app, _ = empty
    there = set(leaves(app.router.routes))
    assert set(app.openapi()["paths"]) <= {path.replace(":path", "") for _, path in there}
    assert there == {*CASES, *NO_MEMORY, ("POST", MCP)}
    assert set(TOOL_CASES) == set(TOOLS)


_people: Callable[[], int] = count().__next__


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(asked=st.lists(st.one_of(*CASES.values(), *AGENT_CASES), min_size=4, max_size=14))
def test_what_ana_is_told_does_not_depend_on_bob(empty, shared, bobs, key_file, asked):
    worlds = [World(client, bobs) for _, client in (empty, shared)]
    before = state_of_bob(shared[0].state.memory)
    user = f"ana {_people()}"
    key = key_file.make(user)
    sent = [
        Asked(
            "POST",
            "/v1/memory/turns",
            body={
                "scope": {"character": "Cassian"},
                "turns": [{"text": WORDS[2], "speaker": "Ana", "role": "user", "source_id": "1"}],
            },
        ),
        *asked,
    ]
    for world in worlds:
        world.begin(user, key)
    for each in sent:
        alone, beside_bob = (world.ask(each) for world in worlds)
        assert alone == beside_bob, each
    assert state_of_bob(shared[0].state.memory) == before


@pytest.mark.parametrize("case", [*CASES, *TOOL_CASES], ids=str)
def test_each_case_by_itself(empty, shared, bobs, key_file, case):
    """So that none is left to chance: each at least a few times, after Ana said something everywhere."""
    strategy = {**CASES, **TOOL_CASES}[case]
    said = [
        Asked(
            "POST",
            "/v1/memory/turns",
            body={
                "scope": {"character": character, "chat": chat},
                "turns": [
                    {"text": text, "speaker": "Ana", "role": "user", "source_id": str(n)}
                    for n, text in enumerate(WORDS)
                ],
            },
        )
        for character, chat in SCOPES[:7]
    ]
    before = state_of_bob(shared[0].state.memory)

    @settings(max_examples=4, deadline=None, database=None, derandomize=True)
    @given(asked=strategy)
    def ask(asked: Asked) -> None:
        worlds = [World(client, bobs) for _, client in (empty, shared)]
        user = f"ana {_people()}"
        key = key_file.make(user)
        for world in worlds:
            world.begin(user, key)
        for each in (said[0], said[4], asked):
            alone, beside_bob = (world.ask(each) for world in worlds)
            assert alone == beside_bob, each

    ask()
    assert state_of_bob(shared[0].state.memory) == before
