"""A wire to a server that can be cut: a socket of its own that hands on what it hears."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import psycopg

from tests import postgres


class Wire:
    """Hands on what is said between clients and the server.

    Args:
        folder: Where its socket stands.
        cut_at: What, once a client has said it, makes it hand on that, wait for the answer, and cut.
    """

    def __init__(self, folder: Path, *, cut_at: bytes | None = None) -> None:
        info = psycopg.conninfo.conninfo_to_dict(postgres.server())
        self._server = f"{info['host']}/.s.PGSQL.{info.get('port', 5432)}"
        self.cut_at = cut_at
        self._open: list[socket.socket] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(folder / ".s.PGSQL.5432"))
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends all that is connected."""
        for end in self._open:
            end.close() if end.fileno() == -1 else end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            self._open += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._hand_on, args=(source, target), daemon=True).start()

    def _hand_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while said := source.recv(1 << 16):
                target.sendall(said)
                if self.cut_at is not None and self.cut_at in said:
                    target.recv(1 << 16)  # the server has answered; who asked never hears it
                    self.cut()
                    return
        except OSError:
            self.cut()
