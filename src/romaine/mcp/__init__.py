"""The memory for agents, over the Model Context Protocol (extra `mcp`): stdio, or HTTP on `romaine serve`.

Whose memory it is, the application says: by the command's options or by the URL, which is checked against the
key. No argument of a tool names a user, a character or a chat.
"""

from __future__ import annotations

from romaine.mcp.server import memory_server
from romaine.mcp.tools import OpenMemory

__all__ = ["OpenMemory", "memory_server"]
