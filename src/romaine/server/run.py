"""Runs the server: one process, or several that share a port."""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile

import uvicorn
from fastapi import FastAPI

from romaine.server.app import create_app
from romaine.server.settings import ServerSettings

_SETTINGS = "ROMAINE_SERVER_SETTINGS"
_SWITCH = 0.001
"""Seconds until the event loop's thread lets a model's go on; Python's own 0.005 are as long as a batch."""

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
    """
    settings.check()
    os.environ[_SETTINGS] = settings.model_dump_json()
    with tempfile.TemporaryDirectory(prefix="romaine-metrics-") as folder:
        if settings.workers > 1:  # read where prometheus_client is imported, in each process
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        uvicorn.run(
            f"{__name__}:app_of_environment",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            access_log=False,
            log_config=_LOGS,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=settings.shutdown_timeout,
        )


def app_of_environment() -> FastAPI:
    """The app of one process, with the settings that `serve` was called with."""
    sys.setswitchinterval(_SWITCH)
    gc.set_threshold(10_000, 20, 20)  # the objects of a request refer to each other in few cycles
    return create_app(ServerSettings(**json.loads(os.environ[_SETTINGS])))
