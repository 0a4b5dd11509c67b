"""Export and import: what a scope sees as JSONL, and files of every format that is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from romaine.formats.importing import read_source, write_source
from romaine.memory import RoleplayMemory, Scope
from romaine.memory.receipts import find_answer, keep_answer
from romaine.server.memory import answers
from romaine.server.memory.access import (
    REPLAYED,
    OpenFile,
    QueryScope,
    Retried,
    Retry,
    answered,
    refusing_other_requests,
)
from romaine.server.memory.bodies import Name

router = APIRouter()

_IN_MEMORY = 8 << 20  # bytes of an export that are never on the disk
_CHUNK = 256 << 10
_SKIPPED_TOLD = 100

_JSONL = {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}, "description": "One a line."}
_FILE = {
    "requestBody": {
        "required": True,
        "description": "The file itself.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/export", response_class=StreamingResponse, responses={200: _JSONL})
def export(memory: OpenFile, scope: QueryScope) -> StreamingResponse:
    """Streams what a scope sees as JSONL, without vectors; `import` takes it in again."""
    # one state of the file, which a slow client must not hold
    file: IO[bytes] = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed when it is sent
    try:
        memory.export_jsonl(file, scope)  # type: ignore[arg-type]  # it is one to read and write
    except BaseException:
        file.close()
        raise
    return StreamingResponse(
        _chunks(file),
        media_type="application/x-ndjson",
        headers={"Content-Disposition": 'attachment; filename="memories.jsonl"'},
    )


@router.post("/import", response_model=answers.ImportAnswer, openapi_extra=_FILE)
async def import_(
    request: Request,
    memory: OpenFile,
    scope: QueryScope,
    retry: Retried,
    file_name: Annotated[
        Name, Query(description="Names a chat that neither you nor the file name.")
    ] = "chat",
    user_name: Annotated[Name | None, Query(description="Stands for {{user}}; else the file's.")] = None,
    character_name: Annotated[Name | None, Query(description="Stands for {{char}}; else the file's.")] = None,
    include_hidden: Annotated[bool, Query(description="Take messages that their app hides, too.")] = False,
    format: Annotated[  # noqa: A002 - what it is
        Name | None, Query(description="What the file is, e.g. jsonl; else found out.")
    ] = None,
    sync: Annotated[bool, Query(description="Take out messages that a chat no longer holds.")] = False,
) -> Response:
    """Imports a file of any known format: chats, cards, lorebooks, or what `export` gave.

    It is read whole before anything is written. The same import again adds nothing.
    """
    options = {
        "user_name": user_name,
        "character_name": character_name,
        "include_hidden": include_hidden,
        "format": format,
    }
    source = file_name, await request.body()

    def write() -> Response:
        return _imported(memory, retry, scope, source, options, sync=sync)

    return await run_in_threadpool(write)


def _imported(
    memory: RoleplayMemory,
    retry: Retry,
    scope: Scope,
    source: tuple[str, bytes],
    options: Mapping[str, object],
    *,
    sync: bool,
) -> Response:
    receipt = retry.receipt(scope.user)
    with refusing_other_requests():
        if receipt is not None and (known := find_answer(memory, receipt)) is not None:
            return answered(known, headers=REPLAYED)
        file = read_source(source, scope, options)
        report = write_source(memory, file, scope, sync=sync).to_json()
        skipped = report["skipped"]
        report["skipped"] = skipped[:_SKIPPED_TOLD]
        report["more_skipped"] = len(skipped) - len(report["skipped"])
        answer, before = report, False
        if receipt is not None:  # what was written by then is there already if it is tried again
            answer, before = keep_answer(memory, receipt, report)
    return answered(answer, headers=REPLAYED if before else None)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while chunk := file.read(_CHUNK):
            yield chunk
