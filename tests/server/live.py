"""A server as a process, on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

ENDED = (0, -signal.SIGTERM)
"""Exit codes of a server that was told to end: uvicorn ends by the signal itself when all is done."""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


class LiveServer:
    """`romaine serve` over a memory's file."""

    def __init__(self, memory: Path, *options: str, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", "romaine", "serve", "--port", str(self.port)]
        self._command += ["--memory", str(memory), *options]
        self.log = log
        self.start()

    def start(self) -> None:
        """Starts it, or starts it again, and waits until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=dict(os.environ))
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            try:
                if httpx.get(f"{self.url}/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise TimeoutError(self.log.read_text())

    def end(self, by: signal.Signals) -> int:
        """Sends a signal; returns the exit code."""
        self.process.send_signal(by)
        return self.process.wait(timeout=60)
