"""`Gate`: what every request passes before a route sees it, and every answer on its way out."""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import Iterable
from typing import Any

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from romaine.server.errors import TooBusyError, answer_to
from romaine.server.keys import KeyFile
from romaine.server.settings import ServerSettings

access_log = logging.getLogger("romaine.access")

OPEN_PATHS = frozenset({"/health", "/ready", "/openapi.json"})
"""What is answered without a key."""

_REQUEST_ID = re.compile(r"[\w.-]{1,64}")
_IMPORTS = re.compile(r"/v1/memory/import")


class Gate:
    """Host, origin, key, rate, size, number and time of requests; request ids and the access log.

    Args:
        app: What is behind it.
        settings: The limits.
        keys: The keys, or None if none is needed.
    """

    def __init__(self, app: ASGIApp, *, settings: ServerSettings, keys: KeyFile | None) -> None:
        self._app = app
        self._settings = settings
        self._keys = keys
        self._hosts = {settings.host, *settings.hosts, "localhost", "127.0.0.1", "[::1]"}
        self._any_host = "*" in settings.hosts
        self._rates: dict[str, tuple[float, float]] = {}
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or lets it through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        self._at_work += 1
        try:
            self._check(scope, headers, state)
            body = await self._body(scope, headers, receive)
            await self._app(scope, _replay(body, receive), sending)
        except Exception as error:
            if status:  # the answer has begun: its connection is cut
                raise
            await answer_to(scope["path"], error)(scope, receive, sending)
        finally:
            self._at_work -= 1
            if self._settings.access_log:
                self._log(scope, state, status, time.perf_counter() - started)

    def _check(self, scope: Scope, headers: Headers, state: dict[str, Any]) -> None:
        """Refuses what may not come in.

        Raises:
            HTTPException: 400 for a foreign Host, 401 without a key, 403 for a page that may not call.
            TooBusyError: If too many requests are at work, or of this key came.
        """
        host = headers.get("host", "").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if not self._any_host and name not in self._hosts:
            raise HTTPException(400, f"this server is not {name!r}; name it with --hosts if it is to be")
        origin = headers.get("origin")
        if origin and origin not in self._settings.cors and origin.partition("://")[2] != host:
            raise HTTPException(403, f"pages of {origin!r} may not call; name it with --cors if they are to")
        if self._at_work > self._settings.max_requests:
            raise TooBusyError(1)
        if self._keys is None or scope["path"] in OPEN_PATHS:
            return
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        key = self._keys.find(bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", ""))
        if key is None:
            raise HTTPException(
                401, "a valid key is needed: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"}
            )
        state["key"] = key
        self._spend(key.id)

    def _spend(self, key_id: str) -> None:
        """One request of a key's rate: a bucket of a minute's requests that fills evenly."""
        rate = self._settings.rate
        if rate is None:
            return
        now = time.monotonic()
        left, at = self._rates.get(key_id, (float(rate), now))
        left = min(rate, left + (now - at) * rate / 60)
        if left < 1:
            raise TooBusyError((1 - left) * 60 / rate)
        self._rates[key_id] = left - 1, now

    async def _body(self, scope: Scope, headers: Headers, receive: Receive) -> bytes:
        """The whole body, within its limits.

        Raises:
            HTTPException: 413 if it is too large, 408 if it is too slow.
        """
        if scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            return b""
        imports = _IMPORTS.match(scope["path"])
        limit = self._settings.max_import_bytes if imports else self._settings.max_body_bytes
        told = headers.get("content-length", "")
        parts: list[bytes] = []
        size = int(told) if told.isdecimal() else 0
        with anyio.move_on_after(self._settings.timeout):
            more = size <= limit
            size = 0 if more else size
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise HTTPException(400, "the client left before its request was whole")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                more = message.get("more_body", False) and size <= limit
            if size > limit:
                raise HTTPException(413, f"the body has over {limit} bytes; send less at once")
            return b"".join(parts)
        raise HTTPException(408, f"the body took over {self._settings.timeout:g} seconds")

    def _log(self, scope: Scope, state: dict[str, Any], status: int, seconds: float) -> None:
        """A line of JSON. Of the path only the route's template: names stand in paths, texts in queries."""
        key = state.get("key")
        access_log.info(
            json.dumps(
                {
                    "id": state["request_id"],
                    "method": scope["method"],
                    "route": route_of(scope),
                    "status": status,
                    "ms": round(1000 * seconds, 2),
                    "key": key.id if key else None,
                }
            )
        )


def route_of(scope: Scope) -> str:
    """The template of the route that answered, or "-"."""
    return getattr(scope.get("route"), "path", "-")


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read already, and then what comes."""
    left: Iterable[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replayed() -> Message:
        return next(left, None) or await receive()  # type: ignore[call-overload,no-any-return]

    return replayed
