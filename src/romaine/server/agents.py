"""`/mcp/{user}/{character}`: the memory for agents, with the same keys (extra `mcp`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from romaine.memory import Scope
from romaine.server.keys import user_for
from romaine.server.memory.access import check_query

PATH = "/mcp/{user}/{character}"


def mount_mcp(app: FastAPI) -> None:
    """Adds the route, and what it needs while the app runs; nothing where the extra is not installed."""
    try:
        import romaine.mcp.http
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("romaine"):
            raise
        return
    endpoint = _Endpoint()
    app.router.routes.append(Route(PATH, endpoint, methods=["POST"]))
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        limit = app.state.settings.max_body_bytes
        async with inner(app) as state, romaine.mcp.http.http_app(max_body_bytes=limit) as endpoint.app:
            yield state

    app.router.lifespan_context = lifespan


class _Endpoint:
    """Says whose memory a request may use, and hands it on."""

    app: ASGIApp

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        from romaine.mcp.http import WITHIN
        from romaine.mcp.tools import OpenMemory

        request = Request(scope)
        memory, key = request.app.state.memory, scope["state"].get("key")
        names = request.path_params
        user = user_for(key.bound_user if key else None, names["user"])
        if memory is None:
            raise HTTPException(404, "this server has no memory; start it with --memory FILE")
        check_query(request, ["chat"])
        whose = Scope(user=user, character=names["character"], chat=request.query_params.get("chat") or None)
        await self.app({**scope, WITHIN: OpenMemory(memory=memory, scope=whose)}, receive, send)
