"""One agent's server: the protocol on stdin and stdout, nothing else on stdout."""

from __future__ import annotations

import anyio
from mcp.server.stdio import stdio_server

from romaine.mcp.server import memory_server
from romaine.mcp.tools import OpenMemory


def serve_stdio(within: OpenMemory) -> None:
    """Serves until the client closes stdin; a tool that runs then is finished first."""
    anyio.run(_serve, within)


async def _serve(within: OpenMemory) -> None:
    server = memory_server(lambda _: within)
    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())
