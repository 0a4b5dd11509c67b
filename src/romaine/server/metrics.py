"""What the server counts, for Prometheus. No label holds what a client sent."""

from __future__ import annotations

import os
from functools import cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from starlette.responses import Response

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)

REQUESTS = Histogram(
    "romaine_request_seconds", "Requests by route and status.", ["route", "status"], buckets=_SECONDS
)
BATCHES = Histogram(
    "romaine_batch_texts", "Texts that went through a model together.", ["model"], buckets=_TEXTS
)
WAITING = Gauge(
    "romaine_waiting_tokens", "Tokens that wait for a model, about.", ["model"], multiprocess_mode="livesum"
)
TOKENS = Counter("romaine_tokens", "Tokens that went through a model.", ["model"])
CUT = Counter("romaine_texts_cut", "Texts that lost their end.", ["model"])


def request(route: str, status: int, seconds: float) -> None:
    """Adds a request that was answered."""
    _request_figures(route, status).observe(seconds)


@cache
def _request_figures(route: str, status: int) -> Histogram:
    return REQUESTS.labels(route, status)


def shown() -> Response:
    """All of them, of all workers."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
