"""What was answered is kept, what was asked again is done once, and what was accepted is finished."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx

from romaine.memory import RoleplayMemory, Scope
from tests.server.conftest import RunningServer, running_server

CLIENTS = 6
ANSWERS = 40
SCOPE = {"user": "ana", "chat": "tavern"}
ENDED = (0, -signal.SIGTERM)  # uvicorn ends by the signal itself when all is done


def ended(server: RunningServer, by: signal.Signals) -> int:
    """Sends a signal; returns the exit code."""
    server.process.send_signal(by)
    return server.process.wait(timeout=60)


class Load:
    """Clients that add turns without a `source_id`, so that each one done twice is seen."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = ""
        self.answered: dict[str, list[str]] = {}  # key -> ids
        self.unanswered: list[str] = []
        self._enough = threading.Event()

    def send(self, client: httpx.Client, key: str) -> list[str]:
        body = {"scope": SCOPE, "turns": [{"text": key, "speaker": "Ana", "role": "user"}] * 2}
        answer = client.post(
            f"{self.url}/v1/memory/turns", json=body, headers={"Idempotency-Key": key}, timeout=60
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

    def during(self, end: Callable[[], object]) -> None:
        """Sends until there are some answers, ends the server meanwhile, and waits for all clients."""
        wanted = len(self.answered) + ANSWERS
        self._enough.clear()
        with ThreadPoolExecutor(CLIENTS) as pool:
            running = [pool.submit(self._client, number) for number in range(CLIENTS)]
            for _ in range(1000):
                if len(self.answered) >= wanted:
                    break
                time.sleep(0.05)
            try:
                end()
            finally:
                self._enough.set()
            for each in running:
                each.result(timeout=90)

    def stored(self) -> dict[str, list[str]]:
        with RoleplayMemory(self.file) as memory:
            assert memory.verify().is_sound
            found: dict[str, list[str]] = {}
            for turn in memory.list(Scope(**SCOPE)):
                found.setdefault(turn.text, []).append(turn.id)
        return found


def test_kill_loses_nothing_that_was_answered_and_retries_are_done_once(tmp_path):
    load = Load(tmp_path / "memories.db")
    for turn in range(2):
        with running_server(tmp_path / f"log {turn}", "--memory", str(load.file)) as server:
            load.url = server.url
            load.during(lambda server=server: ended(server, signal.SIGKILL))
        stored = load.stored()
        assert {key: stored.get(key) for key in load.answered} == load.answered
        assert all(len(ids) == 2 for ids in stored.values())
    assert load.answered
    assert load.unanswered
    with running_server(tmp_path / "log", "--memory", str(load.file)) as server, httpx.Client() as client:
        load.url = server.url
        again = {key: load.send(client, key) for key in [*load.answered, *load.unanswered]}
    assert load.stored() == again
    assert {key: again[key] for key in load.answered} == load.answered


def test_term_under_load_finishes_what_was_accepted(tmp_path):
    load = Load(tmp_path / "memories.db")
    codes: list[int] = []
    with running_server(tmp_path / "log", "--memory", str(load.file)) as server:
        load.url = server.url
        load.during(lambda: codes.append(ended(server, signal.SIGTERM)))
    assert codes[0] in ENDED
    assert load.answered
    # nothing was done without an answer, and nothing answered without being done
    assert load.stored() == load.answered
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert not any(key in log for key in load.answered)
