"""Runs the server: one process, or several that share a port."""

from __future__ import annotations

import os
import tempfile
from functools import partial

import uvicorn
from uvicorn.supervisors import Multiprocess

from romaine.server.settings import ServerSettings

_LOGS = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"format": "%(asctime)s %(levelname)s %(message)s"},
        "bare": {"format": "%(message)s"},
    },
    "handlers": {
        "plain": {"class": "logging.StreamHandler", "formatter": "plain"},
        "bare": {"class": "logging.StreamHandler", "formatter": "bare"},
    },
    "loggers": {
        "uvicorn": {"handlers": ["plain"], "level": "INFO", "propagate": False},
        "romaine.server": {"handlers": ["plain"], "level": "INFO", "propagate": False},
        "romaine.access": {"handlers": ["bare"], "level": "INFO", "propagate": False},
    },
}


def serve(settings: ServerSettings) -> None:
    """Serves until it is told to end; what was accepted by then is finished.

    Raises:
        OptionError: If settings do not fit together.
        OSError: If the address is taken.
    """
    settings.check()
    if settings.workers > 1:  # read where prometheus_client is imported, in each process
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="romaine-metrics-"))
    config = uvicorn.Config(
        partial(_app, settings),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        access_log=False,
        log_config=_LOGS,
        server_header=False,
        timeout_graceful_shutdown=settings.shutdown_timeout,
        h11_max_incomplete_event_size=64 << 10,
    )
    socket = config.bind_socket()
    if settings.workers > 1:
        Multiprocess(config, target=uvicorn.Server(config).run, sockets=[socket]).run()
    else:
        uvicorn.Server(config).run(sockets=[socket])


def _app(settings: ServerSettings) -> object:
    from romaine.server.app import create_app

    return create_app(settings)
