"""`romaine mcp`: the memory for an agent, over stdio."""

from __future__ import annotations

from typing import Annotated

import typer

from romaine.cli import options
from romaine.cli.memory_options import Character, Chat, User, Whose
from romaine.embedder import DEFAULT_MODEL
from romaine.errors import MissingExtraError

MemoryFile = Annotated[
    str,
    typer.Option(
        "--memory",
        "--db",
        help="The memory's file, made if it is not there, or postgresql://...",
        envvar="ROMAINE_MEMORY",
        show_default=False,
    ),
]


def mcp(
    memory: MemoryFile,
    user: User,
    character: Character = None,
    chat: Chat = None,
    model: options.Model = DEFAULT_MODEL,
    backend: options.Backend = "auto",
) -> None:
    """Give an agent a character's memory: an MCP server on stdin and stdout.

    The agent sees and changes what this user, character and chat may, and nothing else. Several agents may
    have servers on one file at once.
    """
    try:
        from romaine.mcp.stdio import serve_stdio
        from romaine.mcp.tools import OpenMemory
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("romaine"):
            raise
        raise MissingExtraError("`romaine mcp`", "mcp") from None
    whose = Whose(db=memory, model=model, backend=backend, user=user, character=character, chat=chat)
    scope = whose.scope
    with whose.open(create=True) as opened:
        serve_stdio(OpenMemory(memory=opened, scope=scope))
