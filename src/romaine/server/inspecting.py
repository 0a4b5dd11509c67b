"""Shows one memory to who sits at this machine: a server on a free port, opened in a browser."""

from __future__ import annotations

import contextlib
import secrets
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn

from romaine.errors import OptionError
from romaine.server.app import create_app
from romaine.server.keys import ANY_USER, KeyFile
from romaine.server.page.entering import Entry
from romaine.server.settings import ServerSettings

_HOST = "127.0.0.1"


def inspect_memory(
    memory: str, *, model: str, backend: str = "auto", port: int = 0, ready: Callable[[str], None]
) -> None:
    """Serves the page of a memory until it is ended.

    Args:
        memory: The file, or postgresql://...
        model: What embeds for it.
        backend: Of the model.
        port: Port to listen on; 0 for any free one.
        ready: Called with the address that opens the page, once, when it answers.

    Raises:
        OptionError: If the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="romaine-inspect-") as folder, socket.socket() as bound:
        try:
            bound.bind((_HOST, port))
        except OSError as error:
            raise OptionError(f"port={port} cannot be listened on ({error.strerror}); leave it out") from None
        keys = KeyFile(Path(folder) / "keys.json")
        entry = Entry(once=secrets.token_urlsafe(32), key=keys.make(ANY_USER, note="romaine inspect"))
        address = f"http://{_HOST}:{bound.getsockname()[1]}/page/enter?once={entry.once}"
        told: dict[str, Any] = {
            "host": _HOST,
            "models": (model,),
            "backend": backend,
            "memory": memory,
            "keys": keys.path,
            "cors": (),
            "hosts": (),
            "rate": None,
            "workers": 1,
            "access_log": False,
        }
        settings = ServerSettings(**told)
        config = uvicorn.Config(create_app(settings, entry=entry), log_level="warning", server_header=False)
        with contextlib.suppress(KeyboardInterrupt):  # that is how it is ended
            _Announcing(config, lambda: ready(address)).run(sockets=[bound])


class _Announcing(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._announce()
