"""`/health`, `/ready` and `/metrics`: for whoever keeps the server running."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response

from romaine.server import metrics
from romaine.server.embedding import DirectRoute, json_response

router = APIRouter(tags=["Status"], route_class=DirectRoute)


@router.get("/health")
async def health(_request: Request) -> Response:
    """Whether the process answers."""
    return json_response({"status": "ok"})


@router.get("/ready")
async def ready(request: Request) -> Response:
    """Whether it may be sent requests: the memory is open, and it is not ending."""
    is_ready = request.app.state.is_ready
    return Response(
        b'{"status":"ready"}' if is_ready else b'{"status":"not ready"}',
        status_code=200 if is_ready else 503,
        media_type="application/json",
    )


@router.get("/metrics")
async def show_metrics(_request: Request) -> Response:
    """Figures for Prometheus."""
    return await asyncio.to_thread(metrics.shown)
