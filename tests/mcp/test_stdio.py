"""The server as a process: real clients over stdio, several on one file, killed and closed at work."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from mcp import Client, StdioServerParameters

from romaine.memory import RoleplayMemory, Scope

SECRET = "marmalade-in-the-cellar"
START = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


def command(path: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "romaine", "mcp", "--memory", str(path), "--user", "ana", *options]


def parameters(path: Path, *options: str) -> StdioServerParameters:
    first, *rest = command(path, *options)
    return StdioServerParameters(command=first, args=rest, env=dict(os.environ))


class Spoken:
    """A server whose every line on stdout is looked at."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            command(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.lines: list[bytes] = []
        self.request("initialize", START)
        self.notify("notifications/initialized")

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin
        return self.process.stdin

    def write(self, line: bytes) -> None:
        self.stdin.write(line + b"\n")
        self.stdin.flush()

    def notify(self, method: str) -> None:
        self.write(json.dumps({"jsonrpc": "2.0", "method": method}).encode())

    def send(self, method: str, params: dict[str, Any]) -> int:
        number = len(self.lines) + 1000
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.write(json.dumps(message).encode())
        return number

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout
        self.lines.append(self.process.stdout.readline())
        received: dict[str, Any] = json.loads(self.lines[-1])
        assert received["jsonrpc"] == "2.0"
        return received

    def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        number = self.send(method, params)
        received = self.receive()
        assert received["id"] == number
        return received

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        return self.request("tools/call", {"name": name, "arguments": arguments})["result"]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def close(self) -> tuple[bytes, bytes]:
        """What is left on stdout and all of stderr."""
        rest = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return rest


def test_a_client_over_stdio(path):
    async def talk() -> Any:
        options = ("--character", "Cassian", "--chat", "tavern")
        async with Client(parameters(path, *options)) as client:
            await client.call_tool("add_memory", {"text": "The key lies under the third step."})
            return await client.call_tool("search_memories", {"query": "Where is the key?"})

    found = asyncio.run(talk())
    assert found.structured_content["memories"][0]["text"] == "The key lies under the third step."
    with RoleplayMemory(path) as memory:
        (stored,) = memory.list(Scope(user="ana", character="Cassian", chat="tavern"))
    assert stored.scope == Scope(user="ana", character="Cassian", chat="tavern")


def test_nothing_but_the_protocol_on_stdout_and_no_texts_on_stderr(path):
    server = Spoken(path)
    assert server.call("add_memory", text=SECRET)["structuredContent"]["stored"]
    assert server.call("add_memory", text=SECRET, user="bob")["isError"]
    assert server.call("search_memories", query=SECRET)["structuredContent"]["memories"]
    server.write(b"what is this " + SECRET.encode())
    server.write(b'{"jsonrpc": "2.0", "method": "tools/call", "params": {"name": 7}}')
    assert server.call("memory_stats")["structuredContent"]["total"] == 1
    out, err = server.close()
    assert out == b""
    assert SECRET.encode() not in err


def test_a_write_that_was_answered_survives_a_kill(path):
    kept = []
    for number in range(3):
        server = Spoken(path)
        for part in range(4):
            turns = [{"text": f"{number}.{part}", "speaker": "Ana", "role": "user"}]
            kept += server.call("add_turns", turns=turns)["structuredContent"]["ids"]
        server.send("tools/call", {"name": "add_turns", "arguments": {"turns": turns * 50}})
        server.kill()
    with RoleplayMemory(path) as memory:
        assert memory.verify().is_sound
        assert {m.id for m in memory.list(Scope(user="ana"))} >= set(kept)


def test_a_write_that_was_accepted_is_done_when_the_client_leaves(path):
    server = Spoken(path)
    turns = [{"text": f"Turn {n}.", "speaker": "Ana", "role": "user"} for n in range(200)]
    server.send("tools/call", {"name": "add_turns", "arguments": {"turns": turns}})
    server.send("tools/call", {"name": "memory_stats", "arguments": {}})
    server.receive()  # either is answered, so both were read
    server.close()
    with RoleplayMemory(path) as memory:
        assert memory.stats(Scope(user="ana")).total == 200


def test_four_agents_write_to_one_file_at_once(path):
    turns, agents = 15, 4

    async def agent(number: int) -> list[str]:
        added = []
        async with Client(parameters(path, "--chat", f"chat-{number % 2}")) as client:
            for turn in range(turns):
                said = {"text": f"{number}: {turn}", "speaker": f"Agent {number}", "role": "character"}
                said["source_id"] = f"{number}-{turn}"
                result = await client.call_tool("add_turns", {"turns": [said]})
                assert not result.is_error, result.content
                added += result.structured_content["ids"]
                noted = await client.call_tool("add_memory", {"text": f"Agent {number} saw thing {turn}."})
                assert not noted.is_error, noted.content
        return added

    async def all_at_once() -> list[list[str]]:
        return await asyncio.gather(*(agent(number) for number in range(agents)))

    ids = asyncio.run(all_at_once())
    with RoleplayMemory(path) as memory:
        assert memory.verify().is_sound
        for chat in range(2):
            listed = memory.list(Scope(user="ana", chat=f"chat-{chat}"), kinds=["turn"])
            assert [turn.position for turn in listed] == list(range(agents // 2 * turns))
            assert {turn.id for turn in listed} == {*ids[chat], *ids[chat + 2]}


def test_a_file_that_is_none_is_told_before_anything_is_served(path):
    path.write_text("no memory\n" * 200)
    done = subprocess.run(command(path), input=b"", capture_output=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"error: ")
