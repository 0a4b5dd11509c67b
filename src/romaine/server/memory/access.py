"""What the memory's routes share: the open file, whose memory it is, the key of a retry, JSON answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, HTTPException, Query, Request
from starlette.responses import Response

from romaine.errors import RepeatedKeyError
from romaine.memory import RoleplayMemory, Scope
from romaine.memory.receipts import Answer, Receipt, answer_once
from romaine.server.keys import Caller, Key, user_for
from romaine.server.memory.bodies import AskedScope, Name

REPLAYED = {"Idempotent-Replayed": "true"}
"""Header of an answer that was given before."""


async def _opened(request: Request) -> RoleplayMemory:
    memory: RoleplayMemory | None = request.app.state.memory
    if memory is None:
        raise HTTPException(404, "this server has no memory; start it with --memory FILE")
    return memory


OpenFile = Annotated[RoleplayMemory, Depends(_opened)]
"""The memory that the server was started with."""


def scope_of(caller: str | None, asked: AskedScope) -> Scope:
    """The scope of a request.

    Raises:
        HTTPException: 403 if it names another user than the key's, 422 if it names none.
    """
    return Scope(user=user_for(caller, asked.user), character=asked.character, chat=asked.chat)


QUERIES = {"user", "character", "chat"} | {
    *("kinds", "include_superseded", "source_ids", "source_prefix", "offset", "limit"),
    *("file_name", "user_name", "character_name", "include_hidden", "format", "sync"),
}
"""All that routes take in their query."""


def check_query(request: Request, allowed: Collection[str]) -> None:
    """Refuses names that mean nothing: one that was to be `chat` would ask for what all chats share.

    Raises:
        HTTPException: 422 if there are any.
    """
    if unknown := sorted(set(request.query_params) - set(allowed)):
        raise HTTPException(
            422, f"query: {unknown!r} means nothing here; there is {', '.join(sorted(allowed))}"
        )


async def _scope_in_query(
    request: Request,
    caller: Caller,
    user: Annotated[Name | None, Query()] = None,
    character: Annotated[Name | None, Query()] = None,
    chat: Annotated[Name | None, Query()] = None,
) -> Scope:
    check_query(request, QUERIES)
    return scope_of(caller, AskedScope(user=user, character=character, chat=chat))


QueryScope = Annotated[Scope, Depends(_scope_in_query)]
"""The scope that a request without a body names."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """What a write is known by when it is asked for again, or nothing if its client gave no key."""

    key: str | None
    request: bytes

    def receipt(self, user: str) -> Receipt | None:
        """For a user's memory."""
        return None if self.key is None else Receipt(user=user, key=self.key, request=self.request)


async def _retry(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="A UUID or the like: the same for the same write when it is tried again, which is"
            " then done once and answered alike, and a new one for every other.",
        ),
    ] = None,
) -> Retry:
    if idempotency_key is None:
        return Retry(key=None, request=b"")
    made_by: Key | None = request.scope["state"].get("key")
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    # a list of both, so that no id and key together are those of another
    key = json.dumps([made_by.id if made_by else None, idempotency_key])
    return Retry(key=key, request=asked + await request.body())


Retried = Annotated[Retry, Depends(_retry)]
"""The `Idempotency-Key` of a write."""


def written(
    memory: RoleplayMemory,
    retry: Retry,
    user: str,
    write: Callable[[RoleplayMemory], object],
    answer: Callable[[Any], Answer],
    *,
    live: Callable[[], Mapping[str, Any]] = dict,
) -> Response:
    """Does a write once and answers it.

    Args:
        memory: What is written to.
        retry: What the request is known by.
        user: Whose memory it is.
        write: Calls one writing method, of the memory that it is given.
        answer: Makes the answer of what the write's transaction gives.
        live: What is added to it that says how it is now.

    Raises:
        HTTPException: 422 if the key was used for another request.
    """
    with refusing_other_requests():
        given, before = answer_once(memory, retry.receipt(user), write, answer)
    return answered({**given, **live()}, headers=REPLAYED if before else None)


@contextmanager
def refusing_other_requests() -> Iterator[None]:
    """Tells of a key that was used for another request as HTTP does."""
    try:
        yield
    except RepeatedKeyError as error:
        raise HTTPException(422, str(error)) from None


def answered(content: Any, *, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON; called where it may take its time."""
    try:
        body = orjson.dumps(content)
    except TypeError:  # halves of surrogate pairs, which JSON can only escape
        body = json.dumps(content).encode()
    return Response(body, media_type="application/json", headers=headers)
