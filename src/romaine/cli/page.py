"""`romaine inspect`: a memory in the browser."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from romaine.cli import options
from romaine.cli.memory_options import File, OwnModel
from romaine.cli.terminal import print_text
from romaine.errors import MissingExtraError


def inspect(
    memory: Annotated[str, typer.Argument(help="The memory's file, or postgresql://...")],
    new: Annotated[bool, typer.Option("--new", help="Make the file if it is not there.")] = False,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")] = 0,
    model: OwnModel = None,
    backend: options.Backend = "auto",
) -> None:
    """Look at what a memory holds, see what would come to mind, and put it right, in the browser.

    The page is for who sits at this machine; its address opens once. Ctrl-C ends it.
    """
    try:
        from romaine.server.inspecting import inspect_memory
    except ImportError as error:
        raise MissingExtraError("romaine inspect", "server") from error
    file = File(db=memory, model=model, backend=backend)
    with file.open(create=new):  # what is wrong with it is told before anything is served
        pass

    def ready(address: str) -> None:
        opened = browser and webbrowser.open(address)
        print_text(f"The page is open in your browser, or open {address}" if opened else f"Open {address}")
        print_text("Ctrl-C ends it", to_stderr=True)

    inspect_memory(memory, model=file.model_name, backend=backend, port=port, ready=ready)
