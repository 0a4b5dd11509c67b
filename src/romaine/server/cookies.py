"""The cookie by which the page brings its key: a browser sends it along, so it counts from our page alone."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import cookie_parser
from starlette.responses import Response

_SAFE = frozenset({"GET", "HEAD"})
_OURS = frozenset({b"same-origin", b"none"})  # none: typed into the address bar, or a bookmark


def cookie_name(host: str) -> str:
    """Returns the cookie's name, which has the port: a browser keeps one jar for all ports of a host.

    Args:
        host: The `Host` header.
    """
    port = host.rpartition(":")[2]
    return f"romaine-{port if port.isdecimal() else 'key'}"


def key_of_cookie(method: str, headers: Mapping[bytes, bytes], host: str) -> str:
    """Returns the key that a request's cookie holds, or "".

    SameSite keeps the cookie from other sites but not from other ports of this machine, so what the browser
    says of the page that asks must be that it is ours, and before anything is changed it must say so.

    Args:
        method: Of the request.
        headers: Of the request.
        host: Its `Host` header.
    """
    site = headers.get(b"sec-fetch-site")
    if site is not None and site not in _OURS:
        return ""
    origin = headers.get(b"origin", b"").decode("latin-1")
    if method not in _SAFE and site != b"same-origin" and origin.partition("://")[2] != host:
        return ""
    cookies = cookie_parser(headers.get(b"cookie", b"").decode("latin-1"))
    return cookies.get(cookie_name(host), "")


def keep_key(response: Response, host: str, key: str, *, secure: bool) -> None:
    """Has the browser send a key along until it is closed; no script can read it.

    Args:
        response: The answer to whoever gave the key.
        host: The request's `Host` header.
        key: The key; "" for none any more.
        secure: Whether the browser may send it over TLS only.
    """
    name = cookie_name(host)
    if key:
        response.set_cookie(name, key, httponly=True, samesite="strict", secure=secure, path="/")
    else:
        response.delete_cookie(name, httponly=True, samesite="strict", secure=secure, path="/")
