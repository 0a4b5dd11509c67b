"""`Gate`: what every request passes before a route sees it, and every answer on its way out."""

from __future__ import annotations

import ipaddress
import logging
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

import anyio
import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from romaine.server import metrics
from romaine.server.cookies import key_of_cookie
from romaine.server.errors import TooBusyError, answer_to
from romaine.server.keys import KeyFile
from romaine.server.settings import ServerSettings

access_log = logging.getLogger("romaine.access")

OPEN_PATHS = frozenset({"/health", "/ready", "/openapi.json"})
"""What is answered without a key."""

_SIGN_IN = frozenset({("GET", "/"), ("HEAD", "/"), ("GET", "/page/enter"), ("POST", "/page/sign-in")})
"""Of the page: what asks for a key itself."""
_STATIC = "/page/static/"

_REQUEST_ID = re.compile(rb"[\w.-]{1,64}")
_BODYLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_IMPORTS = ("/v1/memory/import", "/page/import")
_DRAINED = 8
"""How many times the limit is read of a body that is too large: few clients hear us while they send."""

Headers = Mapping[bytes, bytes]
Direct = Mapping[tuple[str, str], APIRoute]


class Gate:
    """Host, origin, key, rate, size, number and time of requests; request ids, metrics, the access log.

    Args:
        app: What is behind it.
        settings: The limits.
        keys: The keys, or None if none is needed.
        direct: Routes that are answered without going through the layers behind it, by method and path.
    """

    def __init__(
        self, app: ASGIApp, *, settings: ServerSettings, keys: KeyFile | None, direct: Direct
    ) -> None:
        self._app = app
        self._direct = direct
        self._settings = settings
        self._keys = keys
        self._hosts = {"localhost", settings.host.lower(), *(host.lower() for host in settings.hosts)}
        self._rates: dict[str, tuple[float, float]] = {}
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or lets it through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers: Headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id.decode()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        self._at_work += 1
        try:
            self._check(scope, headers, state)
            if scope["method"] not in _BODYLESS:
                receive = state["body"] = WholeBody(await self._body(scope, receive), receive)
            route = self._direct.get((scope["method"], scope["path"]))
            if route is None:
                await self._app(scope, receive, sending)
            else:
                scope["route"] = route
                response = await route.endpoint(Request(scope, receive))
                await response(scope, receive, sending)
        except Exception as error:
            if status:  # the answer has begun: its connection is cut
                raise
            await answer_to(scope["path"], error)(scope, receive, sending)
        finally:
            self._at_work -= 1
            seconds = time.perf_counter() - started
            metrics.request(route_of(scope), status, seconds)
            if self._settings.access_log:
                self._log(scope, state, status, seconds)

    def _check(self, scope: Scope, headers: Headers, state: dict[str, Any]) -> None:
        """Refuses what may not come in.

        Raises:
            HTTPException: 400 for a foreign Host, 401 without a key, 403 for a page that may not call.
            TooBusyError: If too many requests are at work, or of this key came.
        """
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._is_own(host):
            raise HTTPException(400, "the Host header is another's; name it with --hosts if it is ours")
        if b"origin" in headers:
            origin = headers[b"origin"].decode("latin-1")
            if not self._settings.lets_in(origin) and origin.partition("://")[2] != host:
                raise HTTPException(403, "pages of this Origin may not call; name it with --cors if they may")
        if self._at_work > self._settings.max_requests:
            raise TooBusyError(1)
        path = scope["path"]
        if self._keys is None or path in OPEN_PATHS or path.startswith(_STATIC):
            return
        scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
        given = bearer.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        key = self._keys.find(given.decode("latin-1") or key_of_cookie(scope["method"], headers, host))
        if key is None:
            if (scope["method"], path) in _SIGN_IN:
                return
            raise HTTPException(
                401, "a valid key is needed: Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"}
            )
        state["key"] = key
        self._spend(key.id)

    def _is_own(self, host: str) -> bool:
        """Whether a Host header may be ours: an address, or a name that we know.

        A page that had its own name resolve to our address (DNS rebinding) sends that name. No DNS gives out
        names under `localhost` (RFC 6761, 6.3): they are this machine's.
        """
        name = re.sub(r":\d*$", "", host)
        if name in self._hosts or name.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

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

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, within its limits.

        Raises:
            HTTPException: 413 if it is too large, 408 if it is too slow.
        """
        settings = self._settings
        limit = settings.max_import_bytes if scope["path"].startswith(_IMPORTS) else settings.max_body_bytes
        parts: list[bytes] = []
        size = 0
        more = True
        with anyio.move_on_after(settings.timeout) as patience:
            while more and size <= _DRAINED * limit:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise HTTPException(400, "the client left before its request was whole")
                size += len(message.get("body", b""))
                if size <= limit:
                    parts.append(message.get("body", b""))
                more = message.get("more_body", False)
        if size > limit:
            raise HTTPException(413, f"the body has over {limit} bytes; send less at once")
        if patience.cancelled_caught:
            raise HTTPException(408, f"the body took over {settings.timeout:g} seconds")
        return b"".join(parts)

    def _log(self, scope: Scope, state: dict[str, Any], status: int, seconds: float) -> None:
        """A line of JSON. Of the path only the route's template: names stand in paths, texts in queries."""
        key = state.get("key")
        line = {
            "id": state["request_id"],
            "method": scope["method"],
            "route": route_of(scope),
            "status": status,
            "ms": round(1000 * seconds, 2),
            "key": key.id if key else None,
        }
        access_log.info(orjson.dumps(line).decode())


def route_of(scope: Scope) -> str:
    """The template of the route that answered, or "-"."""
    return getattr(scope.get("route"), "path", "-")


class WholeBody:
    """Gives a body that was read already, and then what comes.

    Args:
        body: The body.
        receive: Where the rest comes from: that the client left.
    """

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    def take(self) -> bytes:
        """The body, which is not given again."""
        body, self._body = self._body or b"", None
        return body

    async def __call__(self) -> Message:
        """The next message."""
        if self._body is None:
            return await self._receive()
        return {"type": "http.request", "body": self.take(), "more_body": False}
