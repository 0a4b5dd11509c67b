"""The server over streamable HTTP. It keeps no sessions, so any process answers any request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import ASGIApp

from romaine.mcp.server import memory_server
from romaine.mcp.tools import OpenMemory

WITHIN = "romaine.mcp"
"""Where in a request's ASGI scope its `OpenMemory` stands."""


@asynccontextmanager
async def http_app(*, max_body_bytes: int) -> AsyncIterator[ASGIApp]:
    """Serves while it is entered; on leaving, tools that run are finished.

    Args:
        max_body_bytes: Of a request.

    Yields:
        An app for POST requests whose ASGI scope holds whose memory they may use, under `WITHIN`.
    """

    def who_asks(context: object) -> OpenMemory:
        request = context.request  # type: ignore[attr-defined]  # of a context the SDK does not name
        within: OpenMemory = request.scope[WITHIN]
        return within

    manager = StreamableHTTPSessionManager(
        memory_server(who_asks), stateless=True, json_response=True, max_request_body_size=max_body_bytes
    )
    async with manager.run():
        yield manager.asgi_app
