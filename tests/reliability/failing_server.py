"""A Postgres server that a test may stop, kill and fill up, which the one of the test run must not be."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.postgres import OwnServer

OURS = "backend_type = 'client backend' AND pid <> pg_backend_pid()"


class FailingServer(OwnServer):
    """A server of its own; every write goes to the disk before it is answered. A context manager."""

    def __init__(self) -> None:
        # not in pytest's own folder: the server is another user's process where root runs the tests
        super().__init__(Path(tempfile.mkdtemp(prefix="romaine-failing-postgres-")))

    def __enter__(self) -> FailingServer:  # noqa: PYI034 - Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.start()
        self.close()

    def schema(self, name: str) -> str:
        """The URL of a schema."""
        return f"{self.url}{'&' if '?' in self.url else '?'}schema={name}"

    def execute(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Does something as superuser; returns the rows of the last statement."""
        with self.connected(database=database) as connection:
            cursor = None
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor is not None and cursor.description else []

    @contextmanager
    def connected(self, database: str | None = None) -> Iterator[psycopg.Connection[Any]]:
        """A superuser's connection, in autocommit."""
        options = {} if database is None else {"dbname": database}
        with psycopg.connect(self.url, autocommit=True, **options) as connection:
            yield connection

    # --- what is done to it --------------------------------------------------------------------------------

    def kill_and_start(self) -> None:
        """Stops it as a crash would, with nothing finished or written out, and starts it again."""
        self.kill()
        self.start()

    def drop_connections(self) -> None:
        """Ends every other connection."""
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}")

    def kill_backend(self) -> None:
        """Kills the process behind one connection; the server then ends all others and recovers."""
        found = self.execute(f"SELECT pid FROM pg_stat_activity WHERE {OURS} ORDER BY random() LIMIT 1")
        for (pid,) in found:
            os.kill(pid, signal.SIGKILL)

    @contextmanager
    def small_disk(self, megabytes: int) -> Iterator[SmallDisk]:
        """A tablespace on a disk that is soon full.

        Raises:
            PermissionError: If no disk may be mounted here.
        """
        folder = Path(tempfile.mkdtemp(prefix="romaine-small-disk-"))
        disk = SmallDisk(folder)
        try:
            disk.mount(megabytes)
            shutil.chown(folder, self._server.system_user or os.getuid())
            yield disk
        finally:
            subprocess.run(["umount", str(folder)], check=False, capture_output=True)
            folder.rmdir()


class SmallDisk:
    """A file system in memory, of a size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, megabytes: int, *, again: bool = False) -> None:
        """Mounts it, or gives it another size."""
        options = f"{'remount,' if again else ''}size={megabytes}m"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise PermissionError(done.stderr)
