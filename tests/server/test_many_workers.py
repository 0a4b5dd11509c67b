"""Several servers with one memory in Postgres are one service, whichever of them is asked."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import postgres
from tests.server.conftest import RunningServer, running_server

SCOPE = {"user": "ana", "character": "Cassian", "chat": "tavern"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def workers(folder: Path) -> Iterator[list[RunningServer]]:
    """Two of them, started at once on an empty database."""
    url = postgres.url_for(folder)
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:

        def started(number: int) -> RunningServer:
            server = running_server(folder / f"log {number}", "--memory", url)
            return stack.enter_context(server)

        yield list(pool.map(started, range(2)))


def said(text: str, source_id: str | None = None) -> dict[str, Any]:
    return {"text": text, "speaker": "Ana", "role": "user", "source_id": source_id}


def post(server: RunningServer, route: str, key: str | None = None, **body: Any) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"Idempotency-Key": key})
    return server.post(f"/v1/memory/{route}", {"scope": SCOPE} | body, **headers)


def add(server: RunningServer, *turns: dict[str, Any], key: str | None = None) -> dict[str, Any]:
    status, answer = post(server, "turns", key, turns=turns)
    assert status == 200, answer
    return answer


def found(server: RunningServer, query: str, k: int = 3) -> list[str]:
    status, answer = post(server, "recall", query=query, k=k)
    assert status == 200, answer
    return [hit["memory"]["text"] for hit in answer["hits"]]


def test_every_worker_reads_what_any_wrote(workers: list[RunningServer]) -> None:
    one, other = workers
    for number in range(6):  # also in scopes that a worker holds in memory already
        one, other = other, one
        text = f"In line {number} the heron has {number} keys."
        add(one, said(text, f"line {number}"))
        assert text in found(other, text)
        assert text in found(one, text)
    (changed,) = add(one, said("The heron flew away.", "line 0"))["ids"]
    assert "The heron flew away." in found(other, "Where is the heron?", k=9)
    assert post(one, "forget", ids=[changed])[0] == 200
    assert "The heron flew away." not in found(other, "Where is the heron?", k=9)


def test_a_write_is_done_once_whichever_worker_is_asked_again(workers: list[RunningServer]) -> None:
    one, other = workers
    first = add(one, said("Once, and only once."), key="once")
    assert add(other, said("Once, and only once."), key="once") == first
    assert found(other, "Once, and only once.", k=9).count("Once, and only once.") == 1
    status, answer = post(other, "turns", "once", turns=[said("Something else.")])
    assert (status, "another request" in answer["detail"]) == (422, True)
    with ThreadPoolExecutor(8) as pool:  # at the same moment
        answers = list(pool.map(lambda n: add(workers[n % 2], said("At once."), key="at once"), range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert found(one, "At once.", k=9).count("At once.") == 1


def test_turns_that_come_in_at_both_get_a_place_each(workers: list[RunningServer]) -> None:
    with ThreadPoolExecutor(6) as pool:
        ids = [
            id_
            for answer in pool.map(lambda n: add(workers[n % 2], said(f"Turn {n}", f"t{n}")), range(24))
            for id_ in answer["ids"]
        ]
    assert len(set(ids)) == 24
    status, answer = post(workers[0], "recall", query="Turn 7", k=1, neighbours=1)
    assert (status, answer["hits"][0]["memory"]["text"]) == (200, "Turn 7")
    assert len(answer["hits"][0]["neighbours"]) == 2


def test_a_worker_that_dies_takes_nothing_along(workers: list[RunningServer], folder: Path) -> None:
    one, other = workers
    add(one, said("Told before it died."))
    os.kill(one.process.pid, signal.SIGKILL)
    one.process.wait(30)
    assert "Told before it died." in found(other, "Told before it died.")
    with running_server(folder / "log 3", "--memory", postgres.url_for(folder)) as new:
        add(new, said("Told to a new one."))
        assert "Told to a new one." in found(other, "Told to a new one.")
