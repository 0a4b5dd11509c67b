"""Behind a pooler that gives a connection to others after each transaction. Debian's package has it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from romaine.embedder import Embedder
from romaine.memory import RoleplayMemory, Scope
from tests import postgres
from tests.memory.conftest import CHAT, said

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
_SETTINGS = """[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 2
logfile = {folder}/log
pidfile = {folder}/pid
"""


@pytest.fixture
def pooled() -> Iterator[str]:
    """A URL of the tests' server behind a pooler with two connections to it."""
    if PROGRAM is None:
        pytest.skip("pgbouncer is not installed")
    info = psycopg.conninfo.conninfo_to_dict(postgres.server())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = folder / "pgbouncer.ini"
        where = {"host": info["host"], "port": info.get("port", 5432), "user": info["user"]}
        settings.write_text(_SETTINGS.format(**where, folder=folder))
        command = [PROGRAM, str(settings)]
        if os.getuid() == 0:  # it refuses to be root, and the server's socket is its owner's
            folder.chmod(0o777)
            command[1:1] = ["-u", Path(str(info["host"])).owner()]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not (folder / ".s.PGSQL.6432").exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"postgresql://{info['user']}@/{info['dbname']}?host={folder}&port=6432"
        process.terminate()
        process.wait(10)


def test_workers_share_connections_between_transactions(
    pooled: str, path: Path, gem: Embedder, scope: Scope
) -> None:
    url = f"{pooled}&schema={postgres.schema_for(path)}"
    scopes = [replace(scope, user=f"user {number}") for number in range(6)]

    def live(memory: RoleplayMemory, whose: Scope) -> None:
        for number, turn in enumerate(CHAT):
            memory.add_turns(whose, [turn])
            memory.add_fact(whose, f"{whose.user} has {number} of {number * 31}.")
            hits = memory.recall("silver key", whose)
            assert {hit.memory.scope.user for hit in hits} == {whose.user}
            assert any(hit.memory.text == CHAT[0].text for hit in hits)

    with ExitStack() as stack:
        workers = [stack.enter_context(RoleplayMemory(url, embedder=gem)) for _ in range(3)]
        with ThreadPoolExecutor(6) as pool:
            for future in [pool.submit(live, workers[i % 3], whose) for i, whose in enumerate(scopes)]:
                future.result(60)
        for whose in scopes:
            assert all(len(worker.list(whose)) == 2 * len(CHAT) for worker in workers)
        # what one has written, all others see at once
        workers[0].add_turns(scopes[0], [said("The owl sleeps in the tower.", "new")])
        assert workers[1].recall("owl", scopes[0])[0].memory.text == "The owl sleeps in the tower."
        assert workers[2].verify().is_sound
