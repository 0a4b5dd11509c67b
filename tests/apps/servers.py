"""Processes of these tests: the memory's server, and apps that run on node."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx

from romaine.server.keys import KeyFile


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def checkout_of(variable: str, cache: Path) -> Path | None:
    """The checkout that a variable names: a folder, or the address of a git repository, cloned once."""
    named = os.environ.get(variable)
    if not named:
        return None
    folder = Path(named)
    if not folder.is_dir():
        folder = cache / re.sub(r"\W+", "-", named)
        if not folder.is_dir():
            subprocess.run(["git", "clone", "--depth", "1", named, str(folder)], check=True)
    return folder


class Process:
    """A server in a process of its own, which can be ended and started again on the same port."""

    def __init__(self, command: list[str], *, url: str, log: Path, cwd: Path | None = None) -> None:
        self.command, self.url, self.log, self.cwd = command, url, log, cwd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, patience: float = 240) -> None:
        """Starts it and waits until it answers."""
        with self.log.open("ab") as stream:
            self._process = subprocess.Popen(
                self.command, stdout=stream, stderr=subprocess.STDOUT, cwd=self.cwd, env=dict(os.environ)
            )
        end = time.monotonic() + patience
        while time.monotonic() < end and self._process.poll() is None:
            try:
                urllib.request.urlopen(self.url, timeout=10).read()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.3)
        said = self.log.read_text(errors="replace")
        self.stop()
        raise AssertionError(said[-4000:])

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def running(*servers: Process) -> Iterator[None]:
    """A block in which servers run."""
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.callback(server.stop)
            server.start()
        yield


class RomaineServer(Process):
    """`romaine serve`."""

    def __init__(self, folder: Path, *flags: str) -> None:
        port = free_port()
        command = [sys.executable, "-m", "romaine", "serve", "--port", str(port), *flags]
        self.address = f"http://127.0.0.1:{port}"
        super().__init__(command, url=f"{self.address}/ready", log=folder / "romaine.log")


class MemoryServer(RomaineServer):
    """One with an empty memory and a key for the user ana, for pages of this machine; and a client of it."""

    def __init__(self, folder: Path) -> None:
        keys = folder / "keys.json"
        flags = ("--memory", str(folder / "memories.db"), "--cors", "localhost", "--keys", str(keys))
        super().__init__(folder, *flags)
        self.folder, self.key = folder, KeyFile(keys).make("ana")

    def lose(self) -> None:
        """Ends it and throws its memory away."""
        self.stop()
        for file in self.folder.glob("memories.db*"):
            file.unlink()

    def get(self, path: str, **query: object) -> dict[str, list[dict[str, object]]]:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.get(f"{self.address}/v1/memory{path}", params=query, headers=headers, timeout=30)  # type: ignore[arg-type]
        answer.raise_for_status()
        return answer.json()

    def texts(self, **scope: object) -> list[str]:
        """What was said in a scope, in order."""
        listed = self.get("/memories", kinds="turn", limit=1000, **scope)
        return [str(memory["text"]) for memory in listed["memories"]]
