"""A wire to a server that can be cut: a socket of its own that hands on what it hears."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

import psycopg

from tests import postgres


class Wire:
    """Hands on what is said between clients and the server.

    Args:
        folder: Where its socket stands.

    Attributes:
        cut_at: What, once a client has said it, has its answer cut off; None for nothing.
    """

    def __init__(self, folder: Path) -> None:
        info = psycopg.conninfo.conninfo_to_dict(postgres.server())
        self._server = f"{info['host']}/.s.PGSQL.{info.get('port', 5432)}"
        self.cut_at: bytes | None = None
        self._open: set[socket.socket] = set()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / ".s.PGSQL.5432"))
        self._listening.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Ends all that is connected."""
        for end in list(self._open):
            _shut(end)

    def close(self) -> None:
        """Ends it all and listens no more."""
        _shut(self._listening)
        self._listening.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            self._open |= {client, server}
            said = threading.Event()
            for source, target, asks in ((client, server, True), (server, client, False)):
                thread = threading.Thread(
                    target=self._hand_on, args=(source, target, asks, said), daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _hand_on(
        self, source: socket.socket, target: socket.socket, asks: bool, said: threading.Event
    ) -> None:
        with suppress(OSError):
            while words := source.recv(1 << 16):
                if not asks and said.is_set():
                    break  # the server has answered, and who asked never hears it
                if asks and self.cut_at is not None and self.cut_at in words:
                    said.set()
                target.sendall(words)
        _shut(target)
        _shut(source)
        self._open.discard(source)
        source.close()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
