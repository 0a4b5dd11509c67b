"""Taking a file in: what would be read and skipped, and then the import, which tells how far it is."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from romaine.errors import RomaineError
from romaine.formats.importing import SourceFile, read_source, write_source
from romaine.memory import RoleplayMemory, Scope
from romaine.server.memory.access import OpenFile
from romaine.server.memory.bodies import Name
from romaine.server.page.asked import AskedOf
from romaine.server.page.rendering import POLICY, render

router = APIRouter()

_SKIPPED_TOLD = 50
_FIRST_TURNS = 5

FileName = Annotated[Name, Query()]
Hidden = Annotated[bool, Query(description="Take messages that their app hides, too.")]


@router.post("/page/import/preview")
async def preview(
    request: Request, scope: AskedOf, memory: OpenFile, file_name: FileName = "chat", hidden: Hidden = False
) -> Response:
    """Shows what would become of a file, and writes nothing."""
    source = file_name, await request.body()
    options = {"include_hidden": hidden}

    def read() -> Response:
        try:
            file = read_source(source, scope, options)
        except RomaineError as error:
            return render("preview_failed.html", {"problem": str(error), "name": file_name})
        return render(
            "preview.html",
            {
                "file": file,
                "scope": scope,
                "hidden": hidden,
                "exported": source[1].count(b"\n") if file.placement is None else 0,
                "skipped": file.skipped[:_SKIPPED_TOLD],
                "more_skipped": max(0, len(file.skipped) - _SKIPPED_TOLD),
                "first": _FIRST_TURNS,
            },
        )

    del memory  # there is one, or this was refused
    return await run_in_threadpool(read)


@router.post("/page/import")
async def import_(
    request: Request, scope: AskedOf, memory: OpenFile, file_name: FileName = "chat", hidden: Hidden = False
) -> Response:
    """Imports a file. Each line of the answer is JSON: `done` of `steps`, at last `html` of the report."""
    source = file_name, await request.body()
    file = await run_in_threadpool(read_source, source, scope, {"include_hidden": hidden})
    return StreamingResponse(
        _lines(memory, file, scope),
        media_type="application/x-ndjson",
        headers=POLICY | {"X-Accel-Buffering": "no"},
    )


def _lines(memory: RoleplayMemory, file: SourceFile, scope: Scope) -> Iterator[str]:
    """Imports in a thread of its own: who stops reading does not stop it halfway."""
    told: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def write() -> None:
        done = 0

        def advance(steps: int) -> None:
            nonlocal done
            done += steps
            told.put({"done": done, "steps": file.steps})

        try:
            report = write_source(memory, file, scope, advance=advance)
            told.put({"html": bytes(render("imported.html", {"report": report}).body).decode()})
        except RomaineError as error:
            told.put({"problem": str(error)})
        except Exception:  # what it says may hold texts
            told.put({"problem": "the import failed; the server's log says more"})
            raise
        finally:
            told.put(None)

    threading.Thread(target=write, name="romaine-import").start()
    yield json.dumps({"done": 0, "steps": file.steps}) + "\n"
    while (line := told.get()) is not None:
        yield json.dumps(line) + "\n"
