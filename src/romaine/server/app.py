"""`create_app`: the server as an ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from romaine import __version__
from romaine.memory import RoleplayMemory
from romaine.server import status
from romaine.server.agents import mount_mcp
from romaine.server.dialects import ollama, openai, rerank, sillytavern, tei
from romaine.server.embedding import DirectRoute
from romaine.server.errors import add_handlers
from romaine.server.gate import Gate
from romaine.server.keys import KeyFile
from romaine.server.memory import router as memory_router
from romaine.server.models import Models
from romaine.server.page import router as page_router
from romaine.server.page.entering import Entry
from romaine.server.settings import LOCAL_ORIGIN, LOCAL_PAGES, ServerSettings


def create_app(settings: ServerSettings, *, entry: Entry | None = None) -> FastAPI:
    """Makes the server.

    `app.state` holds `settings`, `keys`, `models` (the `Models` served) and, while it runs, `memory` (the
    open `RoleplayMemory`, or None if no file is configured).

    Args:
        settings: What it is told.
        entry: What opens the page once without a key.

    Raises:
        OptionError: If settings do not fit together.
        InputFileError: If the file of keys is none.
    """
    settings.check()
    keys = KeyFile(settings.keys) if settings.keys else None
    if keys is not None:
        keys.all()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if settings.memory is not None:
                embedder = app.state.models.memory_embedder()
                app.state.memory = await anyio.to_thread.run_sync(
                    lambda: RoleplayMemory(
                        settings.memory or "", embedder=embedder, late_interaction=settings.late_interaction
                    )
                )
                stack.push_async_callback(app.state.memory.aclose)
            stack.push_async_callback(app.state.models.close)
            app.state.is_ready = True
            yield
            app.state.is_ready = False

    app = FastAPI(title="romaine", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.keys = keys
    app.state.entry = entry
    app.state.models = Models(settings)
    app.state.memory = None
    app.state.is_ready = False
    add_handlers(app)
    for part in (openai, ollama, sillytavern, tei, rerank, status):
        app.router.routes.extend(part.router.routes)  # a router inside the router costs each request a turn
    app.include_router(memory_router)
    app.include_router(page_router)
    mount_mcp(app)
    direct = {
        (method, route.path): route
        for route in app.router.routes
        if isinstance(route, DirectRoute)
        for method in route.methods or ()
    }
    app.add_middleware(Gate, settings=settings, keys=keys, direct=direct)
    if settings.cors:  # outermost: a browser asks for leave without a key
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors,
            allow_origin_regex=LOCAL_ORIGIN if LOCAL_PAGES in settings.cors else None,
            allow_private_network=True,  # a page from the web asks for leave to call this machine
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[
                "X-Request-Id",
                "X-Truncated",
                "X-Unfamiliar-Script",
                "Retry-After",
                "Idempotent-Replayed",
            ],
        )
    return app
