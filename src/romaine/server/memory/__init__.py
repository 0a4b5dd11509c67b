"""`/v1/memory/...`: the roleplay memory over HTTP, method by method as `RoleplayMemory` has it."""

from __future__ import annotations

from fastapi import APIRouter

from romaine.server.memory import exchanging, reading, writing
from romaine.server.memory.answers import ErrorAnswer

_ERRORS = {
    400: "A value is not allowed.",
    401: "No valid key.",
    403: "The key is another user's.",
    404: "No such memory is to be seen, or the server has none.",
    413: "Too much at once.",
    422: "The request is not of the right shape, or its Idempotency-Key was used for another one.",
    429: "Too many requests; Retry-After says when.",
}

router = APIRouter(
    prefix="/v1/memory",
    tags=["Memory"],
    responses={status: {"model": ErrorAnswer, "description": said} for status, said in _ERRORS.items()},
)
for _part in (writing, reading, exchanging):
    router.include_router(_part.router)
