"""Servers of these tests: in the process, and real ones on a free port."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from romaine import Embedder

if find_spec("fastapi") is None:  # the extra is not installed
    collect_ignore_glob = ["test_*.py", "dialects/*"]


@pytest.fixture(autouse=True)
def _localhost(socket_enabled: None) -> None:
    """Real clients talk to a real server here; pytest-socket keeps all other hosts closed."""


@pytest.fixture(scope="session")
def gem() -> Embedder:
    return Embedder().warm_up()


@pytest.fixture
def client_of() -> Iterator[Callable[..., Any]]:
    """Makes clients of servers in this process."""
    from fastapi.testclient import TestClient

    from romaine.server.app import create_app
    from romaine.server.settings import ServerSettings

    with contextlib.ExitStack() as stack:

        def made(**settings: Any) -> Any:
            app = create_app(ServerSettings(access_log=False, **settings))
            return stack.enter_context(TestClient(app, base_url="http://localhost"))

        yield made


class RunningServer:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log
        self.url = ""

    def wait_until_ready(self) -> RunningServer:
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            said = self.log.read_text()
            if "Uvicorn running on " in said:
                self.url = said.partition("Uvicorn running on ")[2].split()[0]
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(self.url + "/ready", timeout=5).read()
                    return self
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def post(self, path: str, body: object, timeout: float = 60, **headers: str) -> tuple[int, Any]:
        """Sends JSON without a Content-Type of its own; returns the status and the answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


@contextlib.contextmanager
def running_server(log: Path, *flags: str, **variables: str) -> Iterator[RunningServer]:
    """`romaine serve` with flags, on a free port; ended when the block ends."""
    command = [sys.executable, "-m", "romaine", "serve", "--port", "0", *flags]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, env=os.environ | variables
        )
    try:
        yield RunningServer(process, log).wait_until_ready()
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, minilm_int8_folder: Path) -> Iterator[RunningServer]:
    """One that serves the bundled model and MiniLM as int8."""
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with running_server(log, "--models", "little-gem", "--models", f"minilm={minilm_int8_folder}") as running:
        yield running
