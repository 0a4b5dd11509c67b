"""What was answered is kept, what was asked again is done once, and what was accepted is finished."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

pytest.importorskip("fastapi")

from romaine.memory import RoleplayMemory, Scope
from tests.server.live import ENDED, LiveServer

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

CLIENTS = 6
SCOPE = {"user": "ana", "chat": "tavern"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path / "memories.db", log=tmp_path / "log")
    yield live
    live.process.kill()
    live.process.wait()


class Load:
    """Clients that add turns without a `source_id`, so that each one done twice is seen."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.answered: dict[str, list[str]] = {}  # key -> ids
        self.unanswered: list[str] = []
        self._enough = threading.Event()

    def send(self, client: httpx.Client, key: str) -> list[str]:
        body = {"scope": SCOPE, "turns": [{"text": key, "speaker": "Ana", "role": "user"}] * 2}
        answer = client.post(
            f"{self.server.url}/v1/memory/turns", json=body, headers={"Idempotency-Key": key}, timeout=60
        )
        assert answer.status_code == 200, answer.text
        ids: list[str] = answer.json()["ids"]
        return ids

    def _client(self, _: int) -> None:
        with httpx.Client() as client:
            while not self._enough.is_set():
                key = str(uuid4())
                try:
                    self.answered[key] = self.send(client, key)
                except httpx.TransportError:
                    self.unanswered.append(key)
                    return

    def during(self, seconds: float, end: Callable[[], object]) -> None:
        """Sends for a while, ends the server meanwhile, and waits for all clients."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            running = [pool.submit(self._client, number) for number in range(CLIENTS)]
            time.sleep(seconds)
            try:
                end()
            finally:
                self._enough.set()
            for each in running:
                each.result(timeout=90)

    def stored(self, file: Path) -> dict[str, list[str]]:
        with RoleplayMemory(file) as memory:
            assert memory.verify().is_sound
            found: dict[str, list[str]] = {}
            for turn in memory.list(Scope(**SCOPE)):
                found.setdefault(turn.text, []).append(turn.id)
        return found


def test_kill_loses_nothing_that_was_answered_and_retries_are_done_once(server, tmp_path):
    load = Load(server)
    for seconds in (1.5, 1.0):
        load.during(seconds, lambda: server.end(signal.SIGKILL))
        stored = load.stored(tmp_path / "memories.db")
        assert {key: stored.get(key) for key in load.answered} == load.answered
        assert all(len(ids) == 2 for ids in stored.values())
        server.start()
        load._enough.clear()
    assert load.answered
    assert load.unanswered
    with httpx.Client() as client:
        again = {key: load.send(client, key) for key in [*load.answered, *load.unanswered]}
    server.end(signal.SIGTERM)
    assert load.stored(tmp_path / "memories.db") == again
    assert {key: again[key] for key in load.answered} == load.answered


def test_term_under_load_finishes_what_was_accepted(server, tmp_path):
    load = Load(server)
    codes: list[int] = []
    load.during(1.5, lambda: codes.append(server.end(signal.SIGTERM)))
    assert codes[0] in ENDED
    assert load.answered
    # nothing was done without an answer, and nothing answered without being done
    assert load.stored(tmp_path / "memories.db") == load.answered
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert not any(key in log for key in load.answered)
